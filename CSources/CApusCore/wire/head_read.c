/* The fields of a head, and what they say of its content: one strict reader for requests and responses. */
#include "wire/head_read.h"

#include <string.h>

#include "wire/list.h"
#include "wire/text.h"

bool apus__read_until(apus__reader *in, unsigned class, char stop, apus_text *out)
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

bool apus__read_crlf(apus__reader *in)
{
    if (in->end - in->at < 2 || in->at[0] != '\r' || in->at[1] != '\n')
        return false;
    in->at += 2;
    return true;
}

int apus__read_version(apus__reader *in, uint8_t *minor_version)
{
    static const char form[] = "HTTP/n.n";
    const uint8_t *version = in->at;
    size_t len = sizeof form - 1;
    if ((size_t)(in->end - version) < len || memcmp(version, form, 5) != 0 || version[6] != '.' ||
        !apus__is(version[5], APUS__CLASS_DIGIT) || !apus__is(version[7], APUS__CLASS_DIGIT))
        return APUS_EHEAD;
    in->at += len;
    *minor_version = version[7] - '0';
    return version[5] == '1' && version[7] <= '1' ? APUS_OK : APUS_EHTTPVERSION;
}

/* field-line (RFC 9112 §5): nothing between the name and the colon (§5.1). */
static bool read_field(apus__reader *in, apus_field *out)
{
    if (!apus__read_until(in, APUS__CLASS_TOKEN, ':', &out->name))
        return false;
    size_t len = apus__count_field_bytes(in->at, (size_t)(in->end - in->at));
    out->value = apus__text_trim((apus_text){(const char *)in->at, len});
    in->at += len;
    return apus__read_crlf(in);
}

int apus__read_fields(apus__reader *in, apus_head *out)
{
    out->field_count = 0;
    while (!apus__read_crlf(in)) {
        if (out->field_count == APUS_HEAD_MOST_FIELDS)
            return APUS_EHEADCOUNT;
        if (!read_field(in, &out->fields[out->field_count]))
            return APUS_EHEAD;
        out->field_count++;
    }
    return in->at == in->end ? APUS_OK : APUS_EHEAD;
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

static int find_framing(apus_head *out)
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

int apus__read_framing(apus_head *out)
{
    int error = find_framing(out);
    if (error == APUS_OK)
        out->keep_alive = is_kept_alive(out);
    return error;
}
