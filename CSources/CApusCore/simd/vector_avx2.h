/* A vector of 32 bytes: AVX2, whose shuffles stay inside lanes of 16. */
#ifndef APUS_SIMD_VECTOR_AVX2_H
#define APUS_SIMD_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "simd/kernels.h"

#define KERNEL __attribute__((target("avx2")))
#define VECTOR_SIZE 32

typedef uint8_t vector __attribute__((vector_size(VECTOR_SIZE)));

/* In every lane of 16: the entry of `table` that the low four bits of each byte name; no byte has its high bit. */
APUS__INLINE KERNEL vector look_up(vector table, vector indexes)
{
    return (vector)_mm256_shuffle_epi8((__m256i)table, (__m256i)indexes);
}

APUS__INLINE KERNEL vector repeat_table(const uint8_t table[16])
{
    return (vector)_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

/* a - b, 0 where that is negative. */
APUS__INLINE KERNEL vector subtract(vector a, vector b)
{
    return (vector)_mm256_subs_epu8((__m256i)a, (__m256i)b);
}

APUS__INLINE KERNEL bool is_ascii(vector v)
{
    return _mm256_movemask_epi8((__m256i)v) == 0;
}

APUS__INLINE KERNEL bool is_zero(vector v)
{
    return _mm256_testz_si256((__m256i)v, (__m256i)v);
}

/* The bytes `n` places before those of `v`, where `before` stands before `v`; `n` is 1, 2 or 3, a constant.
 * The permutation puts before each lane of `v` the lane that precedes it. */
#define BYTES_BEFORE(n, before, v)                                                                              \
    ((vector)_mm256_alignr_epi8((__m256i)(v), _mm256_permute2x128_si256((__m256i)(before), (__m256i)(v), 0x21), \
                                16 - (n)))

#endif
