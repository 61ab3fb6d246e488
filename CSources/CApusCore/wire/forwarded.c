/* Both forms are read from the left, and the word of the rightmost address that is not trusted stands in the end. */
#include "apus/forwarded.h"

#include <string.h>

#include "wire/authority.h"
#include "wire/list.h"
#include "wire/text.h"

/* Whom a proxy took a request from, as it tells: an address, or somebody it cannot or will not name. */
typedef struct node {
    apus_ip ip;
    uint16_t port;
    bool has_ip;
} node;

typedef struct reader {
    apus_forwarded *out;
    const apus_ip_range *trusted;
    size_t trusted_count;
    size_t count; /* of the nodes so far */
    size_t index; /* of the one that stands */
} reader;

/* A port in digits; anything else, such as the obfuscated one of RFC 7239 §6.3, is not told. */
static uint16_t read_port(apus_text text)
{
    if (text.len == 0 || text.len > 5 || apus__text_count(text, 0, APUS__CLASS_DIGIT) != text.len)
        return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++)
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    return value <= UINT16_MAX ? (uint16_t)value : 0;
}

/* "IPv4", "IPv4:port", "[IPv6]", "[IPv6]:port"; where `bare` is allowed "IPv6" too, as X-Forwarded-For has it. */
static node read_node(apus_text text, bool bare)
{
    node out = {.has_ip = false};
    const char *colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
    size_t end = colon == NULL ? text.len : (size_t)(colon - text.data);
    apus_text host = apus__text_slice(text, 0, end);
    if (text.len != 0 && text.data[0] == '[') {
        const char *bracket = memchr(text.data, ']', text.len);
        if (bracket == NULL)
            return out;
        end = (size_t)(bracket - text.data) + 1;
        host = apus__text_slice(text, 1, end - 1);
        if (host.len == 0 || memchr(host.data, ':', host.len) == NULL || (end < text.len && text.data[end] != ':'))
            return out;
    } else if (bare && apus_ip_parse(&out.ip, text)) {
        out.has_ip = true;
        return out;
    }
    out.has_ip = apus_ip_parse(&out.ip, host);
    if (out.has_ip && end < text.len)
        out.port = read_port(apus__text_slice(text, end + 1, text.len));
    return out;
}

/* Takes note of a node; true where its word is the one that stands now. One that is trusted only leads on to the word
 * on its left, if there is one; somebody without an address is trusted by nobody. */
static bool take_node(reader *in, node taken)
{
    size_t index = in->count++;
    if (index > 0 && taken.has_ip && apus_ip_is_in(&taken.ip, in->trusted, in->trusted_count))
        return false;
    in->index = index;
    in->out->has_client = taken.has_ip;
    in->out->client = taken.ip;
    in->out->port = taken.port;
    return true;
}

static apus_scheme scheme_of(apus_text proto)
{
    if (apus_text_equals(proto, "https") || apus_text_equals(proto, "wss"))
        return APUS_SCHEME_HTTPS;
    if (apus_text_equals(proto, "http") || apus_text_equals(proto, "ws"))
        return APUS_SCHEME_HTTP;
    return APUS_SCHEME_UNKNOWN;
}

static int set_host(apus_forwarded *out, apus_text host)
{
    apus__authority authority;
    out->host = host;
    return host.len == 0 || apus__authority_parse(&authority, host) ? APUS_OK : APUS_EFORWARDED;
}

/* The element of a list that belongs to the node `from_right` places from the end; where a proxy has set the whole
 * field rather than added to it, the last one there is. */
static apus_text find_from_right(const apus_head *head, const char *name, size_t from_right)
{
    apus__list list;
    apus_text element, found = APUS__TEXT("");
    size_t count = 0;
    apus__list_init(&list, head, name);
    while (apus__list_next(&list, &element))
        count++;
    size_t wanted = count > from_right ? count - 1 - from_right : count - 1;
    apus__list_init(&list, head, name);
    for (size_t i = 0; apus__list_next(&list, &element); i++) {
        if (i == wanted)
            found = element;
    }
    return found;
}

static int read_x(reader *in, const apus_head *head)
{
    apus__list list;
    apus_text element;
    apus__list_init(&list, head, "x-forwarded-for");
    while (apus__list_next(&list, &element))
        take_node(in, read_node(element, true));
    size_t from_right = in->count == 0 ? 0 : in->count - 1 - in->index;
    in->out->scheme = scheme_of(find_from_right(head, "x-forwarded-proto", from_right));
    return set_host(in->out, find_from_right(head, "x-forwarded-host", from_right));
}

/* One element of Forwarded; each parameter at most once (RFC 7239 §4). Values point into the field. */
typedef struct element {
    apus_text node, proto, host, by; /* `data` is NULL where it is not there */
} element;

static void skip_spaces(apus_text value, size_t *at)
{
    while (*at < value.len && apus__is_space((uint8_t)value.data[*at]))
        (*at)++;
}

/* value = token / quoted-string. What has an escape in it is no node, no scheme and no host. */
static bool take_value(apus_text field, size_t *at, apus_text *out)
{
    size_t start = *at;
    if (start == field.len || field.data[start] != '"') {
        size_t len = apus__text_count(field, start, APUS__CLASS_TOKEN);
        *out = apus__text_slice(field, start, start + len);
        *at = start + len;
        return len != 0;
    }
    size_t end = start + 1;
    while (end < field.len && field.data[end] != '"')
        end += field.data[end] == '\\' ? 2 : 1;
    if (end >= field.len)
        return false;
    *out = apus__text_slice(field, start + 1, end);
    *at = end + 1;
    return true;
}

static bool set_once(apus_text *place, apus_text value)
{
    bool is_first = place->data == NULL;
    *place = value;
    return is_first;
}

/* forwarded-pair = token "=" value; a parameter that is not known is passed over (§5.5). */
static bool take_pair(apus_text field, size_t *at, element *out)
{
    size_t len = apus__text_count(field, *at, APUS__CLASS_TOKEN);
    apus_text name = apus__text_slice(field, *at, *at + len);
    apus_text value;
    *at += len;
    if (len == 0 || *at == field.len || field.data[(*at)++] != '=' || !take_value(field, at, &value))
        return false;
    if (apus_text_equals(name, "for"))
        return set_once(&out->node, value);
    if (apus_text_equals(name, "proto"))
        return set_once(&out->proto, value);
    if (apus_text_equals(name, "host"))
        return set_once(&out->host, value);
    return !apus_text_equals(name, "by") || set_once(&out->by, value);
}

/* forwarded-element = [ pair ] *( ";" [ pair ] ), up to a comma or the field's end; spaces around are let pass. */
static bool take_element(apus_text field, size_t *at, element *out)
{
    *out = (element){.node = {0}};
    while (true) {
        skip_spaces(field, at);
        bool is_pair = *at < field.len && field.data[*at] != ';' && field.data[*at] != ',';
        if (is_pair && !take_pair(field, at, out))
            return false;
        skip_spaces(field, at);
        if (*at == field.len)
            return true;
        char separator = field.data[(*at)++];
        if (separator == ',')
            return true;
        if (separator != ';')
            return false;
    }
}

static int take_word(reader *in, const element *word)
{
    if (word->node.data == NULL && word->proto.data == NULL && word->host.data == NULL)
        return APUS_OK; /* an empty element, or one of other parameters */
    apus_text none = APUS__TEXT("");
    if (!take_node(in, read_node(word->node.data == NULL ? none : word->node, false)))
        return APUS_OK;
    in->out->scheme = scheme_of(word->proto.data == NULL ? none : word->proto);
    return set_host(in->out, word->host.data == NULL ? none : word->host);
}

static int read_field(reader *in, apus_text field)
{
    size_t at = 0;
    element word;
    do {
        if (!take_element(field, &at, &word))
            return APUS_EFORWARDED;
        int error = take_word(in, &word);
        if (error != APUS_OK)
            return error;
    } while (at < field.len);
    return APUS_OK;
}

static int read_rfc7239(reader *in, const apus_head *head)
{
    int error = APUS_OK;
    size_t at = apus__head_find_from(head, 0, "forwarded");
    while (error == APUS_OK && at < head->field_count) {
        error = read_field(in, head->fields[at].value);
        at = apus__head_find_from(head, at + 1, "forwarded");
    }
    return error;
}

int apus_forwarded_read(apus_forwarded *out, const apus_head *head, apus_forwarding forwarding,
                        const apus_ip_range *trusted, size_t count)
{
    reader in = {.out = out, .trusted = trusted, .trusted_count = count};
    *out = (apus_forwarded){.host = APUS__TEXT("")};
    switch (forwarding) {
    case APUS_FORWARDING_NONE:
        return APUS_OK;
    case APUS_FORWARDING_X:
        return read_x(&in, head);
    case APUS_FORWARDING_RFC7239:
        return read_rfc7239(&in, head);
    }
    return APUS_OK;
}
