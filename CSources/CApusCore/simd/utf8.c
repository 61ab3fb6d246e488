/* UTF-8 validation (RFC 3629) over a stream of pieces: short ones and the character that a border cuts here,
 * the others by the kernel that the processor has. */
#include "apus/utf8.h"

#include <string.h>

#include "simd/kernels.h"
#include "simd/small.h"
#include "simd/utf8_dfa.h"

/* The bytes that a state waits for. One that is spent refuses the next, whatever it is. */
static size_t missing(uint8_t state)
{
    static const uint8_t counts[] = {
        [APUS__UTF8_START] = 0,    [APUS__UTF8_TAIL_1] = 1,   [APUS__UTF8_TAIL_2] = 2,
        [APUS__UTF8_TAIL_3] = 3,   [APUS__UTF8_AFTER_E0] = 2, [APUS__UTF8_AFTER_ED] = 2,
        [APUS__UTF8_AFTER_F0] = 3, [APUS__UTF8_AFTER_F4] = 3, [APUS__UTF8_SPENT] = 1,
    };
    return counts[state];
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* apus_utf8_validate inside a character: first to its end, then on from there. */
static __attribute__((noinline)) size_t validate_inside(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    size_t rest = smaller(missing(utf8->state), len);
    size_t valid = apus__utf8_validate_scalar(utf8, data, rest);
    if (valid < rest || rest == len)
        return valid;
    return rest + apus_utf8_validate(utf8, data + rest, len - rest);
}

/* apus_utf8_unmask inside a character, the same way. */
static __attribute__((noinline)) size_t unmask_inside(apus_utf8 *utf8, uint8_t *target, const uint8_t *source,
                                                      size_t len, apus_masking_key key)
{
    size_t rest = smaller(missing(utf8->state), len);
    apus__unmask_small(target, source, rest, key);
    size_t valid = apus__utf8_validate_scalar(utf8, target, rest);
    if (valid < rest || rest == len)
        return valid;
    return rest + apus_utf8_unmask(utf8, target + rest, source + rest, len - rest, apus__key_advance(key, rest));
}

void apus_utf8_init(apus_utf8 *utf8)
{
    utf8->state = APUS__UTF8_START;
}

size_t apus_utf8_validate(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    if (APUS_UNLIKELY(utf8->state != APUS__UTF8_START))
        return validate_inside(utf8, data, len);
    if (len <= APUS__SMALL && apus__is_ascii_small(data, len))
        return len;
    return apus__kernels_in_use()->utf8_validate(utf8, data, len);
}

size_t apus_utf8_unmask(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    if (APUS_UNLIKELY(utf8->state != APUS__UTF8_START))
        return unmask_inside(utf8, target, source, len, key);
    if (len <= APUS__SMALL && apus__unmask_small_ascii(target, source, len, key))
        return len;
    return apus__kernels_in_use()->utf8_unmask(utf8, target, source, len, key);
}

static APUS_NOINLINE bool unmask_copy(uint8_t *text, size_t len, apus_masking_key key)
{
    uint8_t masked[APUS_UTF8_SMALL];
    memcpy(masked, text, len);
    apus_utf8 utf8 = {.state = APUS__UTF8_START};
    bool is_valid = apus__kernels_in_use()->utf8_unmask(&utf8, text, masked, len, key) == len;
    if (is_valid && apus_utf8_is_complete(&utf8))
        return true;
    memcpy(text, masked, len);
    return false;
}

bool apus_utf8_unmask_small(uint8_t *text, size_t len, apus_masking_key key)
{
    if (APUS_LIKELY(len <= APUS__SMALL) && apus__unmask_small_ascii(text, text, len, key))
        return true;
    return unmask_copy(text, len, key);
}

bool apus_utf8_is_complete(const apus_utf8 *utf8)
{
    return utf8->state == APUS__UTF8_START;
}
