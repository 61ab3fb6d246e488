/* The grammar of RFC 3986 §3.2.2 and §3.2.3, without userinfo and without IPvFuture, of which no version exists. */
#include "wire/authority.h"

#include <string.h>

#include "apus/ip.h"
#include "wire/text.h"

#define MOST_PORT 65535

static bool is_at(apus_text text, size_t at, char character)
{
    return at < text.len && text.data[at] == character;
}

/* An IPv6 address as it stands in brackets: one with an IPv4 address alone is of the other form. */
static bool is_ipv6(apus_text text)
{
    apus_ip ip;
    return text.len != 0 && memchr(text.data, ':', text.len) != NULL && apus_ip_parse(&ip, text);
}

/* The length of the reg-name (IPv4 addresses are of its form too) at the start; it ends before a broken "%". */
static size_t count_name(apus_text text)
{
    size_t at = apus__text_count(text, 0, APUS__CLASS_HOST);
    while (is_at(text, at, '%') && text.len - at > 2 &&
           apus__text_count(apus__text_slice(text, at + 1, at + 3), 0, APUS__CLASS_HEX) == 2) {
        at += 3;
        at += apus__text_count(text, at, APUS__CLASS_HOST);
    }
    return at;
}

/* The length of the host at the start; 0 where there is none. */
static size_t count_host(apus_text text)
{
    if (!is_at(text, 0, '['))
        return count_name(text);
    const char *bracket = memchr(text.data, ']', text.len);
    if (bracket == NULL)
        return 0;
    size_t end = (size_t)(bracket - text.data);
    return is_ipv6(apus__text_slice(text, 1, end)) ? end + 1 : 0;
}

/* Reads ":" and the digits after it, of which there may be none. */
static bool read_port(apus_text text, int32_t *port)
{
    *port = APUS__NO_PORT;
    if (text.len == 0)
        return true;
    if (text.data[0] != ':' || apus__text_count(text, 1, APUS__CLASS_DIGIT) != text.len - 1)
        return false;
    if (text.len == 1)
        return true;
    *port = 0;
    for (size_t i = 1; i < text.len; i++) {
        *port = *port * 10 + (text.data[i] - '0');
        if (*port > MOST_PORT)
            return false;
    }
    return true;
}

bool apus__authority_parse(apus__authority *out, apus_text text)
{
    size_t end = count_host(text);
    if (end == 0)
        return false;
    out->host = apus__text_slice(text, 0, end);
    return read_port(apus__text_slice(text, end, text.len), &out->port);
}

bool apus__uri_split(apus_text uri, apus_text *scheme, apus_text *authority)
{
    if (apus__text_count(uri, 0, APUS__CLASS_ALPHA) == 0)
        return false;
    size_t end = 0;
    while (end < uri.len && (apus__is((uint8_t)uri.data[end], APUS__CLASS_ALPHA | APUS__CLASS_DIGIT) ||
                             uri.data[end] == '+' || uri.data[end] == '-' || uri.data[end] == '.'))
        end++;
    if (!is_at(uri, end, ':') || !is_at(uri, end + 1, '/') || !is_at(uri, end + 2, '/'))
        return false;
    *scheme = apus__text_slice(uri, 0, end);
    size_t start = end + 3;
    end = start;
    while (end < uri.len && uri.data[end] != '/' && uri.data[end] != '?' && uri.data[end] != '#')
        end++;
    *authority = apus__text_slice(uri, start, end);
    return true;
}
