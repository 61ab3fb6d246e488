/* Which kernels mask and validate: chosen by the processor at first use, forced only by tests and benchmarks. */
#ifndef APUS_SIMD_H
#define APUS_SIMD_H

#include <stdbool.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef enum apus_simd {
    APUS_SIMD_SCALAR,
    APUS_SIMD_SSE, /* SSE2 and SSSE3 */
    APUS_SIMD_AVX2,
    APUS_SIMD_AVX512,
    APUS_SIMD_NEON,
} apus_simd;

/* Whether this build holds that set and this processor runs it. */
bool apus_simd_is_available(apus_simd simd);

/* The set in use. */
apus_simd apus_simd_current(void);

/* Forces a set for the whole process; false, and no change, where it is not available. */
bool apus_simd_force(apus_simd simd);

/* "scalar", "sse", "avx2", "avx512", "neon". */
const char *apus_simd_name(apus_simd simd);

APUS_ASSUME_NONNULL_END

#endif
