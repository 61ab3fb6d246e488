/* The grammar of RFC 4291 §2.2 and RFC 3986 §3.2.2 (dec-octet), read without the C library's help, which is a
 * resolver's; written as RFC 5952 §4 says. */
#include "apus/ip.h"

#include <string.h>

#include "wire/text.h"

#define GROUPS 8
#define MAPPED_SIZE 12 /* bytes before an IPv4 address that is mapped */

static const uint8_t mapped_prefix[MAPPED_SIZE] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

apus_ip apus_ip_from_v4(const uint8_t bytes[4])
{
    apus_ip ip;
    memcpy(ip.bytes, mapped_prefix, MAPPED_SIZE);
    memcpy(ip.bytes + MAPPED_SIZE, bytes, 4);
    return ip;
}

bool apus_ip_is_v4(const apus_ip *ip)
{
    return memcmp(ip->bytes, mapped_prefix, MAPPED_SIZE) == 0;
}

static bool is_at(apus_text text, size_t at, char character)
{
    return at < text.len && text.data[at] == character;
}

/* dec-octet: 0 to 255 without leading zeros. */
static bool read_octet(apus_text text, uint8_t *out)
{
    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.data[0] == '0'))
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++)
        value = value * 10 + (unsigned)(text.data[i] - '0');
    *out = (uint8_t)value;
    return value <= 255;
}

static bool read_v4(apus_text text, uint8_t out[4])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t digits = apus__text_count(text, at, APUS__CLASS_DIGIT);
        if (!read_octet(apus__text_slice(text, at, at + digits), &out[i]))
            return false;
        at += digits;
        if (i < 3 && !is_at(text, at++, '.'))
            return false;
    }
    return at == text.len;
}

static uint16_t read_group(apus_text digits)
{
    unsigned value = 0;
    for (size_t i = 0; i < digits.len; i++)
        value = value << 4 | apus__hex_value((uint8_t)digits.data[i]);
    return (uint16_t)value;
}

/* What has been read of an IPv6 address. */
typedef struct groups {
    uint8_t bytes[16];
    size_t len; /* of the bytes read */
    size_t gap; /* where "::" stands among them */
    bool has_gap;
} groups;

/* Reads one group, or the IPv4 address that may stand last; returns how many characters it has, 0 for neither. */
static size_t take_group(groups *read, apus_text text, size_t at)
{
    size_t digits = apus__text_count(text, at, APUS__CLASS_HEX);
    if (is_at(text, at + digits, '.')) {
        if (read->len > 16 - 4 || !read_v4(apus__text_slice(text, at, text.len), read->bytes + read->len))
            return 0;
        read->len += 4;
        return text.len - at;
    }
    if (digits == 0 || digits > 4 || read->len > 16 - 2)
        return 0;
    uint16_t group = read_group(apus__text_slice(text, at, at + digits));
    read->bytes[read->len++] = (uint8_t)(group >> 8);
    read->bytes[read->len++] = (uint8_t)group;
    return digits;
}

/* Eight groups of one to four digits, the last two perhaps as IPv4; "::" once for one group or more. */
static bool read_v6(apus_text text, apus_ip *out)
{
    groups read = {.has_gap = is_at(text, 0, ':') && is_at(text, 1, ':')};
    size_t at = read.has_gap ? 2 : 0;
    while (at < text.len) {
        size_t taken = take_group(&read, text, at);
        at += taken;
        if (taken == 0)
            return false;
        if (at == text.len)
            break;
        if (!is_at(text, at++, ':') || at == text.len)
            return false;
        if (is_at(text, at, ':')) {
            if (read.has_gap)
                return false;
            read.has_gap = true;
            read.gap = read.len;
            at++;
        }
    }
    if (read.has_gap ? read.len == 16 : read.len != 16)
        return false;
    *out = (apus_ip){{0}};
    memcpy(out->bytes, read.bytes, read.gap);
    memcpy(out->bytes + 16 - (read.len - read.gap), read.bytes + read.gap, read.len - read.gap);
    return true;
}

bool apus_ip_parse(apus_ip *out, apus_text text)
{
    uint8_t bytes[4];
    if (!read_v4(text, bytes))
        return read_v6(text, out);
    *out = apus_ip_from_v4(bytes);
    return true;
}

static char *write_number(char *at, unsigned value, unsigned base)
{
    static const char digits[] = "0123456789abcdef";
    if (value >= base)
        at = write_number(at, value / base, base);
    *at = digits[value % base];
    return at + 1;
}

static char *write_v4(char *at, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = write_number(at, bytes[i], 10);
    }
    return at;
}

static unsigned group_at(const apus_ip *ip, int index)
{
    return (unsigned)ip->bytes[2 * index] << 8 | ip->bytes[2 * index + 1];
}

/* The first of the longest runs of two zero groups or more (RFC 5952 §4.2); `count` is 0 where there is none. */
static int find_gap(const apus_ip *ip, int *count)
{
    int best = GROUPS;
    *count = 0;
    for (int start = 0; start < GROUPS; start++) {
        int end = start;
        while (end < GROUPS && group_at(ip, end) == 0)
            end++;
        if (end - start > *count && end - start > 1) {
            best = start;
            *count = end - start;
        }
    }
    return best;
}

static char *write_v6(char *at, const apus_ip *ip)
{
    int gap_count;
    int gap = find_gap(ip, &gap_count);
    for (int i = 0; i < GROUPS; i++) {
        if (i == gap) {
            *at++ = ':';
            *at++ = ':';
            i += gap_count - 1;
            continue;
        }
        if (i > 0 && i != gap + gap_count)
            *at++ = ':';
        at = write_number(at, group_at(ip, i), 16);
    }
    return at;
}

size_t apus_ip_write(const apus_ip *ip, char out[APUS_IP_TEXT_SIZE])
{
    char *end = apus_ip_is_v4(ip) ? write_v4(out, ip->bytes + MAPPED_SIZE) : write_v6(out, ip);
    *end = '\0';
    return (size_t)(end - out);
}

/* Whether the first bits of two addresses are the same. */
static bool shares_prefix(const apus_ip *one, const apus_ip *other, unsigned prefix)
{
    size_t whole = prefix / 8;
    if (memcmp(one->bytes, other->bytes, whole) != 0)
        return false;
    unsigned rest = prefix % 8;
    return rest == 0 || ((one->bytes[whole] ^ other->bytes[whole]) >> (8 - rest)) == 0;
}

/* Whether no bit is set behind the prefix. */
static bool ends_with_prefix(const apus_ip *ip, unsigned prefix)
{
    for (unsigned bit = prefix; bit < APUS_IP_BITS; bit++) {
        if ((ip->bytes[bit / 8] & 0x80 >> bit % 8) != 0)
            return false;
    }
    return true;
}

bool apus_ip_range_parse(apus_ip_range *out, apus_text text)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
    size_t end = slash == NULL ? text.len : (size_t)(slash - text.data);
    if (!apus_ip_parse(&out->ip, apus__text_slice(text, 0, end)))
        return false;
    out->prefix = APUS_IP_BITS;
    if (slash == NULL)
        return true;
    apus_text digits = apus__text_slice(text, end + 1, text.len);
    uint8_t prefix;
    if (apus__text_count(digits, 0, APUS__CLASS_DIGIT) != digits.len || !read_octet(digits, &prefix))
        return false;
    bool is_written_v4 = memchr(text.data, ':', end) == NULL;
    if (prefix > (is_written_v4 ? 32 : APUS_IP_BITS))
        return false;
    out->prefix = (uint8_t)(is_written_v4 ? prefix + 8 * MAPPED_SIZE : prefix);
    return ends_with_prefix(&out->ip, out->prefix);
}

bool apus_ip_range_holds(const apus_ip_range *range, const apus_ip *ip)
{
    return shares_prefix(&range->ip, ip, range->prefix);
}

bool apus_ip_is_in(const apus_ip *ip, const apus_ip_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (apus_ip_range_holds(&ranges[i], ip))
            return true;
    }
    return false;
}
