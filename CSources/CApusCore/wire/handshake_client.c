/* The client's part of the opening handshake (RFC 6455 §4.1): whatever is not as it must be fails it. */
#include "apus/handshake_client.h"

#include <assert.h>

#include "apus/base64.h"
#include "apus/handshake.h"
#include "wire/authority.h"
#include "wire/list.h"
#include "wire/subprotocol.h"
#include "wire/text.h"

#define PROTOCOL_FIELD "Sec-WebSocket-Protocol"
#define EXTENSION_FIELD "Sec-WebSocket-Extensions"

/* The fields that the handshake writes itself, at most. */
#define OWN_FIELDS 7

_Static_assert(APUS_KEY_SIZE == APUS_BASE64_SIZE(APUS_NONCE_SIZE), "a key is a nonce in base64");

/* What the handshake writes itself, and what would frame content or is for another hop than the server's. */
static const char *const reserved_names[] = {
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "content-length",
    "transfer-encoding",
};

void apus_handshake_make_key(const uint8_t nonce[APUS_NONCE_SIZE], char key[APUS_KEY_SIZE])
{
    size_t len = apus_base64_encode(nonce, APUS_NONCE_SIZE, key);
    assert(len == APUS_KEY_SIZE);
    (void)len;
}

static bool is_reserved(apus_text name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof reserved_names[0]; i++)
        if (apus_text_equals(name, reserved_names[i]))
            return true;
    return false;
}

static bool is_host(apus_text host)
{
    apus__authority authority;
    return apus__authority_parse(&authority, host);
}

static bool is_target(apus_text target)
{
    if (target.len == 0 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if (!apus__is((uint8_t)target.data[i], APUS__CLASS_VISIBLE) || target.data[i] == '#')
            return false;
    return true;
}

/* The offered subprotocols as a head that a list can be read from. */
static void wrap_protocols(apus_head *head, apus_text protocols)
{
    head->field_count = protocols.len > 0 ? 1 : 0;
    head->fields[0] = (apus_field){.name = APUS__TEXT(PROTOCOL_FIELD), .value = protocols};
}

static int check_offer(const apus_handshake_offer *offer)
{
    apus_head head;
    wrap_protocols(&head, offer->protocols);
    if (!is_host(offer->host))
        return APUS_EHOST;
    if (!is_target(offer->target) || !apus__subprotocols_are_valid(&head))
        return APUS_EHANDSHAKE;
    if (offer->field_count > APUS_HEAD_MOST_FIELDS - OWN_FIELDS)
        return APUS_EFIELD;
    for (size_t i = 0; i < offer->field_count; i++)
        if (is_reserved(offer->fields[i].name))
            return APUS_EFIELD;
    return APUS_OK;
}

static int append_fields(apus_bytes *out, const apus_field *fields, size_t count)
{
    int error = APUS_OK;
    for (size_t i = 0; i < count && error == APUS_OK; i++)
        error = apus_head_write_field(out, fields[i].name, fields[i].value);
    return error == APUS_OK ? apus_bytes_append_text(out, "\r\n") : error;
}

static int append_line(apus_bytes *out, const char *method, apus_text target)
{
    int error = apus_bytes_append_text(out, method);
    if (error == APUS_OK)
        error = apus_bytes_append(out, target.data, target.len);
    return error == APUS_OK ? apus_bytes_append_text(out, " HTTP/1.1\r\n") : error;
}

/* Appends a list that may be empty, and is no field then. */
static int append_list(apus_bytes *out, apus_text name, apus_text value)
{
    return value.len == 0 ? APUS_OK : apus_head_write_field(out, name, value);
}

static int append_request(apus_bytes *out, const apus_handshake_offer *offer, const char *key)
{
    int error = append_line(out, "GET ", offer->target);
    if (error == APUS_OK)
        error = apus_head_write_field(out, APUS__TEXT("Host"), offer->host);
    if (error == APUS_OK)
        error =
            apus_bytes_append_text(out, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    if (error == APUS_OK)
        error = apus_head_write_field(out, APUS__TEXT("Sec-WebSocket-Key"), (apus_text){key, APUS_KEY_SIZE});
    if (error == APUS_OK)
        error = append_list(out, APUS__TEXT(PROTOCOL_FIELD), offer->protocols);
    if (error == APUS_OK)
        error = append_list(out, APUS__TEXT(EXTENSION_FIELD), offer->extensions);
    return error == APUS_OK ? append_fields(out, offer->fields, offer->field_count) : error;
}

int apus_handshake_write_request(apus_bytes *out, const apus_handshake_offer *offer, const char key[APUS_KEY_SIZE])
{
    size_t start = out->len;
    int error = check_offer(offer);
    if (error == APUS_OK)
        error = append_request(out, offer, key);
    if (error != APUS_OK)
        out->len = start;
    return error;
}

/* The value of the field of that name where there is exactly one. */
static bool find_only(const apus_head *head, const char *name, apus_text *value)
{
    if (apus_head_count(head, name) != 1)
        return false;
    *value = apus_head_find(head, name)->value;
    return true;
}

static bool is_upgrade(const apus_head *head)
{
    apus_text upgrade;
    return find_only(head, "upgrade", &upgrade) && apus_text_equals(upgrade, "websocket") &&
           apus_head_has_token(head, "connection", "upgrade");
}

static bool is_accepted(const apus_head *head, const char *key)
{
    char expected[APUS_ACCEPT_SIZE];
    apus_text accept;
    apus_handshake_accept((apus_text){key, APUS_KEY_SIZE}, expected);
    return find_only(head, "sec-websocket-accept", &accept) &&
           apus__text_is_same(accept, (apus_text){expected, sizeof expected});
}

/* Whether the list `offered` holds `chosen`; case-sensitive. */
static bool is_offered(apus_text offered, apus_text chosen)
{
    apus_head head;
    wrap_protocols(&head, offered);
    return apus_handshake_offers_subprotocol(&head, chosen);
}

/* "If the server's response included … a subprotocol that was not present in the client's handshake …, the client MUST
 * _Fail the WebSocket Connection_", and §11.3.4: the field "MUST NOT appear more than once in an HTTP response". */
static bool read_subprotocol(const apus_head *head, apus_text offered, apus_text *subprotocol)
{
    *subprotocol = APUS__TEXT("");
    if (apus_head_find(head, "sec-websocket-protocol") == NULL)
        return true;
    return find_only(head, "sec-websocket-protocol", subprotocol) && is_offered(offered, *subprotocol);
}

int apus_handshake_check_response(const apus_response *response, const apus_handshake_offer *offer,
                                  const char key[APUS_KEY_SIZE], apus_text *subprotocol)
{
    const apus_head *head = &response->head;
    if (response->status != 101)
        return APUS_ESTATUS;
    if (head->minor_version < 1)
        return APUS_EHTTPVERSION;
    if (!is_upgrade(head))
        return APUS_EUPGRADE;
    if (!is_accepted(head, key))
        return APUS_EACCEPT;
    if (offer->extensions.len == 0 && apus_head_find(head, "sec-websocket-extensions") != NULL)
        return APUS_EEXTENSION;
    return read_subprotocol(head, offer->protocols, subprotocol) ? APUS_OK : APUS_ESUBPROTOCOL;
}

static int append_connect(apus_bytes *out, apus_text authority, const apus_field *fields, size_t field_count)
{
    int error = append_line(out, "CONNECT ", authority);
    if (error == APUS_OK)
        error = apus_head_write_field(out, APUS__TEXT("Host"), authority);
    return error == APUS_OK ? append_fields(out, fields, field_count) : error;
}

int apus_handshake_write_connect(apus_bytes *out, apus_text authority, const apus_field *fields, size_t field_count)
{
    apus__authority parsed;
    if (!apus__authority_parse(&parsed, authority) || parsed.port == APUS__NO_PORT)
        return APUS_EHOST;
    for (size_t i = 0; i < field_count; i++)
        if (is_reserved(fields[i].name))
            return APUS_EFIELD;
    size_t start = out->len;
    int error = append_connect(out, authority, fields, field_count);
    if (error != APUS_OK)
        out->len = start;
    return error;
}
