/* One connection of a server: HTTP requests until one becomes a WebSocket, then messages both ways.
 *
 * Everything here is called on the connection's loop, and every callback comes from there. */
#ifndef APUS_CONNECTION_H
#define APUS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/buffer.h"
#include "apus/error.h"
#include "apus/frame.h"
#include "apus/head.h"
#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/socket.h"
#include "apus/tls.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_connection apus_connection;

/* A whole message that came in; a text is valid UTF-8. The bytes stay until the next call for this connection or the
 * end of the callback, whichever comes first. */
typedef struct apus_incoming {
    apus_opcode opcode;
    const uint8_t *_Nullable data; /* perhaps NULL where `len` is 0 */
    size_t len;
} apus_incoming;

/* How a WebSocket connection ended. */
typedef struct apus_ending {
    uint16_t code;         /* from the peer's Close; APUS_CLOSE_NO_STATUS or APUS_CLOSE_ABNORMAL where there is none */
    const uint8_t *reason; /* UTF-8; during the call */
    size_t reason_len;
    int error; /* APUS_OK after a closing handshake, else what went wrong */
} apus_ending;

typedef struct apus_connection_callbacks {
    /* A request has come: answer it, now or later, with accept (only `is_upgrade`), or respond. `head` is valid during
     * the call. */
    void (*on_request)(apus_connection *connection, const apus_head *head, bool is_upgrade);
    /* A message that was demanded. */
    void (*on_message)(apus_connection *connection, const apus_incoming *message);
    /* A part of the outbound queue has left, and at most half of its limit is left; after apus_connection_want_drain,
     * once. */
    void (*on_drain)(apus_connection *connection);
    /* A Pong came (RFC 6455 §5.5.3). */
    void (*on_pong)(apus_connection *connection, const uint8_t *data, size_t len);
    /* No message will come any more, and none can be sent; those not taken yet still can be. Once; for a connection
     * that never became a WebSocket it says that its request needs no answer any more. */
    void (*on_end)(apus_connection *connection, const apus_ending *ending);
    /* The connection is freed when this returns; messages not taken go with it. Always the last call. */
    void (*on_free)(apus_connection *connection);
} apus_connection_callbacks;

typedef enum apus_demand {
    APUS_DEMAND_NONE, /* keep messages; stop reading when too much is kept */
    APUS_DEMAND_ONE,  /* give the next one to on_message, then none */
    APUS_DEMAND_ALL,  /* give each to on_message as it comes */
} apus_demand;

/* The pointer that the caller has set, for its callbacks; NULL before. */
void *_Nullable apus_connection_context(const apus_connection *connection);
void apus_connection_set_context(apus_connection *connection, void *_Nullable context);

/* The context of the listener that took it, or of the client. */
void *_Nullable apus_connection_endpoint_context(const apus_connection *connection);

/* A number that no other connection of the server ever has. */
uint64_t apus_connection_id(const apus_connection *connection);

/* Its TLS, for as long as it is open; NULL where it speaks none. */
const apus_tls *_Nullable apus_connection_tls(const apus_connection *connection);

/* The peer's address; APUS_OK or a negative errno. */
int apus_connection_peer(const apus_connection *connection, apus_address *out);

/* Completes the opening handshake (RFC 6455 §4.2.2) with the subprotocol, unless it is empty, and further fields.
 * APUS_OK, APUS_EFIELD (nothing is sent; answer otherwise), APUS_EINVAL (no upgrade is waiting), or APUS_ENOMEM. */
int apus_connection_accept(apus_connection *connection, apus_text subprotocol, const apus_field *_Nullable fields,
                           size_t count);

/* Answers the request that waits. Content-Length, Date and Connection are added; a HEAD gets no body.
 * APUS_OK, APUS_EFIELD (nothing is sent; answer otherwise), APUS_EINVAL (none is waiting), or APUS_ENOMEM. */
int apus_connection_respond(apus_connection *connection, unsigned status, const apus_field *_Nullable fields,
                            size_t count, const uint8_t *_Nullable body, size_t body_len);

/* Says what to do with messages from now on; the first is DEMAND_NONE. */
void apus_connection_demand(apus_connection *connection, apus_demand demand);

/* Takes the next message, if there is one. */
bool apus_connection_next(apus_connection *connection, apus_incoming *out);

/* Sends a message; a text must be UTF-8.
 *
 * APUS_OK, APUS_ECLOSED, APUS_ENOMEM, or by the slow-consumer policy where the outbound queue is full: APUS_EFULL (the
 * sender is to wait), APUS_EDROPPED, or APUS_ESLOW (the connection is closed with 1013); in none of them it was sent.
 */
int apus_connection_send(apus_connection *connection, apus_opcode opcode, const uint8_t *_Nullable data, size_t len);

/* Asks for on_drain, after which a message that was refused is worth another try. False, and nothing is asked, where
 * nothing is queued any more, or the connection is closed. */
bool apus_connection_want_drain(apus_connection *connection);

/* Bytes queued because the socket did not take them. */
size_t apus_connection_outbound(const apus_connection *connection);

/* Sends a Ping with at most 125 bytes. APUS_OK, APUS_ECLOSED, APUS_EINVAL or APUS_ENOMEM. */
int apus_connection_ping(apus_connection *connection, const uint8_t *_Nullable data, size_t len);

/* Starts the closing handshake; on_end follows once the peer answers or the close timeout passes.
 * APUS_OK, APUS_ECLOSED, APUS_EINVAL (see apus_close_encode) or APUS_ENOMEM. */
int apus_connection_close(apus_connection *connection, uint16_t code, const uint8_t *_Nullable reason,
                          size_t reason_len);

/* Drops the connection at once, without a word to the peer; on_end and on_free follow. */
void apus_connection_abort(apus_connection *connection);

APUS_ASSUME_NONNULL_END

#endif
