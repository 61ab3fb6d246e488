/* Whether a page may open this connection (RFC 6455 §10.2). An origin is a scheme, a host and a port, serialized as
 * RFC 6454 §6.2 says, with nothing behind them. */
#include "apus/forwarded.h"
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

/* Whether a page may open the connection to `target`, with the scheme that the page must then have, if it is known. */
static bool is_same_origin(const apus_head *head, const apus__authority *target, apus_scheme scheme)
{
    apus_text origin = apus_head_find(head, "origin")->value;
    apus_text page_scheme, text;
    apus__authority page;
    if (!apus__uri_split(origin, &page_scheme, &text) || text.data + text.len != origin.data + origin.len)
        return false;
    int32_t port = default_port(page_scheme);
    if (port == APUS__NO_PORT || !apus__authority_parse(&page, text))
        return false;
    if (scheme != APUS_SCHEME_UNKNOWN && port != (scheme == APUS_SCHEME_HTTPS ? 443 : 80))
        return false;
    int32_t page_port = page.port != APUS__NO_PORT ? page.port : port;
    int32_t target_port = target->port != APUS__NO_PORT ? target->port : port;
    return page_port == target_port && apus__text_is_same_in_any_case(page.host, target->host);
}

bool apus_handshake_is_same_origin(const apus_head *head)
{
    return apus_forwarded_is_same_origin(&(apus_forwarded){.host = APUS__TEXT("")}, head);
}

bool apus_forwarded_is_same_origin(const apus_forwarded *forwarded, const apus_head *head)
{
    size_t count = apus_head_count(head, "origin");
    if (count == 0)
        return true;
    apus__authority target;
    bool is_known =
        forwarded->host.len != 0 ? apus__authority_parse(&target, forwarded->host) : find_authority(head, &target);
    return count == 1 && is_known && is_same_origin(head, &target, forwarded->scheme);
}

bool apus_handshake_is_secure_origin(const apus_head *head)
{
    const apus_field *origin = apus_head_find(head, "origin");
    apus_text scheme, authority;
    return origin == NULL || (apus__uri_split(origin->value, &scheme, &authority) && apus_text_equals(scheme, "https"));
}
