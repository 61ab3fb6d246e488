/* The opening handshake of RFC 6455 §4, server side, as decisions about a head and bytes of an answer. */
#ifndef APUS_HANDSHAKE_H
#define APUS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Characters of a Sec-WebSocket-Accept value. */
#define APUS_ACCEPT_SIZE 28

/* The most subprotocols that a client may offer: each is compared with all others, so there must be an end. */
#define APUS_HANDSHAKE_MOST_SUBPROTOCOLS 64

/* Whether the request asks for an upgrade to WebSocket at all: `Upgrade` lists "websocket" (any case). Where it does
 * not, it is a plain HTTP request. */
bool apus_handshake_is_asked(const apus_head *head);

/* Checks a request that asks for the upgrade (RFC 6455 §4.2.1): method GET, HTTP/1.1, `Connection` lists "upgrade",
 * version 13, one key of 16 bytes, subprotocols that are tokens and unique (at most APUS_HANDSHAKE_MOST_SUBPROTOCOLS),
 * extensions that follow the grammar of §9.1, no content.
 *
 * Returns APUS_OK, APUS_EMETHOD, APUS_EHTTPVERSION, APUS_EHANDSHAKE, APUS_EVERSION (the answer must carry
 * `Sec-WebSocket-Version: 13`, §4.4), APUS_EKEY, or APUS_EBODY. */
int apus_handshake_check(const apus_head *head);

/* Whether the request may come from the page that the browser shows (RFC 6455 §10.2): true without `Origin`, and true
 * where the origin's host and port are those of `Host`, or of an absolute-form target, which overrides it (a port left
 * out is the one that the origin's scheme stands for: 80 for http, 443 for https). False for "null", for more than one
 * Origin, and for anything that does not parse.
 *
 * The scheme itself is not compared: behind a proxy that ends TLS nobody here knows it. Where TLS ends here, ask
 * apus_handshake_is_secure_origin as well. */
bool apus_handshake_is_same_origin(const apus_head *head);

/* Whether the page, if it is one, came over TLS: true without `Origin`, and where its scheme is https. */
bool apus_handshake_is_secure_origin(const apus_head *head);

/* Writes the answer to a key (§4.2.2, step 5.4), no final zero. `key` has passed apus_handshake_check. */
void apus_handshake_accept(apus_text key, char accept[APUS_ACCEPT_SIZE]);

/* Finds the subprotocol to speak (§4.2.2, `/subprotocol/`): the first of the client's, in its order, that stands in
 * `supported` (case-sensitive). An empty text where there is none. */
apus_text apus_handshake_choose_subprotocol(const apus_head *head, const apus_text *_Nullable supported, size_t count);

/* Whether the client offered exactly this subprotocol. */
bool apus_handshake_offers_subprotocol(const apus_head *head, apus_text subprotocol);

/* Appends the start of the answer that accepts (§4.2.2): status line, Upgrade, Connection, Sec-WebSocket-Accept (as
 * apus_handshake_accept made it: an application may answer long after the head is gone), and Sec-WebSocket-Protocol
 * where `subprotocol` is not empty. The caller may append fields and must append the empty line. APUS_OK, or, writing
 * nothing, APUS_EFIELD (the subprotocol is no token), or APUS_ENOMEM. */
int apus_handshake_write(apus_bytes *out, const char accept[APUS_ACCEPT_SIZE], apus_text subprotocol);

APUS_ASSUME_NONNULL_END

#endif
