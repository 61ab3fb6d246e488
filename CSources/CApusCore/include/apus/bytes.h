/* A growing run of bytes with one owner. */
#ifndef APUS_BYTES_H
#define APUS_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_bytes {
    uint8_t *_Nullable data;
    size_t len;
    size_t capacity;
} apus_bytes;

/* Starts empty and without memory; all zero bytes is the same. */
void apus_bytes_init(apus_bytes *bytes);

/* Frees the memory; empty again afterwards. */
void apus_bytes_deinit(apus_bytes *bytes);

/* Makes room for `more` bytes behind the present ones (at least doubling); APUS_OK or APUS_ENOMEM. */
int apus_bytes_reserve(apus_bytes *bytes, size_t more);

/* Copies `len` bytes to the end; APUS_OK or APUS_ENOMEM, which changes nothing. */
int apus_bytes_append(apus_bytes *bytes, const void *_Nullable data, size_t len);

/* The same for a string's characters, without its final zero. */
int apus_bytes_append_text(apus_bytes *bytes, const char *text);

APUS_ASSUME_NONNULL_END

#endif
