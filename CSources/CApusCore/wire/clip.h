/* Both libraries for DEFLATE count in 32 bits. */
#ifndef APUS_WIRE_CLIP_H
#define APUS_WIRE_CLIP_H

#include <limits.h>
#include <stdint.h>

static inline unsigned apus__clip(uint64_t len)
{
    return len < UINT_MAX ? (unsigned)len : UINT_MAX;
}

#endif
