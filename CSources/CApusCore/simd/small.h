/* Unmasking of what is too short for a loop: words that overlap in the middle, all loaded before the first
 * is stored. A byte that two words hold is thus masked once in each, and stored twice with the same value. */
#ifndef APUS_SIMD_SMALL_H
#define APUS_SIMD_SMALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "apus/mask.h"
#include "simd/kernels.h"

#ifdef APUS__HAVE_X86
#include <emmintrin.h>
#elif defined(APUS__HAVE_NEON)
#include <arm_neon.h>
#endif

APUS_ASSUME_NONNULL_BEGIN

/* The most that counts as small: four words of 16 bytes. */
#define APUS__SMALL ((size_t)64)

/* The high bit of each byte: what no ASCII byte has. */
#define APUS__HIGH_BITS UINT64_C(0x8080808080808080)

/* 16 bytes: SSE2 and NEON have a register for them, elsewhere the compiler makes two of 8. */
typedef uint32_t apus__word16 __attribute__((vector_size(16)));

/* apus_masking_key_advance, for whom a call is too much. */
APUS__INLINE apus_masking_key apus__key_advance(apus_masking_key key, size_t offset)
{
    unsigned bits = (unsigned)(offset % 4) * 8;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return key >> bits | key << (-bits & 31);
#else
    return key << bits | key >> (-bits & 31);
#endif
}

APUS__INLINE uint64_t apus__key_word8(apus_masking_key key)
{
    return (uint64_t)key << 32 | key;
}

APUS__INLINE apus__word16 apus__key_word16(apus_masking_key key)
{
    return (apus__word16){key, key, key, key};
}

APUS__INLINE apus__word16 apus__load16(const uint8_t *source)
{
    apus__word16 word;
    memcpy(&word, source, sizeof word);
    return word;
}

APUS__INLINE void apus__store16(uint8_t *target, apus__word16 word)
{
    memcpy(target, &word, sizeof word);
}

APUS__INLINE bool apus__is_ascii16(apus__word16 word)
{
#ifdef APUS__HAVE_X86
    return _mm_movemask_epi8((__m128i)word) == 0;
#elif defined(APUS__HAVE_NEON)
    return vmaxvq_u8((uint8x16_t)word) < 0x80;
#else
    uint64_t halves[2];
    memcpy(halves, &word, sizeof halves);
    return ((halves[0] | halves[1]) & APUS__HIGH_BITS) == 0;
#endif
}

APUS__INLINE bool apus__unmask_33_to_64(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                        bool always)
{
    size_t third = len - 32, last = len - 16;
    apus__word16 head = apus__key_word16(key), tail = apus__key_word16(apus__key_advance(key, last));
    apus__word16 a = apus__load16(source) ^ head;
    apus__word16 b = apus__load16(source + 16) ^ head;
    apus__word16 c = apus__load16(source + third) ^ tail;
    apus__word16 d = apus__load16(source + last) ^ tail;
    bool ascii = apus__is_ascii16(a | b | c | d);
    if (!ascii && !always)
        return false;
    apus__store16(target, a);
    apus__store16(target + 16, b);
    apus__store16(target + third, c);
    apus__store16(target + last, d);
    return ascii;
}

APUS__INLINE bool apus__unmask_16_to_32(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                        bool always)
{
    size_t last = len - 16;
    apus__word16 a = apus__load16(source) ^ apus__key_word16(key);
    apus__word16 b = apus__load16(source + last) ^ apus__key_word16(apus__key_advance(key, last));
    bool ascii = apus__is_ascii16(a | b);
    if (!ascii && !always)
        return false;
    apus__store16(target, a);
    apus__store16(target + last, b);
    return ascii;
}

APUS__INLINE bool apus__unmask_8_to_15(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                       bool always)
{
    size_t last = len - 8;
    uint64_t a, b;
    memcpy(&a, source, sizeof a);
    memcpy(&b, source + last, sizeof b);
    a ^= apus__key_word8(key);
    b ^= apus__key_word8(apus__key_advance(key, last));
    bool ascii = ((a | b) & APUS__HIGH_BITS) == 0;
    if (!ascii && !always)
        return false;
    memcpy(target, &a, sizeof a);
    memcpy(target + last, &b, sizeof b);
    return ascii;
}

APUS__INLINE bool apus__unmask_4_to_7(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                      bool always)
{
    size_t last = len - 4;
    uint32_t a, b;
    memcpy(&a, source, sizeof a);
    memcpy(&b, source + last, sizeof b);
    a ^= key;
    b ^= apus__key_advance(key, last);
    bool ascii = ((a | b) & (uint32_t)APUS__HIGH_BITS) == 0;
    if (!ascii && !always)
        return false;
    memcpy(target, &a, sizeof a);
    memcpy(target + last, &b, sizeof b);
    return ascii;
}

/* The same with words of one byte: the first, the middle one and the last are all there are. */
APUS__INLINE bool apus__unmask_0_to_3(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                      bool always)
{
    if (len == 0)
        return true;
    size_t middle = len / 2, last = len - 1;
    uint8_t keys[4];
    memcpy(keys, &key, sizeof keys);
    uint8_t a = source[0] ^ keys[0];
    uint8_t b = source[middle] ^ keys[middle];
    uint8_t c = source[last] ^ keys[last];
    bool ascii = (a | b | c) < 0x80;
    if (!ascii && !always)
        return false;
    target[0] = a;
    target[middle] = b;
    target[last] = c;
    return ascii;
}

APUS__INLINE bool apus__unmask_0_to_64(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key,
                                       bool always)
{
    if (APUS_LIKELY(len - 16 <= 16))
        return apus__unmask_16_to_32(target, source, len, key, always);
    if (len > 32)
        return apus__unmask_33_to_64(target, source, len, key, always);
    if (len >= 8)
        return apus__unmask_8_to_15(target, source, len, key, always);
    if (len >= 4)
        return apus__unmask_4_to_7(target, source, len, key, always);
    return apus__unmask_0_to_3(target, source, len, key, always);
}

/* apus_mask for at most APUS__SMALL bytes. Tells whether what was unmasked is all ASCII. */
APUS__INLINE bool apus__unmask_small(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    return apus__unmask_0_to_64(target, source, len, key, true);
}

/* The same, but it stores nothing unless all is ASCII. */
APUS__INLINE bool apus__unmask_small_ascii(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    return apus__unmask_0_to_64(target, source, len, key, false);
}

/* Whether at most APUS__SMALL bytes are all ASCII: a copy that the compiler leaves out, as nobody reads it. */
APUS__INLINE bool apus__is_ascii_small(const uint8_t *data, size_t len)
{
    uint8_t unread[APUS__SMALL];
    return apus__unmask_small(unread, data, len, 0);
}

APUS_ASSUME_NONNULL_END

#endif
