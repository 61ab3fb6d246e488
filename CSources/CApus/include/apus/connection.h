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
#include "apus/forwarded.h"
#include "apus/frame.h"
#include "apus/head.h"
#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/socket.h"
#include "apus/tls.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_connection apus_connection;

/* A message that came in, or a part of one; a text is valid UTF-8, as a whole. The bytes stay until the next call for
 * this connection or the end of the callback, whichever comes first. */
typedef struct apus_incoming {
    apus_opcode opcode;
    const uint8_t *_Nullable data; /* perhaps NULL where `len` is 0 */
    size_t len;
    bool is_part; /* more of the message follows */
} apus_incoming;

/* How a WebSocket connection ended. */
typedef struct apus_ending {
    uint16_t code;         /* from the peer's Close; APUS_CLOSE_NO_STATUS or APUS_CLOSE_ABNORMAL where there is none */
    const uint8_t *reason; /* UTF-8; during the call */
    size_t reason_len;
    int error; /* APUS_OK after a closing handshake, else what went wrong */
} apus_ending;

/* A client that was turned away. */
typedef struct apus_refusal {
    int error;            /* what it did wrong, or what was exhausted */
    apus_text detail;     /* more about it, perhaps the client's own words; during the call */
    apus_address address; /* the client's; all zero where it is not known */
} apus_refusal;

typedef struct apus_connection_callbacks {
    /* A request has come: answer it, now or later, with accept (only `is_upgrade`), or respond. `head` is valid during
     * the call. */
    void (*on_request)(apus_connection *connection, const apus_head *head, bool is_upgrade);
    /* Content of the request that was demanded, and is there during the call; `len` is at least 1. */
    void (*on_body)(apus_connection *connection, const uint8_t *data, size_t len);
    /* The answer to a demand where no content is left: all of it has come (APUS_OK), or what kept it from coming:
     * APUS_ECHUNK, APUS_EBODYSIZE, APUS_EBODYTIME, APUS_ELOST. The request still is to be answered; the connection
     * ends after that. */
    void (*on_body_end)(apus_connection *connection, int error);
    /* The client has sent all it ever will while its request waits for the answer. It may still read one; but one that
     * has given up looks the same. */
    void (*on_peer_end)(apus_connection *connection);
    /* Nothing of an answer is queued any more, so more of it may be written; after apus_connection_pull, each time. */
    void (*on_pull)(apus_connection *connection);
    /* A client was turned away; for servers. Many may come at once, so this must be cheap. */
    void (*_Nullable on_refused)(void *_Nullable endpoint_context, const apus_refusal *refusal);
    /* A message that was demanded. */
    void (*on_message)(apus_connection *connection, const apus_incoming *message);
    /* A part of the outbound queue has left, and at most half of its limit is left; after apus_connection_want_drain,
     * once. */
    void (*on_drain)(apus_connection *connection);
    /* A Pong came (RFC 6455 §5.5.3). */
    void (*on_pong)(apus_connection *connection, const uint8_t *data, size_t len);
    /* The endpoint stops: say the last words, if there are any, and call apus_connection_go_away, now or later. NULL:
     * there are none. */
    void (*_Nullable on_stop)(apus_connection *connection);
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

/* A number that no other connection of the process ever has. */
uint64_t apus_connection_id(const apus_connection *connection);

/* Its TLS, for as long as it is open; NULL where it speaks none. */
const apus_tls *_Nullable apus_connection_tls(const apus_connection *connection);

/* The peer's address; APUS_OK or a negative errno. Until an upgrade is accepted, and where proxies are trusted, it is
 * the address of the client behind them, as far as they tell. */
int apus_connection_peer(const apus_connection *connection, apus_address *out);

/* What else trusted proxies tell of the request, while on_request is called; NULL where none is trusted. */
const apus_forwarded *_Nullable apus_connection_forwarded(const apus_connection *connection);

/* Asks for content of the request that waits: on_body follows, or on_body_end, once, perhaps during this call. Until
 * it is asked for, content is not read, and TCP holds the peer back; a client that awaits 100 (Continue) gets it at
 * the first call. What nobody has asked for when the request is answered is skipped, or the connection ends.
 * APUS_OK, APUS_EINVAL (no request waits, or content is demanded already), or APUS_ENOMEM. */
int apus_connection_demand_body(apus_connection *connection);

/* Tells a client that holds its content back (RFC 9110 §10.1.1) to send it, unless the answer has begun: for an
 * application that will read while it writes, since behind the answer's head there can be no 100 (Continue).
 * APUS_OK, APUS_EINVAL (no request waits), or APUS_ENOMEM. */
int apus_connection_allow_content(apus_connection *connection);

/* Completes the opening handshake (RFC 6455 §4.2.2) with the subprotocol, unless it is empty, and further fields.
 * APUS_OK, APUS_EFIELD (nothing is sent; answer otherwise), APUS_EINVAL (no upgrade is waiting), or APUS_ENOMEM. */
int apus_connection_accept(apus_connection *connection, apus_text subprotocol, const apus_field *_Nullable fields,
                           size_t count);

/* Answers the request that waits. Content-Length, Date and Connection are added, and those that `fields` holds left out
 * (but "Connection: close" ends the connection); a HEAD gets no body.
 * APUS_OK, APUS_EFIELD (nothing is sent; answer otherwise), APUS_EINVAL (none is waiting), or APUS_ENOMEM. */
int apus_connection_respond(apus_connection *connection, unsigned status, const apus_field *_Nullable fields,
                            size_t count, const uint8_t *_Nullable body, size_t body_len);

/* The content's length is not known. */
#define APUS_LENGTH_UNKNOWN UINT64_MAX

/* Begins to answer the request that waits, with content of `len` bytes that is still to be written. Where the length
 * is not known, the content goes in chunks, or for HTTP/1.0 to the connection's end. The same errors as respond. */
int apus_connection_begin(apus_connection *connection, unsigned status, const apus_field *_Nullable fields,
                          size_t count, uint64_t len);

/* Sends content of the answer that was begun; left out where the answer has none (to HEAD; with 204, 205 and 304).
 *
 * APUS_OK, APUS_ECLOSED (there is no such answer, or nobody to take it), APUS_ENOMEM, APUS_EINVAL (more than was said),
 * or APUS_EFULL: nothing was sent, and is to be tried again after on_drain (apus_connection_want_drain). */
int apus_connection_write(apus_connection *connection, const uint8_t *_Nullable data, size_t len);

/* Calls on_pull whenever nothing of the answer that was begun is queued, from the next turn of the loop until the
 * answer ends: so that its content, which the caller keeps, is copied only as fast as the client takes it. A client
 * that takes nothing for the body timeout is dropped. */
void apus_connection_pull(apus_connection *connection);

/* Ends the answer that was begun. APUS_OK, APUS_ECLOSED, APUS_ENOMEM, or APUS_EINVAL: less was written than was said,
 * so the connection is dropped. */
int apus_connection_end(apus_connection *connection);

/* Says what to do with messages from now on; the first is DEMAND_NONE. */
void apus_connection_demand(apus_connection *connection, apus_demand demand);

/* Takes the next message, if there is one. */
bool apus_connection_next(apus_connection *connection, apus_incoming *out);

/* Within on_message: leaves the message to a job that was enqueued, which takes it by apus_connection_next: where it
 * stands, if the job runs at once, as jobs do while bytes are read; else it is kept. */
void apus_connection_leave(apus_connection *connection, const apus_incoming *message);

/* Gives out messages in parts from the next one on; see apus_session_give_parts. */
void apus_connection_give_parts(apus_connection *connection);

/* Sends a message; a text must be UTF-8.
 *
 * APUS_OK, APUS_ECLOSED, APUS_ENOMEM, or by the slow-consumer policy where the socket is full and the outbound limit
 * would be passed: APUS_EFULL (the sender is to wait) or APUS_EDROPPED. APUS_ESLOW in place of APUS_ECLOSED where the
 * connection was closed with 1013. In none of them it was sent.
 */
int apus_connection_send(apus_connection *connection, apus_opcode opcode, const uint8_t *_Nullable data, size_t len);

/* One of several messages that belong together. */
typedef struct apus_outgoing {
    const uint8_t *_Nullable data;
    size_t len;
    apus_opcode opcode;
} apus_outgoing;

/* Sends messages that nothing may come between: all of them, or none. The same errors as apus_connection_send; but
 * where memory is out (APUS_ENOMEM) behind the first, the connection is dropped. */
int apus_connection_send_all(apus_connection *connection, const apus_outgoing *messages, size_t count);

/* Sends a part of a message: the first begins it with an opcode, `is_last` ends it. Other messages, a topic's too, wait
 * until it has ended, and then go out in their order; control frames do not. Parts are not compressed.
 *
 * APUS_OK, APUS_ECLOSED, APUS_ENOMEM, or APUS_EFULL where the outbound queue is full, whatever the policy: a message
 * that has begun cannot be dropped. */
int apus_connection_send_part(apus_connection *connection, apus_opcode opcode, const uint8_t *_Nullable data,
                              size_t len, bool is_last);

/* Whether a message sent in parts has begun and not ended. */
bool apus_connection_is_sending_parts(const apus_connection *connection);

/* Asks for on_drain, after which a message that was refused is worth another try. False, and nothing is asked, where
 * nothing is queued any more, or the connection is closed. */
bool apus_connection_want_drain(apus_connection *connection);

/* Bytes queued because the socket did not take them, as they will go over the wire. */
size_t apus_connection_outbound(const apus_connection *connection);

/* Sends a Ping with at most 125 bytes, before data that has not begun to leave. APUS_OK, APUS_ECLOSED, APUS_EINVAL,
 * APUS_EFULL (64 control frames wait for the peer) or APUS_ENOMEM. */
int apus_connection_ping(apus_connection *connection, const uint8_t *_Nullable data, size_t len);

/* Starts the closing handshake; on_end follows once the peer answers or the close timeout passes. Where the answer to
 * the peer's own Close still waits (`answers_first`), it is sent now, and on_end is called at once.
 * APUS_OK, APUS_ECLOSED, APUS_EINVAL (see apus_close_encode) or APUS_ENOMEM. */
int apus_connection_close(apus_connection *connection, uint16_t code, const uint8_t *_Nullable reason,
                          size_t reason_len);

/* The same with the code and reason that the endpoint's configuration has for its stop. */
int apus_connection_go_away(apus_connection *connection);

/* Drops the connection at once, without a word to the peer; on_end and on_free follow. */
void apus_connection_abort(apus_connection *connection);

APUS_ASSUME_NONNULL_END

#endif
