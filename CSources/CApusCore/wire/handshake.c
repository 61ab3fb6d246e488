/* The server's part of the opening handshake (RFC 6455 §4.2), step by step. */
#include "apus/handshake.h"

#include <assert.h>
#include <string.h>

#include "apus/base64.h"
#include "apus/sha1.h"
#include "wire/extension_reader.h"
#include "wire/subprotocol.h"
#include "wire/text.h"

/* A key: 16 bytes in base64. */
#define KEY_BYTES 16
#define KEY_SIZE APUS_BASE64_SIZE(KEY_BYTES)

/* What the key is joined with (§1.3), so that only who knows WebSocket can answer. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define GUID_SIZE (sizeof GUID - 1)

_Static_assert(APUS_ACCEPT_SIZE == APUS_BASE64_SIZE(APUS_SHA1_SIZE), "the accept value is a digest in base64");

/* RFC 9110 §7.8: a server ignores Upgrade in an HTTP/1.0 request. */
bool apus_handshake_is_asked(const apus_head *head)
{
    return head->minor_version >= 1 && apus_head_has_token(head, "upgrade", "websocket");
}

/* The value of the field of that name where there is exactly one, else an empty text. */
static apus_text find_only(const apus_head *head, const char *name)
{
    if (apus_head_count(head, name) != 1)
        return APUS__TEXT("");
    return apus_head_find(head, name)->value;
}

static bool is_key(apus_text text)
{
    uint8_t key[KEY_BYTES];
    return apus_base64_decode(text.data, text.len, key, sizeof key) == KEY_BYTES;
}

int apus_handshake_check(const apus_head *head)
{
    if (!apus__text_is_same(head->method, APUS__TEXT("GET")))
        return APUS_EMETHOD;
    if (head->minor_version < 1)
        return APUS_EHTTPVERSION;
    if (!apus_handshake_is_asked(head) || !apus_head_has_token(head, "connection", "upgrade"))
        return APUS_EHANDSHAKE;
    /* Before the key, as other versions may have other keys, and their clients are to learn ours (§4.4). */
    if (!apus_text_equals(find_only(head, "sec-websocket-version"), "13"))
        return APUS_EVERSION;
    if (!is_key(find_only(head, "sec-websocket-key")))
        return APUS_EKEY;
    if (!apus__subprotocols_are_valid(head) || !apus__extensions_are_valid(head))
        return APUS_EHANDSHAKE;
    return head->has_content ? APUS_EBODY : APUS_OK;
}

void apus_handshake_accept(apus_text key, char accept[APUS_ACCEPT_SIZE])
{
    uint8_t joined[KEY_SIZE + GUID_SIZE];
    uint8_t digest[APUS_SHA1_SIZE];
    assert(key.len == KEY_SIZE);
    memcpy(joined, key.data, KEY_SIZE);
    memcpy(joined + KEY_SIZE, GUID, GUID_SIZE);
    apus_sha1(joined, sizeof joined, digest);
    apus_base64_encode(digest, sizeof digest, accept);
}

/* Appends the lines of the answer; what a failure leaves behind is the caller's to take back. */
static int append_answer(apus_bytes *out, const char accept[APUS_ACCEPT_SIZE], apus_text subprotocol)
{
    int error = apus_head_write_status(out, 101);
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    if (error == APUS_OK)
        error = apus_head_write_field(out, APUS__TEXT("Sec-WebSocket-Accept"), (apus_text){accept, APUS_ACCEPT_SIZE});
    if (error == APUS_OK && subprotocol.len > 0)
        error = apus_head_write_field(out, APUS__TEXT("Sec-WebSocket-Protocol"), subprotocol);
    return error;
}

int apus_handshake_write(apus_bytes *out, const char accept[APUS_ACCEPT_SIZE], apus_text subprotocol)
{
    if (subprotocol.len > 0 && !apus__text_is_token(subprotocol))
        return APUS_EFIELD;
    size_t start = out->len;
    int error = append_answer(out, accept, subprotocol);
    if (error != APUS_OK)
        out->len = start;
    return error;
}
