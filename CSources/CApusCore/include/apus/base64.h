/* Base64 (RFC 4648 §4), strict: no white space, padding required, unused bits zero. */
#ifndef APUS_BASE64_H
#define APUS_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Characters that `len` bytes take, without a final zero. */
#define APUS_BASE64_SIZE(len) (((len) + 2) / 3 * 4)

/* Writes APUS_BASE64_SIZE(len) characters, no final zero; returns their number. */
size_t apus_base64_encode(const uint8_t *data, size_t len, char *text);

/* Decodes `text_len` characters into at most `capacity` bytes.
 *
 * Returns the number of bytes, or APUS_EINVAL for text that is not strict base64 or does not fit. */
ptrdiff_t apus_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t capacity);

APUS_ASSUME_NONNULL_END

#endif
