/* Masking keys from the system's generator (RFC 6455 §5.3), many for one system call. */
#ifndef APUS_RANDOM_H
#define APUS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "apus/mask.h"

/* Keys fetched at a time. */
#define APUS_RANDOM_KEYS 256

/* All zero is the start. For one thread. */
typedef struct apus_random {
    apus_masking_key keys[APUS_RANDOM_KEYS];
    uint32_t left;
} apus_random;

/* A fresh key. Aborts where the system has no random numbers, since a key that can be foretold protects nobody. */
apus_masking_key apus__random_key(apus_random *random);

/* Fills `len` bytes, by a system call of their own; as to its failure as apus__random_key. */
void apus__random_fill(uint8_t *data, size_t len);

#endif
