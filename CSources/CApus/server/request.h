/* What a connection needs only while it speaks HTTP, for the files that do: request.c, content.c, response.c, peer.c.
 */
#ifndef APUS_SERVER_REQUEST_H
#define APUS_SERVER_REQUEST_H

#include "apus/bytes.h"
#include "apus/chunked.h"
#include "apus/connection.h"
#include "apus/extension.h"
#include "apus/forwarded.h"
#include "apus/handshake.h"
#include "apus/ip.h"

/* The content of the request that is being answered. All zero is one that is malformed; see apus__content_begin. */
typedef struct apus_content {
    uint64_t left;        /* bytes that are to come, or, in chunks, that may come */
    uint64_t debt;        /* what it is behind the minimum rate, in bytes times 1000 */
    uint64_t demanded_at; /* the loop's time, in ms */
    apus_chunked chunked; /* how far it is read, in chunks */
    int error;            /* what broke it */
    bool is_chunked;
    bool is_whole; /* nothing of it is to come */
    bool is_demanded;
    bool awaits_continue; /* the client holds it back until it is asked for (RFC 9110 §10.1.1) */
} apus_content;

/* How an answer whose content comes in pieces says where it ends. */
typedef enum apus_framing {
    APUS_FRAMING_NONE, /* no answer is under way */
    APUS_FRAMING_LENGTH,
    APUS_FRAMING_CHUNKED,
    APUS_FRAMING_CLOSE, /* with the connection: for HTTP/1.0 */
    APUS_FRAMING_BARE,  /* to HEAD, and with statuses that have no content: whatever is written is left out */
} apus_framing;

/* Who is at the other end; only where proxies are trusted. */
typedef struct apus_peer {
    apus_address address; /* the socket's peer, or whom the PROXY protocol names */
    bool is_trusted;      /* it is a proxy, whose word about others counts */
    bool awaits_header;   /* of the PROXY protocol */
    bool has_client;
    apus_address client;             /* of the present request, by the fields that proxies add */
    const apus_forwarded *forwarded; /* what else they tell; NULL but during on_request */
} apus_peer;

typedef struct apus_request {
    apus_bytes bytes; /* a head that came in pieces; content and requests that nobody has asked for yet */
    apus_head_scanner scanner;
    apus_content content;
    uint64_t answer_left; /* bytes of the answer's Content-Length that are not written yet */
    uint64_t unsent_mark; /* bytes of the answer that had not left when the timer was armed */
    apus_peer *peer;      /* NULL where no proxy is trusted */
    uint8_t framing;      /* of the answer: apus_framing */
    uint8_t minor_version;
    bool is_upgrade;
    bool is_head; /* the method is HEAD */
    bool keep_alive;
    bool is_placed;     /* `peer` was looked for */
    bool is_idle;       /* an answer is given, and no byte of another request has come */
    bool has_skipped;   /* an empty line before the request line */
    bool has_probed;    /* an interim response was sent to see whether the client is still there */
    bool is_pulling;    /* the answer's content is asked for as it leaves */
    bool is_deflate;    /* permessage-deflate was offered, and `deflate` will be accepted */
    bool is_processing; /* `bytes` or the read buffer are being read above us on the stack */
    apus_deflate_parameters deflate;
    char accept[APUS_ACCEPT_SIZE];
} apus_request;

/* Goes on with the bytes that were kept (request.c). */
void apus__request_process_kept(apus_connection *connection);

/* A part of what was queued has left; perhaps all of it (request.c). */
void apus__request_sent(apus_connection *connection);

/* The answer is on its way: awaits the next request, or ends the connection (request.c). */
void apus__request_end(apus_connection *connection);

/* Asks for more of an answer's content where nothing of it is queued (response.c). */
void apus__response_pull(apus_connection *connection);

/* The connection is about to end in the middle of an answer: its end must not pass for the content's (response.c). */
void apus__response_break(apus_connection *connection);

/* Takes note of the content that a head announces: APUS_OK, APUS_ECODING, APUS_EEXPECT, or APUS_EBODYSIZE. */
int apus__content_begin(apus_connection *connection, const apus_head *head);

/* Takes content from the `len` bytes at `data` and gives it to the application, which has demanded it. Returns how many
 * bytes were taken; the others are no content, or not demanded. */
size_t apus__content_deliver(apus_connection *connection, uint8_t *data, size_t len);

/* Takes content that nobody will ask for. After an error, or past a bound, it ends the connection. */
size_t apus__content_discard(apus_connection *connection, uint8_t *data, size_t len);

/* An answer has ended before its request has. False where the rest of the content is not worth waiting for. */
bool apus__content_abandon(apus_connection *connection);

/* The peer has sent its last byte. */
void apus__content_lose(apus_connection *connection);

/* What broke the content: noted and counted. */
void apus__content_fail(apus_connection *connection, int error);

/* The answer to a demand where no content is left. */
void apus__content_tell_end(apus_connection *connection);

/* Arms the timer for whatever a request under way waits for (exchange.c). */
void apus__exchange_set_timeout(apus_connection *connection);

/* What a request under way waits for did not come (exchange.c). */
void apus__exchange_time_out(apus_connection *connection);

/* The wait for content begins; false where the client is too slow to be waited for (exchange.c). */
bool apus__exchange_begin_wait(apus_connection *connection);

/* The wait for content is over: so many bytes of it came (exchange.c). */
void apus__exchange_end_wait(apus_connection *connection, size_t content_len);

/* Arms the timer for the next request (exchange.c). */
void apus__exchange_await_request(apus_connection *connection);

/* The first byte of a request after an answer has come (exchange.c). */
void apus__exchange_begin_head(apus_connection *connection);

/* Whether a peer that has sent its last byte may be reading the end of an answer (exchange.c). */
bool apus__exchange_may_still_read(const apus_connection *connection);

/* Goes on with requests and answers once something has been sent. Returns whether the connection is there still
 * (exchange.c). */
bool apus__exchange_sent(apus_connection *connection);

/* Tells the application of a client that is turned away (refusal.c). */
void apus__refusal_tell(apus_connection *connection, int error, apus_text detail);

/* Looks who is at the other end, once. APUS_OK, APUS_ENOMEM, or APUS_EPROXY where nobody but a proxy may connect. */
int apus__peer_place(apus_connection *connection);

/* Reads the header of the PROXY protocol. Returns its size, 0 for more, or APUS_EPROXY. */
ptrdiff_t apus__peer_read_header(apus_connection *connection, const uint8_t *data, size_t len);

/* Reads what proxies tell of a request; `out` is all zero but for an empty host where none is trusted. APUS_OK or
 * APUS_EFORWARDED. */
int apus__peer_read_fields(apus_connection *connection, const apus_head *head, apus_forwarded *out);

#endif
