/* Whether a page may open this connection (RFC 6455 §10.2). An origin is a scheme, a host and a port, serialized as
 * RFC 6454 §6.2 says, with nothing behind them. */
#include "apus/handshake.h"
#include "wire/authority.h"
#include "wire/text.h"

/* The port that the scheme of a web page stands for (RFC 9110 §4.2), or APUS__NO_PORT. */
static int32_t default_port(apus_text scheme)
{
    if (apus_text_equals(scheme, "http"))
        return 80;
    return apus_text_equals(scheme, "https") ? 443 : APUS__NO_PORT;
}

/* Whom the request is for: the authority of its target, which overrides Host (RFC 9112 §3.2.2), or else Host. */
static bool find_authority(const apus_head *head, apus__authority *out)
{
    apus_text scheme, authority;
    if (apus__uri_split(head->target, &scheme, &authority))
        return apus__authority_parse(out, authority);
    const apus_field *host = apus_head_find(head, "host");
    return host != NULL && apus__authority_parse(out, host->value);
}

bool apus_handshake_is_same_origin(const apus_head *head)
{
    size_t count = apus_head_count(head, "origin");
    if (count == 0)
        return true;
    if (count > 1)
        return false;
    apus_text origin = apus_head_find(head, "origin")->value;
    apus_text scheme, text;
    apus__authority page, target;
    if (!apus__uri_split(origin, &scheme, &text) || text.data + text.len != origin.data + origin.len)
        return false;
    int32_t port = default_port(scheme);
    if (port == APUS__NO_PORT || !apus__authority_parse(&page, text) || !find_authority(head, &target))
        return false;
    int32_t page_port = page.port != APUS__NO_PORT ? page.port : port;
    int32_t target_port = target.port != APUS__NO_PORT ? target.port : port;
    return page_port == target_port && apus__text_is_same_in_any_case(page.host, target.host);
}

bool apus_handshake_is_secure_origin(const apus_head *head)
{
    const apus_field *origin = apus_head_find(head, "origin");
    apus_text scheme, authority;
    return origin == NULL || (apus__uri_split(origin->value, &scheme, &authority) && apus_text_equals(scheme, "https"));
}
