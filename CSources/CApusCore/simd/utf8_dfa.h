/* The automaton that says what UTF-8 is (RFC 3629 §4), and what the kernels ask of it at the edges.
 *
 *     UTF8-2 = C2..DF tail            tail = 80..BF
 *     UTF8-3 = E0 A0..BF tail / E1..EC 2(tail) / ED 80..9F tail / EE..EF 2(tail)
 *     UTF8-4 = F0 90..BF 2(tail) / F1..F3 3(tail) / F4 80..8F 2(tail)
 */
#ifndef APUS_SIMD_UTF8_DFA_H
#define APUS_SIMD_UTF8_DFA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/utf8.h"
#include "simd/kernels.h"

APUS_ASSUME_NONNULL_BEGIN

/* The states of apus_utf8. Each is the place, in bits, of its successor in a row of the automaton's table. */
enum {
    APUS__UTF8_START = 0,     /* at a character's border */
    APUS__UTF8_TAIL_1 = 6,    /* one tail byte is missing */
    APUS__UTF8_TAIL_2 = 12,   /* two are */
    APUS__UTF8_TAIL_3 = 18,   /* three are */
    APUS__UTF8_AFTER_E0 = 24, /* two are, and the first must not be overlong */
    APUS__UTF8_AFTER_ED = 30, /* two are, and the first must not be a surrogate's */
    APUS__UTF8_AFTER_F0 = 36, /* three are, and the first must not be overlong */
    APUS__UTF8_AFTER_F4 = 42, /* three are, and the first must not pass U+10FFFF */
    APUS__UTF8_SPENT = 48,    /* nothing can follow */
};

APUS__INLINE bool apus__is_utf8_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many of the last bytes of `data`, which begins at a character's border, are a character that ends behind
 * it: 0 to 3. What no character begins with counts as a lead of four. */
APUS__INLINE size_t apus__utf8_unfinished(const uint8_t *data, size_t len)
{
    for (size_t count = 1; count <= 3 && count <= len; count++) {
        uint8_t byte = data[len - count];
        if (apus__is_utf8_tail(byte))
            continue;
        size_t wanted = 1 + (size_t)(byte >= 0xC0) + (size_t)(byte >= 0xE0) + (size_t)(byte >= 0xF0);
        return wanted > count ? count : 0;
    }
    return 0;
}

/* The index of the first invalid byte among the `end` at `data`, where a kernel has found one in or right before
 * those that begin at `block`. `data` begins at a character's border; `utf8` is spent then. */
size_t apus__utf8_find_invalid(apus_utf8 *utf8, const uint8_t *data, size_t block, size_t end);

APUS_ASSUME_NONNULL_END

#endif
