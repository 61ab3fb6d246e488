/* A vector of 64 bytes: AVX-512 F and BW, whose shuffles stay inside lanes of 16. */
#ifndef APUS_SIMD_VECTOR_AVX512_H
#define APUS_SIMD_VECTOR_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "simd/kernels.h"

#define KERNEL __attribute__((target("avx512f,avx512bw")))
#define VECTOR_SIZE 64

typedef uint8_t vector __attribute__((vector_size(VECTOR_SIZE)));

/* In every lane of 16: the entry of `table` that the low four bits of each byte name; no byte has its high bit. */
APUS__INLINE KERNEL vector look_up(vector table, vector indexes)
{
    return (vector)_mm512_shuffle_epi8((__m512i)table, (__m512i)indexes);
}

APUS__INLINE KERNEL vector repeat_table(const uint8_t table[16])
{
    return (vector)_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
}

/* a - b, 0 where that is negative. */
APUS__INLINE KERNEL vector subtract(vector a, vector b)
{
    return (vector)_mm512_subs_epu8((__m512i)a, (__m512i)b);
}

APUS__INLINE KERNEL bool is_ascii(vector v)
{
    return _mm512_movepi8_mask((__m512i)v) == 0;
}

APUS__INLINE KERNEL bool is_zero(vector v)
{
    return _mm512_test_epi8_mask((__m512i)v, (__m512i)v) == 0;
}

/* The bytes `n` places before those of `v`, where `before` stands before `v`; `n` is 1, 2 or 3, a constant.
 * The inner shift, by 48 bytes, puts before each lane of `v` the lane that precedes it. */
#define BYTES_BEFORE(n, before, v) \
    ((vector)_mm512_alignr_epi8((__m512i)(v), _mm512_alignr_epi64((__m512i)(v), (__m512i)(before), 6), 16 - (n)))

/* The lanes of the first `len` bytes, fewer than VECTOR_SIZE. */
#define FIRST_LANES(len) ((UINT64_C(1) << (len)) - 1)

/* `len` bytes of ones and then zeros. */
#define FIRST(len) ((vector)_mm512_movm_epi8(FIRST_LANES(len)))

/* The `len` bytes at `data` and zeros behind; no other byte is read. */
#define LOAD_FIRST(len, data) ((vector)_mm512_maskz_loadu_epi8(FIRST_LANES(len), data))

#endif
