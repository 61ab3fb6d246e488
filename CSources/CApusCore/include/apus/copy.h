/* Copying few bytes, for whom memcpy's call is too much: words that overlap in the middle. */
#ifndef APUS_COPY_H
#define APUS_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The most that apus_copy_small copies. */
#define APUS_COPY_SMALL 128

/* Copies `size` bytes, a constant, at both ends of `len` bytes, of which there are at least so many. */
#define APUS__COPY_ENDS(target, source, len, size)                            \
    do {                                                                      \
        memcpy((target), (source), (size));                                   \
        memcpy((target) + (len) - (size), (source) + (len) - (size), (size)); \
    } while (0)

/* Copies `len` bytes, at most APUS_COPY_SMALL. The two places must not overlap. */
static inline void apus_copy_small(uint8_t *target, const uint8_t *source, size_t len)
{
    if (len >= 16) {
        if (len > 32) {
            if (len > 64)
                APUS__COPY_ENDS(target, source, len, 64);
            else
                APUS__COPY_ENDS(target, source, len, 32);
            return;
        }
        APUS__COPY_ENDS(target, source, len, 16);
    } else if (len >= 8) {
        APUS__COPY_ENDS(target, source, len, 8);
    } else if (len >= 4) {
        APUS__COPY_ENDS(target, source, len, 4);
    } else if (len != 0) {
        target[0] = source[0];
        target[len / 2] = source[len / 2];
        target[len - 1] = source[len - 1];
    }
}

APUS_ASSUME_NONNULL_END

#endif
