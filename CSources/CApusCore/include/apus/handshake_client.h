/* The opening handshake of RFC 6455 §4.1, client side: the request to write, and what its answer is worth. */
#ifndef APUS_HANDSHAKE_CLIENT_H
#define APUS_HANDSHAKE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/head.h"
#include "apus/macros.h"
#include "apus/response_head.h"

APUS_ASSUME_NONNULL_BEGIN

/* Bytes of the nonce that a key encodes, and characters of the key (§4.1, item 7). */
#define APUS_NONCE_SIZE 16
#define APUS_KEY_SIZE 24

/* What a client asks for. */
typedef struct apus_handshake_offer {
    apus_text host;       /* the value of Host: host, or host and port */
    apus_text target;     /* path and query (RFC 9112 §3.2.1) */
    apus_text protocols;  /* the value of Sec-WebSocket-Protocol: tokens, separated by commas; empty for none */
    apus_text extensions; /* the value of Sec-WebSocket-Extensions; empty for none */
    const apus_field *_Nullable fields; /* further ones */
    size_t field_count;
} apus_handshake_offer;

/* Makes the key of a nonce, which must be new and random for each handshake; no final zero. */
void apus_handshake_make_key(const uint8_t nonce[APUS_NONCE_SIZE], char key[APUS_KEY_SIZE]);

/* Appends the whole request head (§4.1). APUS_OK, or, writing nothing, APUS_ENOMEM, APUS_EHOST (`host` is none),
 * APUS_EHANDSHAKE (`target` does not begin with "/", or holds what is not visible ASCII or is "#"; `protocols` are not
 * unique tokens, at most APUS_HANDSHAKE_MOST_SUBPROTOCOLS), or APUS_EFIELD (a further field cannot stand in a head, or
 * is one that the handshake writes itself, or frames content, which a GET here has none of). */
int apus_handshake_write_request(apus_bytes *out, const apus_handshake_offer *offer, const char key[APUS_KEY_SIZE]);

/* Judges the answer (§4.1, the numbered list at the end). `subprotocol` is the one to speak, in the response; empty for
 * none. What Sec-WebSocket-Extensions of the answer says is, where `extensions` were offered, the caller's to judge.
 *
 * Returns APUS_OK, APUS_ESTATUS (not 101), APUS_EHTTPVERSION, APUS_EUPGRADE (`Upgrade` is not exactly "websocket", or
 * `Connection` does not list "upgrade"), APUS_EACCEPT, APUS_EEXTENSION, or APUS_ESUBPROTOCOL (one that was not offered,
 * or several). */
int apus_handshake_check_response(const apus_response *response, const apus_handshake_offer *offer,
                                  const char key[APUS_KEY_SIZE], apus_text *subprotocol);

/* Appends a CONNECT request (RFC 9110 §9.3.6) for a proxy: `authority` is host and port of the server. Further fields
 * such as Proxy-Authorization may follow. APUS_OK, or, writing nothing, APUS_ENOMEM, APUS_EHOST, or APUS_EFIELD. */
int apus_handshake_write_connect(apus_bytes *out, apus_text authority, const apus_field *_Nullable fields,
                                 size_t field_count);

APUS_ASSUME_NONNULL_END

#endif
