/* One side's protocol, either role, without I/O: bytes in, events out (RFC 6455 §5 to §7).
 *
 *     CONNECTING --open--> OPEN --close sent--> CLOSING --close received--> CLOSED
 *          |                 |                     |                          ^
 *          +-----------------+------- close received, failure, end -----------+
 */
#ifndef APUS_SESSION_H
#define APUS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "apus/close.h"
#include "apus/compression.h"
#include "apus/error.h"
#include "apus/frame.h"
#include "apus/macros.h"
#include "apus/mask.h"
#include "apus/message.h"
#include "apus/utf8.h"

APUS_ASSUME_NONNULL_BEGIN

/* Bytes of the longest control frame: header, masking key, payload. */
#define APUS_CONTROL_FRAME_SIZE (2 + 4 + APUS_CONTROL_PAYLOAD_SIZE)

typedef enum apus_state {
    APUS_STATE_CONNECTING,
    APUS_STATE_OPEN,
    APUS_STATE_CLOSING, /* a Close frame was sent; the peer's is awaited */
    APUS_STATE_CLOSED,
} apus_state;

/* What all sessions of one server or client share; outlives them. */
typedef struct apus_session_config {
    apus_role role;
    apus_message_limits limits;
    /* A fresh masking key (§5.3: from a strong source of entropy); called for a client's frames only. */
    apus_masking_key (*_Nullable make_key)(void *_Nullable context);
    void *_Nullable context;
} apus_session_config;

typedef struct apus_session {
    const apus_session_config *config;
    apus_message message;                    /* the message under way, if it is kept */
    uint8_t *_Nullable control;              /* payload of a control frame that a read cut; owned */
    apus_compression *_Nullable compression; /* NULL where permessage-deflate was not agreed on; owned */
    uint64_t remaining;                      /* payload bytes of the frame under way that have not come */
    apus_masking_key masking_key;            /* as the next of them needs it */
    uint8_t state;                           /* an apus_state */
    uint8_t phase;
    uint8_t opcode; /* of the frame under way */
    bool fin;
    bool is_delivered; /* `message`, or a part of it, was handed out and goes at the next call */
    bool gives_parts;  /* of the messages that begin from now on */
    uint8_t small_end; /* a small message with fewer payload bytes may go the short way; 0: none may now */
    uint8_t control_len;
    uint8_t header_len; /* header bytes that a read left over */
    uint8_t header[APUS_FRAME_HEADER_SIZE];
} apus_session;

typedef enum apus_event_kind {
    APUS_EVENT_NONE,      /* all bytes are taken; more are needed */
    APUS_EVENT_MESSAGE,   /* `opcode`, `data`, `len`: a whole message; a text is valid UTF-8 */
    APUS_EVENT_PART,      /* `opcode`, `data`, `len`: a part of a message as it came; more of the message follows */
    APUS_EVENT_LAST_PART, /* the same, and the message ends here; perhaps without further bytes */
    APUS_EVENT_PING,      /* `data`, `len`; `reply` is the Pong */
    APUS_EVENT_PONG,      /* `data`, `len` */
    APUS_EVENT_CLOSE,     /* `code`, `data`, `len`: the reason; `reply` completes the closing handshake, if it is due */
    APUS_EVENT_FAIL,      /* `error`; `reply` is the Close that tells the peer, where one may still be sent */
} apus_event_kind;

typedef struct apus_event {
    apus_event_kind kind;
    apus_opcode opcode;
    int error;
    uint16_t code;
    uint8_t reply_len;       /* 0: nothing to send */
    uint8_t *_Nullable data; /* in the caller's bytes or the session's, until the next call; may be NULL for 0 bytes */
    size_t len;
    uint8_t reply[APUS_CONTROL_FRAME_SIZE];
} apus_event;

/* Starts in APUS_STATE_CONNECTING; keeps `config`. */
void apus_session_init(apus_session *session, const apus_session_config *config);

/* Frees what the session keeps; in any state. */
void apus_session_deinit(apus_session *session);

/* permessage-deflate was agreed on; takes `compression`. Before apus_session_open. */
void apus_session_set_compression(apus_session *session, apus_compression *compression);

/* The opening handshake is done. */
void apus_session_open(apus_session *session);

/* The stream is gone, with or without a closing handshake. */
void apus_session_end(apus_session *session);

/* Takes in bytes from the peer up to the first event. They are unmasked where they stand.
 *
 * Returns how many were taken, at most `len`; `out` tells the event. Call again with the rest until the event is
 * APUS_EVENT_NONE. After APUS_EVENT_CLOSE and _FAIL the state is CLOSED and further bytes are taken without effect.
 * While CLOSING, messages are checked and dropped, and pings not answered (§5.5.1: nothing follows a Close). */
size_t apus_session_receive(apus_session *session, uint8_t *data, size_t len, apus_event *out);

/* The short way of apus_session_receive, to be tried before it where speed matters. It takes what nearly all frames to
 * a server are, a whole message of at most 125 bytes in one unfragmented frame, and unmasks it where it stands.
 *
 * Returns how many bytes were taken, and then the payload is the last `payload_len` of them; 0 where they are anything
 * else or not right: they are as they were, and for apus_session_receive. */
static inline size_t apus_session_take_small(const apus_session *session, uint8_t *data, size_t len,
                                             apus_opcode *opcode, size_t *payload_len)
{
    enum { HEADER_SIZE = 6 };
    if (APUS_UNLIKELY(len < HEADER_SIZE))
        return 0;
    size_t size = (size_t)data[1] - APUS_FRAME_MASK; /* without the bit: too large */
    if (APUS_UNLIKELY(size >= session->small_end || size > len - HEADER_SIZE))
        return 0;
    apus_masking_key key;
    memcpy(&key, data + 2, sizeof key);
    if (data[0] == (APUS_FRAME_FIN | APUS_OPCODE_BINARY)) {
        *opcode = APUS_OPCODE_BINARY;
        apus_mask(data + HEADER_SIZE, data + HEADER_SIZE, size, key);
    } else if (data[0] == (APUS_FRAME_FIN | APUS_OPCODE_TEXT)) {
        *opcode = APUS_OPCODE_TEXT;
        if (APUS_UNLIKELY(!apus_utf8_unmask_small(data + HEADER_SIZE, size, key)))
            return 0;
    } else {
        return 0;
    }
    *payload_len = size;
    return HEADER_SIZE + size;
}

/* Where the bytes that come next are going to be kept, if they are of a message that does not stand in one read, and
 * how many there is room for: the caller may read up to that many to there itself, and gives them, from there, to the
 * next apus_session_receive, which then has nothing to move. NULL where there is no such place. Any other call to do
 * with the session may take it away. */
uint8_t *_Nullable apus_session_find_place(const apus_session *session, size_t *size);

/* Frees the message just delivered, where the session owns it; the next apus_session_receive does so too. */
void apus_session_forget_message(apus_session *session);

/* Takes over the payload of the message just delivered, where the session owns it (it came in pieces); the caller
 * frees it with apus_free. NULL where it stands in the caller's own bytes. */
uint8_t *_Nullable apus_session_take_payload(apus_session *session);

/* From the next message on, gives out what does not stand whole in one read in parts, as it comes: however large a
 * message is, only a read's worth of it is kept. Text may be cut inside a character; it is valid as a whole. */
void apus_session_give_parts(apus_session *session);

/* Starts the closing handshake: writes the Close frame to send into `frame` and goes to CLOSING.
 *
 * Returns its size, APUS_EINVAL (see apus_close_encode), or APUS_ECLOSED where one was sent already or none may be. */
ptrdiff_t apus_session_close(apus_session *session, uint16_t code, const uint8_t *_Nullable reason, size_t reason_len,
                             uint8_t frame[APUS_CONTROL_FRAME_SIZE]);

/* Writes a Ping or Pong frame into `frame`. Returns its size, APUS_EINVAL for more than 125 bytes, or APUS_ECLOSED
 * where nothing may be sent any more. */
ptrdiff_t apus_session_control(apus_session *session, apus_opcode opcode, const uint8_t *_Nullable data, size_t len,
                               uint8_t frame[APUS_CONTROL_FRAME_SIZE]);

/* Whether data frames may be sent. */
static inline bool apus_session_is_open(const apus_session *session)
{
    return session->state == APUS_STATE_OPEN;
}

APUS_ASSUME_NONNULL_END

#endif
