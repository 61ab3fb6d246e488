/* What the vectors of all instruction sets share; a vector_….h, included before, says what a vector is. */
#ifndef APUS_SIMD_VECTOR_TEMPLATE_H
#define APUS_SIMD_VECTOR_TEMPLATE_H

#include <stdint.h>
#include <string.h>

#include "apus/mask.h"

APUS__INLINE KERNEL vector load(const uint8_t *source)
{
    vector v;
    memcpy(&v, source, sizeof v);
    return v;
}

APUS__INLINE KERNEL void store(uint8_t *target, vector v)
{
    memcpy(target, &v, sizeof v);
}

APUS__INLINE KERNEL vector repeat_byte(uint8_t byte)
{
    return (vector){0} + byte;
}

APUS__INLINE KERNEL vector repeat_key(apus_masking_key key)
{
    typedef uint32_t keys __attribute__((vector_size(VECTOR_SIZE)));
    return (vector)((keys){0} + key);
}

#endif
