/* A vector of 16 bytes: SSE2, and SSSE3 for its byte shuffle. */
#ifndef APUS_SIMD_VECTOR_SSE_H
#define APUS_SIMD_VECTOR_SSE_H

#include <stdbool.h>
#include <stdint.h>
#include <tmmintrin.h>

#include "simd/kernels.h"

#define KERNEL __attribute__((target("ssse3")))
#define VECTOR_SIZE 16

typedef uint8_t vector __attribute__((vector_size(VECTOR_SIZE)));

/* In every lane of 16: the entry of `table` that the low four bits of each byte name; no byte has its high bit. */
APUS__INLINE KERNEL vector look_up(vector table, vector indexes)
{
    return (vector)_mm_shuffle_epi8((__m128i)table, (__m128i)indexes);
}

APUS__INLINE KERNEL vector repeat_table(const uint8_t table[16])
{
    return (vector)_mm_loadu_si128((const __m128i *)table);
}

/* a - b, 0 where that is negative. */
APUS__INLINE KERNEL vector subtract(vector a, vector b)
{
    return (vector)_mm_subs_epu8((__m128i)a, (__m128i)b);
}

APUS__INLINE KERNEL bool is_ascii(vector v)
{
    return _mm_movemask_epi8((__m128i)v) == 0;
}

APUS__INLINE KERNEL bool is_zero(vector v)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)v, _mm_setzero_si128())) == 0xFFFF;
}

/* The bytes `n` places before those of `v`, where `before` stands before `v`; `n` is 1, 2 or 3, a constant. */
#define BYTES_BEFORE(n, before, v) ((vector)_mm_alignr_epi8((__m128i)(v), (__m128i)(before), 16 - (n)))

#endif
