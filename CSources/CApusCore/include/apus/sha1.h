/* SHA-1 (FIPS 180-4), for Sec-WebSocket-Accept only: RFC 6455 §4.2.2 needs it and no security rests on it. */
#ifndef APUS_SHA1_H
#define APUS_SHA1_H

#include <stddef.h>
#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

#define APUS_SHA1_SIZE 20

/* Writes the digest of the `len` bytes at `data`. */
void apus_sha1(const uint8_t *data, size_t len, uint8_t digest[APUS_SHA1_SIZE]);

APUS_ASSUME_NONNULL_END

#endif
