/* A vector of 16 bytes: NEON, which every AArch64 processor has. */
#ifndef APUS_SIMD_VECTOR_NEON_H
#define APUS_SIMD_VECTOR_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stdint.h>

#include "simd/kernels.h"

#define KERNEL /* nothing to ask for */
#define VECTOR_SIZE 16

typedef uint8_t vector __attribute__((vector_size(VECTOR_SIZE)));

/* The entry of `table` that each byte, below 16, names. */
APUS__INLINE KERNEL vector look_up(vector table, vector indexes)
{
    return (vector)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)indexes);
}

APUS__INLINE KERNEL vector repeat_table(const uint8_t table[16])
{
    return (vector)vld1q_u8(table);
}

/* a - b, 0 where that is negative. */
APUS__INLINE KERNEL vector subtract(vector a, vector b)
{
    return (vector)vqsubq_u8((uint8x16_t)a, (uint8x16_t)b);
}

APUS__INLINE KERNEL bool is_ascii(vector v)
{
    return vmaxvq_u8((uint8x16_t)v) < 0x80;
}

APUS__INLINE KERNEL bool is_zero(vector v)
{
    return vmaxvq_u8((uint8x16_t)v) == 0;
}

/* The bytes `n` places before those of `v`, where `before` stands before `v`; `n` is 1, 2 or 3, a constant. */
#define BYTES_BEFORE(n, before, v) ((vector)vextq_u8((uint8x16_t)(before), (uint8x16_t)(v), 16 - (n)))

#endif
