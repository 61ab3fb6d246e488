/* Reading a request head strictly (RFC 9112 §3 and §5): where a lenient reader and a strict one could disagree about
 * where a request ends or whom it is for, the request is refused (§11.1, §11.2). */
#include "apus/head.h"

#include <string.h>

#include "wire/authority.h"
#include "wire/list.h"
#include "wire/text.h"

/* What is left to read. */
typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
} reader;

/* Takes bytes of `class`, one or more, and the byte `stop` that must follow them. */
static bool take_until(reader *in, unsigned class, char stop, apus_text *out)
{
    const uint8_t *start = in->at;
    const uint8_t *at = start;
    while (at < in->end && apus__is(*at, class))
        at++;
    if (at == start || at == in->end || *at != (uint8_t)stop)
        return false;
    *out = (apus_text){(const char *)start, (size_t)(at - start)};
    in->at = at + 1;
    return true;
}

static bool take_crlf(reader *in)
{
    if (in->end - in->at < 2 || in->at[0] != '\r' || in->at[1] != '\n')
        return false;
    in->at += 2;
    return true;
}

/* HTTP-version and the line's end (RFC 9112 §2.3): exactly this form before any judgement of the numbers. */
static int read_version(reader *in, uint8_t *minor_version)
{
    static const char form[] = "HTTP/n.n";
    const uint8_t *version = in->at;
    size_t len = sizeof form - 1;
    if ((size_t)(in->end - version) < len || memcmp(version, form, 5) != 0 || version[6] != '.' ||
        !apus__is(version[5], APUS__CLASS_DIGIT) || !apus__is(version[7], APUS__CLASS_DIGIT))
        return APUS_EHEAD;
    in->at += len;
    if (!take_crlf(in))
        return APUS_EHEAD;
    if (version[5] != '1' || version[7] > '1')
        return APUS_EHTTPVERSION;
    *minor_version = version[7] - '0';
    return APUS_OK;
}

/* Whether the target is of the form that the method asks for (RFC 9112 §3.2). None of them has a fragment. */
static bool is_target(apus_text method, apus_text target)
{
    apus_text scheme, text;
    apus__authority authority;
    if (apus__text_is_same(method, APUS__TEXT("CONNECT")))
        return apus__authority_parse(&authority, target) && authority.port != APUS__NO_PORT;
    if (memchr(target.data, '#', target.len) != NULL)
        return false;
    if (target.data[0] == '/')
        return true;
    if (target.len == 1 && target.data[0] == '*')
        return apus__text_is_same(method, APUS__TEXT("OPTIONS"));
    return apus__uri_split(target, &scheme, &text) && apus__authority_parse(&authority, text);
}

static int read_request_line(reader *in, apus_head *out)
{
    if (!take_until(in, APUS__CLASS_TOKEN, ' ', &out->method))
        return APUS_EHEAD;
    if (!take_until(in, APUS__CLASS_VISIBLE, ' ', &out->target))
        return APUS_EHEAD;
    int error = read_version(in, &out->minor_version);
    if (error != APUS_OK)
        return error;
    return is_target(out->method, out->target) ? APUS_OK : APUS_EHEAD;
}

/* field-line (RFC 9112 §5): nothing between the name and the colon (§5.1). */
static bool read_field(reader *in, apus_field *out)
{
    if (!take_until(in, APUS__CLASS_TOKEN, ':', &out->name))
        return false;
    size_t len = apus__count_field_bytes(in->at, (size_t)(in->end - in->at));
    out->value = apus__text_trim((apus_text){(const char *)in->at, len});
    in->at += len;
    return take_crlf(in);
}

/* Reads the fields and the empty line, which must be the last. */
static int read_fields(reader *in, apus_head *out)
{
    out->field_count = 0;
    while (!take_crlf(in)) {
        if (out->field_count == APUS_HEAD_MOST_FIELDS)
            return APUS_EHEADCOUNT;
        if (!read_field(in, &out->fields[out->field_count]))
            return APUS_EHEAD;
        out->field_count++;
    }
    return in->at == in->end ? APUS_OK : APUS_EHEAD;
}

/* RFC 9112 §3.2: HTTP/1.1 asks for exactly one Host. It is empty where the target has no authority. */
static int check_host(const apus_head *head)
{
    size_t count = apus_head_count(head, "host");
    if (count == 0)
        return head->minor_version == 0 ? APUS_OK : APUS_EHOST;
    if (count > 1)
        return APUS_EHOST;
    apus_text host = apus_head_find(head, "host")->value;
    apus__authority authority;
    return host.len == 0 || apus__authority_parse(&authority, host) ? APUS_OK : APUS_EHOST;
}

/* Content-Length (RFC 9110 §8.6): digits and nothing else; a number that passes 64 bits is no length at all. */
static bool read_length(apus_text value, uint64_t *length)
{
    *length = 0;
    if (value.len == 0 || apus__text_count(value, 0, APUS__CLASS_DIGIT) != value.len)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        uint64_t digit = (uint64_t)(value.data[i] - '0');
        if (*length > (UINT64_MAX - digit) / 10)
            return false;
        *length = *length * 10 + digit;
    }
    return true;
}

/* Transfer-Encoding (RFC 9112 §6.1): "chunked" is the last coding and stands once, or the request has no end.
 * `is_chunked` is whether it is the only one. */
static bool read_transfer_coding(const apus_head *head, bool *is_chunked)
{
    apus__list list;
    apus_text coding;
    size_t count = 0, chunked_count = 0;
    bool is_chunked_last = false;
    apus__list_init(&list, head, "transfer-encoding");
    for (; apus__list_next(&list, &coding); count++) {
        is_chunked_last = apus_text_equals(coding, "chunked");
        chunked_count += is_chunked_last;
    }
    *is_chunked = count == 1;
    return is_chunked_last && chunked_count == 1;
}

/* Finds out how the content is framed (RFC 9112 §6.3); any two opinions about it are one too many. */
static int read_framing(apus_head *out)
{
    size_t lengths = apus_head_count(out, "content-length");
    bool is_coded = apus_head_find(out, "transfer-encoding") != NULL;
    out->content_length = 0;
    out->is_chunked = false;
    out->has_content = is_coded;
    if (lengths + is_coded > 1 || (is_coded && out->minor_version == 0))
        return APUS_EHEAD;
    if (is_coded)
        return read_transfer_coding(out, &out->is_chunked) ? APUS_OK : APUS_EHEAD;
    if (lengths == 1 && !read_length(apus_head_find(out, "content-length")->value, &out->content_length))
        return APUS_EHEAD;
    out->has_content = out->content_length > 0;
    return APUS_OK;
}

static bool is_kept_alive(const apus_head *head)
{
    if (apus_head_has_token(head, "connection", "close"))
        return false;
    return head->minor_version == 1 || apus_head_has_token(head, "connection", "keep-alive");
}

int apus_head_parse(apus_head *out, const uint8_t *data, size_t len)
{
    reader in = {data, data + len};
    out->all = (apus_text){.data = (const char *)data, .len = len};
    int error = read_request_line(&in, out);
    if (error == APUS_OK)
        error = read_fields(&in, out);
    if (error == APUS_OK)
        error = check_host(out);
    if (error == APUS_OK)
        error = read_framing(out);
    if (error == APUS_OK)
        out->keep_alive = is_kept_alive(out);
    return error;
}
