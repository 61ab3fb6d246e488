/* The compressors behind apus_deflater: each has these verbs, and apus_deflater_new chooses. */
#ifndef APUS_WIRE_DEFLATER_H
#define APUS_WIRE_DEFLATER_H

#include <stddef.h>
#include <stdint.h>

#include "apus/deflate.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus__deflater_verbs {
    void (*free)(apus_deflater *deflater);
    void (*reset)(apus_deflater *deflater);
    /* Appends what becomes of `data`, which is not empty, in whole blocks without BFINAL. The last one is empty and
     * stored, so that `out` ends with 00 00 FF FF. After an error `out` holds a part of it. */
    int (*compress)(apus_deflater *deflater, const uint8_t *data, size_t len, apus_bytes *out);
} apus__deflater_verbs;

/* What each compressor's state begins with. */
struct apus_deflater {
    const apus__deflater_verbs *verbs;
};

/* zlib, all levels from 1 on; and ISA-L's igzip, which has the one. NULL when memory is out. */
apus_deflater *_Nullable apus__zlib_deflater_new(int level, unsigned window_bits);
apus_deflater *_Nullable apus__igzip_deflater_new(unsigned window_bits);

APUS_ASSUME_NONNULL_END

#endif
