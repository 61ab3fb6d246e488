/* Masking with AVX-512. */
#include "simd/kernels.h"

#ifdef APUS__HAVE_X86
#include "simd/vector_avx512.h"

#include "simd/mask_template.h"

KERNEL void apus__mask_avx512(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    mask(target, source, len, key);
}

#endif
