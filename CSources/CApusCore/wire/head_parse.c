/* Reading a request head strictly (RFC 9112 §3 and §5): where a lenient reader and a strict one could disagree about
 * where a request ends or whom it is for, the request is refused (§11.1, §11.2). */
#include "apus/head.h"

#include <string.h>

#include "wire/authority.h"
#include "wire/head_read.h"
#include "wire/text.h"

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

/* The version must be of its form before anything is said of its numbers, and the line must end behind it. */
static int read_version(apus__reader *in, uint8_t *minor_version)
{
    int error = apus__read_version(in, minor_version);
    if (error != APUS_EHEAD && !apus__read_crlf(in))
        return APUS_EHEAD;
    return error;
}

static int read_request_line(apus__reader *in, apus_head *out)
{
    if (!apus__read_until(in, APUS__CLASS_TOKEN, ' ', &out->method))
        return APUS_EHEAD;
    if (!apus__read_until(in, APUS__CLASS_VISIBLE, ' ', &out->target))
        return APUS_EHEAD;
    int error = read_version(in, &out->minor_version);
    if (error != APUS_OK)
        return error;
    return is_target(out->method, out->target) ? APUS_OK : APUS_EHEAD;
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

int apus_head_parse(apus_head *out, const uint8_t *data, size_t len)
{
    apus__reader in = {data, data + len};
    out->all = (apus_text){.data = (const char *)data, .len = len};
    int error = read_request_line(&in, out);
    if (error == APUS_OK)
        error = apus__read_fields(&in, out);
    if (error == APUS_OK)
        error = check_host(out);
    if (error == APUS_OK)
        error = apus__read_framing(out);
    return error;
}
