/* The table of byte classes, and what is asked of a text. */
#include "wire/text.h"

#include <string.h>

/* Short names, so that the table below can be read. */
enum {
    T = APUS__CLASS_TOKEN,
    H = APUS__CLASS_HOST,
    A = APUS__CLASS_ALPHA,
    D = APUS__CLASS_DIGIT,
    X = APUS__CLASS_HEX,
    F = APUS__CLASS_FIELD,
    V = APUS__CLASS_VISIBLE | F,
};

const uint8_t apus__classes[256] = {
    ['\t'] = F,
    [' '] = F,
    ['!'] = V | T | H,
    ['"'] = V,
    ['#'] = V | T,
    ['$'] = V | T | H,
    ['%'] = V | T,
    ['&'] = V | T | H,
    ['\''] = V | T | H,
    ['('] = V | H,
    [')'] = V | H,
    ['*'] = V | T | H,
    ['+'] = V | T | H,
    [','] = V | H,
    ['-'] = V | T | H,
    ['.'] = V | T | H,
    ['/'] = V,
    ['0' ... '9'] = V | T | H | D | X,
    [':'] = V,
    [';'] = V | H,
    ['<'] = V,
    ['='] = V | H,
    ['>'] = V,
    ['?'] = V,
    ['@'] = V,
    ['A' ... 'F'] = V | T | H | A | X,
    ['G' ... 'Z'] = V | T | H | A,
    ['['] = V,
    ['\\'] = V,
    [']'] = V,
    ['^'] = V | T,
    ['_'] = V | T | H,
    ['`'] = V | T,
    ['a' ... 'f'] = V | T | H | A | X,
    ['g' ... 'z'] = V | T | H | A,
    ['{'] = V,
    ['|'] = V | T,
    ['}'] = V,
    ['~'] = V | T | H,
    [0x80 ... 0xff] = F, /* obs-text */
};

/* The byte `value` eight times. */
#define EIGHT_TIMES(value) (UINT64_C(0x0101010101010101) * (value))

/* Whether one of eight bytes is below 0x20 or is 0x7f: the control characters. A byte without its top bit that is
 * below 0x20 borrows when 0x20 is taken from it; one that equals 0x7f becomes 0 when it is flipped, and 0 borrows
 * when 1 is taken. Borrowing beyond a byte only ever adds to what is found below it. */
static bool holds_control(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    uint64_t flipped = word ^ EIGHT_TIMES(0x7f);
    uint64_t low = (word - EIGHT_TIMES(0x20)) & ~word;
    uint64_t delete = (flipped - EIGHT_TIMES(0x01)) & ~flipped;
    return ((low | delete) & EIGHT_TIMES(0x80)) != 0;
}

size_t apus__count_field_bytes(const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t stop = len - at < 8 ? len : at + 8;
        if (stop - at == 8 && !holds_control(data + at)) {
            at = stop;
            continue;
        }
        /* The end is near, or one of these eight is a control character: a tab, which a field may hold, or the end. */
        for (; at < stop; at++)
            if (!apus__is(data[at], APUS__CLASS_FIELD))
                return at;
    }
    return len;
}

size_t apus__text_count(apus_text text, size_t start, unsigned classes)
{
    size_t at = start;
    while (at < text.len && apus__is((uint8_t)text.data[at], classes))
        at++;
    return at - start;
}

bool apus__text_is_token(apus_text text)
{
    return text.len > 0 && apus__text_count(text, 0, APUS__CLASS_TOKEN) == text.len;
}

apus_text apus__text_trim(apus_text text)
{
    while (text.len > 0 && apus__is_space((uint8_t)text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && apus__is_space((uint8_t)text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

apus_text apus__text_slice(apus_text text, size_t start, size_t end)
{
    return (apus_text){text.data + start, end - start};
}

bool apus__text_is_same(apus_text one, apus_text other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

bool apus__text_is_same_in_any_case(apus_text one, apus_text other)
{
    if (one.len != other.len)
        return false;
    for (size_t i = 0; i < one.len; i++)
        if (apus__to_lower((uint8_t)one.data[i]) != apus__to_lower((uint8_t)other.data[i]))
            return false;
    return true;
}

bool apus_text_equals(apus_text text, const char *lower)
{
    size_t i = 0;
    while (i < text.len && lower[i] != '\0' && apus__to_lower((uint8_t)text.data[i]) == (uint8_t)lower[i])
        i++;
    return i == text.len && lower[i] == '\0';
}
