/* The definition of UTF-8 validation: an automaton that takes one byte at a time.
 *
 * A row of its table holds, for one byte, the successors of all states, six bits each. A step is then one load,
 * which does not wait for the state, and one shift. */
#include <string.h>

#include "simd/kernels.h"
#include "simd/small.h"
#include "simd/utf8_dfa.h"

#define TO(from, to) ((uint64_t)APUS__UTF8_##to << APUS__UTF8_##from)

/* The successors of: the start; a state before the last, the last but one, the last but two tail bytes; and of
 * what follows E0, ED, F0, F4. */
#define ROW(start, tail_1, tail_2, tail_3, e0, ed, f0, f4)                                                \
    (TO(START, start) | TO(TAIL_1, tail_1) | TO(TAIL_2, tail_2) | TO(TAIL_3, tail_3) | TO(AFTER_E0, e0) | \
     TO(AFTER_ED, ed) | TO(AFTER_F0, f0) | TO(AFTER_F4, f4) | TO(SPENT, SPENT))

#define LEAD(start) ROW(start, SPENT, SPENT, SPENT, SPENT, SPENT, SPENT, SPENT)

static const uint64_t rows[256] = {
    [0x00 ... 0x7F] = LEAD(START),
    [0x80 ... 0x8F] = ROW(SPENT, START, TAIL_1, TAIL_2, SPENT, TAIL_1, SPENT, TAIL_2),
    [0x90 ... 0x9F] = ROW(SPENT, START, TAIL_1, TAIL_2, SPENT, TAIL_1, TAIL_2, SPENT),
    [0xA0 ... 0xBF] = ROW(SPENT, START, TAIL_1, TAIL_2, TAIL_1, SPENT, TAIL_2, SPENT),
    [0xC0 ... 0xC1] = LEAD(SPENT),
    [0xC2 ... 0xDF] = LEAD(TAIL_1),
    [0xE0] = LEAD(AFTER_E0),
    [0xE1 ... 0xEC] = LEAD(TAIL_2),
    [0xED] = LEAD(AFTER_ED),
    [0xEE ... 0xEF] = LEAD(TAIL_2),
    [0xF0] = LEAD(AFTER_F0),
    [0xF1 ... 0xF3] = LEAD(TAIL_3),
    [0xF4] = LEAD(AFTER_F4),
    [0xF5 ... 0xFF] = LEAD(SPENT),
};

/* The index of the first byte at `i` or behind that may not be ASCII; it stops near the end as well. */
static size_t skip_ascii(const uint8_t *data, size_t i, size_t len)
{
    uint64_t word;
    for (; len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        if (word & APUS__HIGH_BITS)
            break;
    }
    return i;
}

size_t apus__utf8_validate_scalar(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    uint64_t state = utf8->state;
    size_t i = 0;
    while (i < len) {
        if (state == APUS__UTF8_START && data[i] < 0x80)
            i = skip_ascii(data, i, len);
        if (i == len)
            break;
        state = rows[data[i]] >> state & 0x3F;
        if (state == APUS__UTF8_SPENT)
            break;
        i++;
    }
    utf8->state = (uint8_t)state;
    return i;
}

size_t apus__utf8_unmask_scalar(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len,
                                apus_masking_key key)
{
    apus__mask_scalar(target, source, len, key);
    return apus__utf8_validate_scalar(utf8, target, len);
}

size_t apus__utf8_find_invalid(apus_utf8 *utf8, const uint8_t *data, size_t block, size_t end)
{
    /* An impossible lead may be the last byte before the block: the automaton starts at the lead before it. */
    size_t start = block;
    while (start > 0 && apus__is_utf8_tail(data[start - 1]))
        start--;
    if (start > 0)
        start--;
    return start + apus__utf8_validate_scalar(utf8, data + start, end - start);
}
