/* UTF-8 validation, alone and fused with unmasking, with AVX2. */
#include "simd/kernels.h"

#ifdef APUS__HAVE_X86
#include "simd/vector_avx2.h"

#include "simd/utf8_template.h"

KERNEL size_t apus__utf8_validate_avx2(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    return validate(utf8, data, len);
}

KERNEL size_t apus__utf8_unmask_avx2(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len,
                                     apus_masking_key key)
{
    return unmask(utf8, target, source, len, key);
}

#endif
