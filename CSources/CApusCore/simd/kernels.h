/* One signature per kernel, and the one table of them that is in use.
 *
 * The entry points deal with what is small by themselves (small.h), so each kernel may count on what
 * stands beside it here. The scalar kernels define what the others do, and count on nothing. */
#ifndef APUS_SIMD_KERNELS_H
#define APUS_SIMD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "apus/mask.h"
#include "apus/simd.h"
#include "apus/utf8.h"

#if defined(__x86_64__)
#define APUS__HAVE_X86 1
#elif defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define APUS__HAVE_NEON 1
#endif

#define APUS__INLINE static inline __attribute__((always_inline))

APUS_ASSUME_NONNULL_BEGIN

/* apus_mask; `len` is above APUS__SMALL. */
typedef void apus__mask_kernel(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key);

/* apus_utf8_validate; `utf8` is at a character's border. */
typedef size_t apus__utf8_validate_kernel(apus_utf8 *utf8, const uint8_t *data, size_t len);

/* apus_utf8_unmask; `utf8` is at a character's border. */
typedef size_t apus__utf8_unmask_kernel(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len,
                                        apus_masking_key key);

apus__mask_kernel apus__mask_scalar, apus__mask_sse, apus__mask_avx2, apus__mask_avx512, apus__mask_neon;

apus__utf8_validate_kernel apus__utf8_validate_scalar, apus__utf8_validate_sse, apus__utf8_validate_avx2,
    apus__utf8_validate_avx512, apus__utf8_validate_neon;

apus__utf8_unmask_kernel apus__utf8_unmask_scalar, apus__utf8_unmask_sse, apus__utf8_unmask_avx2,
    apus__utf8_unmask_avx512, apus__utf8_unmask_neon;

typedef struct apus__kernels {
    apus_simd simd;
    apus__mask_kernel *mask;
    apus__utf8_validate_kernel *utf8_validate;
    apus__utf8_unmask_kernel *utf8_unmask;
} apus__kernels;

/* Read it through apus__kernels_in_use. */
extern const apus__kernels *apus__kernels_chosen;

/* The kernels to call. Relaxed is enough: what the pointer leads to is constant from the start. */
APUS__INLINE const apus__kernels *apus__kernels_in_use(void)
{
    return __atomic_load_n(&apus__kernels_chosen, __ATOMIC_RELAXED);
}

APUS_ASSUME_NONNULL_END

#endif
