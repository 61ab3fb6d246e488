/* Masking with SSE. */
#include "simd/kernels.h"

#ifdef APUS__HAVE_X86
#include "simd/vector_sse.h"

#include "simd/mask_template.h"

KERNEL void apus__mask_sse(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    mask(target, source, len, key);
}

#endif
