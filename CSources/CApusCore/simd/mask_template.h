/* The masking that all instruction sets share; a vector_….h, included before, says what a vector is. */
#ifndef APUS_SIMD_MASK_TEMPLATE_H
#define APUS_SIMD_MASK_TEMPLATE_H

#include "simd/small.h"
#include "simd/vector_template.h"

/* Only stores to aligned places are fast, and neither end of a payload is aligned. So the first and the last
 * vector are loaded before all others and stored after them: nothing is then masked twice in place. */
APUS__INLINE KERNEL void mask(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    size_t end = len - VECTOR_SIZE;
    vector first = load(source) ^ repeat_key(key);
    vector last = load(source + end) ^ repeat_key(apus__key_advance(key, end));

    size_t i = VECTOR_SIZE - (uintptr_t)target % VECTOR_SIZE;
    vector keys = repeat_key(apus__key_advance(key, i));
    for (; i < end; i += VECTOR_SIZE)
        store(target + i, load(source + i) ^ keys);

    store(target, first);
    store(target + end, last);
}

#endif
