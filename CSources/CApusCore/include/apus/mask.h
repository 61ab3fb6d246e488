/* Masking (RFC 6455 §5.3): XOR with a four-byte key. Masking and unmasking are the same.
 *
 * Kernels are chosen once, at first use, by what the processor has; a test can force one. */
#ifndef APUS_MASK_H
#define APUS_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* A masking key in wire order, as memcpy reads its four bytes: XOR then needs no byte swap on any machine. */
typedef uint32_t apus_masking_key;

/* The key that applies `offset` bytes further on: its bytes rotated. */
apus_masking_key apus_masking_key_advance(apus_masking_key key, size_t offset);

/* Unmasks `len` bytes from `source` into `target`. The two are the same place or do not overlap.
 * The first byte meets the key's first byte. */
void apus_mask(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key);

APUS_ASSUME_NONNULL_END

#endif
