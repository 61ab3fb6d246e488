/* The inside of a connection, for the files of this folder. */
#ifndef APUS_SERVER_CONNECTION_H
#define APUS_SERVER_CONNECTION_H

#include "apus/connection.h"
#include "apus/queue.h"
#include "apus/session.h"
#include "net/stream.h"
#include "server/endpoint.h"
#include "server/request.h"

typedef struct apus_subscription apus_subscription;
typedef struct apus_opening apus_opening;
typedef struct apus_peer_close apus_peer_close;
typedef struct apus_watch apus_watch;

/* A connection's `small_end` where nothing stands in the way of small frames (RFC 6455 §5.2). */
#define APUS__SMALL_END (APUS_CONTROL_PAYLOAD_SIZE + 1)

/* HEAD --head--> REQUEST --accept--> OPEN --closed--> ENDING --> GONE
 *  ^                |                 ^                 ^
 *  +---keep-alive---+--------------last answer----------+        any --abort, end of stream--> GONE
 *                        OPENING -----+  (a client's) */
enum connection_phase {
    PHASE_HEAD,    /* a request head is awaited */
    PHASE_REQUEST, /* the application is to answer */
    PHASE_OPENING, /* a client's opening handshake (opening.c) */
    PHASE_OPEN,    /* WebSocket */
    PHASE_ENDING,  /* the last bytes are on their way; what comes is ignored until the peer ends too */
    PHASE_GONE,    /* the socket is closed */
};

/* A message that waits to be taken. */
typedef struct apus_waiting {
    struct apus_waiting *next;
    apus_opcode opcode;
    bool is_part;
    size_t len;
    uint8_t *data; /* own memory, or behind this struct */
    bool owns_data;
} apus_waiting;

/* Bytes of frames that were read and are not looked at while too many messages wait. */
typedef struct apus_rest {
    apus_bytes bytes;
    size_t start;    /* of what has not been looked at */
    bool is_resumed; /* somebody above us on the stack looks at it */
} apus_rest;

struct apus_connection {
    apus_stream stream;
    apus_endpoint *endpoint;
    void *context;
    uint64_t id;
    apus_session session;
    uint8_t *input; /* bytes of the present read that are not parsed yet */
    size_t input_len;
    apus_waiting *first_waiting;
    apus_waiting *last_waiting;
    apus_waiting *taken;       /* handed out; goes at the next call */
    const apus_incoming *left; /* the message left to a job that runs at present; NULL once it is taken */
    size_t waiting_bytes;
    apus_rest *rest;       /* NULL but while more than the limit waits */
    apus_request *request; /* NULL once open, and for a client's */
    apus_opening *opening; /* a client's way to be open; NULL once it is, and for a server's */
    apus_subscription *subscriptions;
    apus_peer_close *peer_close; /* NULL but while the answer to the peer's Close waits (closing.c) */
    apus_watch *watch;           /* NULL while nothing waits for the peer */
    uint64_t acknowledged;       /* bytes that the peer had acknowledged when somebody looked last */
    apus_timer timer;
    apus_queue node;  /* in the endpoint's list */
    uint32_t expires; /* when its time is over, in the wheel's ticks; 0: never */
    uint8_t phase;
    uint8_t small_end; /* a message with fewer bytes goes out in a small frame, without compression; a client: 0 */
    uint8_t demand;
    bool has_given; /* a message since the last demand */
    uint8_t pings_missed;
    bool is_active;      /* something came since the timer was armed */
    bool has_ended;      /* on_end was called */
    bool peer_has_ended; /* it has sent its last byte, and may still read */
    bool wants_drain;
    bool is_delivering;
    bool is_sending_parts;
    uint8_t small_end_between; /* `small_end` when no message is being sent in parts */
    bool application_pings;    /* since the last check */
    bool was_slow;             /* it is closed because its peer takes too little */
};

/* Compresses and inflates from now on as was agreed in the opening handshake, before the session is opened. APUS_OK or
 * APUS_ENOMEM. */
int apus__connection_set_compression(apus_connection *connection, const apus_deflate_parameters *parameters);

/* Takes over an accepted socket, or, for an opening, a connected one, and sets the opening's connection. APUS_OK,
 * APUS_ENOMEM or a negative errno; then `fd` is still the caller's. */
int apus__connection_open(apus_endpoint *endpoint, int fd, apus_opening *opening);

/* A connection that has no stream yet, and that the endpoint does not know: apus_session_deinit and apus_free end it.
 * NULL where memory is out. */
apus_connection *apus__connection_new(apus_endpoint *endpoint);

/* Gives such a connection an end of a pipe, which it takes over, and begins it: its opening handshake is done. */
void apus__connection_open_pipe(apus_connection *connection, apus_pipe *pipe);

/* The opening handshake is done. */
void apus__connection_begin(apus_connection *connection);

/* Tells the application, once, that the connection has ended. */
void apus__connection_tell_end(apus_connection *connection, const apus_ending *ending);

/* Sends what is left and the end of the stream, and waits for the peer's end. */
void apus__connection_finish(apus_connection *connection);

/* The closing handshake is done: a server ends the stream, a client waits for that (RFC 6455 §7.1.1). */
void apus__connection_end_handshake(apus_connection *connection);

/* Closes the socket at once; the application is told `error`, if it was not told an end before. */
void apus__connection_drop(apus_connection *connection, int error);

/* Arms the connection's timer for its phase, or disarms it (0). */
void apus__connection_set_timeout(apus_connection *connection, uint32_t delay);

/* Part of a graceful stop: ends the connection as its phase allows. */
void apus__connection_stop(apus_connection *connection);

/* Bytes of HTTP; while an answer is awaited they are kept (request.c). */
void apus__request_receive(apus_connection *connection, uint8_t *data, size_t len);

/* No head came for so long (exchange.c). */
void apus__request_time_out(apus_connection *connection);

/* A refusal of our own: status and words from the table of errors; then the connection ends
 * (refusal.c). */
void apus__request_refuse(apus_connection *connection, int error);

void apus__request_free(apus_request *request);

/* Bytes that answer a client's requests; the end of the stream instead; or neither in time (opening.c). */
void apus__opening_receive(apus_connection *connection, const uint8_t *data, size_t len);
void apus__opening_end(apus_connection *connection, int error);

/* Bytes of frames (receive.c). */
void apus__connection_receive(apus_connection *connection, uint8_t *data, size_t len);

/* Where the next bytes may be read to in place of the loop's buffer, for a large message (receive.c). */
uint8_t *apus__connection_find_place(apus_connection *connection, size_t *size);

/* Looks on at what was read and set aside, as far as there is room for messages; one that closes has no use for them.
 */
void apus__connection_resume_rest(apus_connection *connection);

/* Frees messages that nobody took. */
void apus__connection_forget_messages(apus_connection *connection);

/* Drops what has not begun to leave, for nothing may follow a Close; a peer that takes it at once gets it. */
void apus__connection_drop_waiting(apus_connection *connection);

/* Sends whole frames of so many messages, by the slow-consumer policy (send.c). */
void apus__connection_share(apus_connection *connection, apus_buffer *frames, size_t count);

/* Ends all subscriptions (topic.c). */
void apus__topic_unsubscribe_all(apus_connection *connection);

#endif
