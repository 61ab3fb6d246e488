/* Masking with NEON. */
#include "simd/kernels.h"

#ifdef APUS__HAVE_NEON
#include "simd/vector_neon.h"

#include "simd/mask_template.h"

KERNEL void apus__mask_neon(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    mask(target, source, len, key);
}

#endif
