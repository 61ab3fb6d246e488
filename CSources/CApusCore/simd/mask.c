/* Masking (RFC 6455 §5.3): short payloads here, the others by the kernel that the processor has. */
#include "apus/mask.h"

#include "simd/kernels.h"
#include "simd/small.h"

apus_masking_key apus_masking_key_advance(apus_masking_key key, size_t offset)
{
    return apus__key_advance(key, offset);
}

void apus_mask(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    if (APUS_LIKELY(len - 16 <= 16))
        apus__unmask_16_to_32(target, source, len, key, true);
    else if (len <= APUS__SMALL)
        apus__unmask_small(target, source, len, key);
    else
        apus__kernels_in_use()->mask(target, source, len, key);
}
