/* Bytes both ways over a connected socket, or a pipe in memory, on a loop: read into the loop's buffer, or where the
 * owner keeps them, and written through the loop's cork. */
#ifndef APUS_STREAM_H
#define APUS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "apus/buffer.h"
#include "apus/error.h"
#include "apus/statistics.h"
#include "net/loop.h"
#include "net/outbox.h"
#include "net/pipe.h"
#include "net/secure.h"

/* Adds to a counter that other threads may read meanwhile. */
#define APUS_COUNT(counter, amount) __atomic_store_n(&(counter), (counter) + (uint64_t)(amount), __ATOMIC_RELAXED)

typedef struct apus_stream_callbacks {
    /* Where the next bytes are to be read to, and how many at most; NULL: to the loop's buffer. Asked only while
     * `has_place` is set. */
    uint8_t *(*find_place)(apus_stream *stream, size_t *size);
    /* Whether what has a place is not to be read on until apus__stream_resume_large, for memory is short. */
    bool (*holds_large)(apus_stream *stream);
    /* `len` bytes came; they may be changed, and are gone when the call returns. What is sent meanwhile leaves in one
     * system call afterwards. */
    void (*on_read)(apus_stream *stream, uint8_t *data, size_t len);
    /* No more will come: the peer's end (0) or a negative errno. Once; nothing follows. */
    void (*on_end)(apus_stream *stream, int error);
    /* TLS has failed with one of our errors, and the peer is told why. What comes is read and forgotten, up to on_end,
     * and nothing can be sent; the caller finishes or closes the stream. */
    void (*on_fail)(apus_stream *stream, int error);
    /* A part of what was queued has left, or all of it: more may be given. */
    void (*on_sent)(apus_stream *stream);
    /* The transport has become full, with something queued; on_sent follows when it has taken more. Nothing may be sent
     * from here. */
    void (*on_full)(apus_stream *stream);
    /* After apus__stream_close: the stream's memory may go. */
    void (*on_close)(apus_stream *stream);
} apus_stream_callbacks;

struct apus_stream {
    apus_loop *loop;
    const apus_stream_callbacks *callbacks;
    apus_statistics *statistics;
    apus_secure *secure; /* NULL: no TLS */
    apus_pipe *pipe;     /* NULL: a socket; else the stream's own */
    int fd;              /* -1 without a socket */
    int error;           /* of a write that failed; told to on_end in the next flush */
    bool is_open;
    bool is_plain; /* a socket, without TLS */
    bool is_reading;
    bool is_waiting_to_write;
    bool is_finishing; /* the sending direction ends once all is sent */
    bool is_finished;
    bool has_place;     /* changed by the owner */
    bool is_held;       /* not read although it is to be: see `holds_large` */
    bool is_full;       /* the transport took less than it was given last, and no room was reported since */
    uint32_t full_turn; /* the loop's turn in which it became full */
    uint32_t push_turn; /* in which it was pushed last while it was full */
    uint64_t drained;   /* bytes that were queued and that the transport has taken */
    apus_queue dirty;
    apus_outbox outbox;
    union {
        uv_poll_t poll;
        uv_idle_t idle; /* a pipe's: each turn of the loop in which it is ready */
    };
};

/* Takes over `fd`, a connected, non-blocking socket, and starts to read. APUS_OK, or a negative errno, and then the
 * descriptor is still the caller's. */
int apus__stream_open(apus_stream *stream, apus_loop *loop, int fd, const apus_stream_callbacks *callbacks,
                      apus_statistics *statistics);

/* The same for one end of a pipe, which it takes over. Both ends are to live on one loop. */
void apus__stream_open_pipe(apus_stream *stream, apus_loop *loop, apus_pipe *pipe,
                            const apus_stream_callbacks *callbacks, apus_statistics *statistics);

/* Makes an open stream speak TLS from here on: a client's with the host that the certificate must be for, a server's
 * with NULL. What is written before the handshake is done waits. APUS_OK, APUS_EINVAL or APUS_ENOMEM. */
int apus__stream_secure(apus_stream *stream, apus_tls_context *context, const char *host);

/* Whether the peer has not said that it was the end: what came may have been cut by somebody else. */
bool apus__stream_is_truncated(const apus_stream *stream);

/* Closes the transport at once and drops what was not sent; `on_close` follows in a later turn. */
void apus__stream_close(apus_stream *stream);

/* Reads on, or stops, so that TCP itself holds the peer back. */
void apus__stream_set_reading(apus_stream *stream, bool is_reading);

/* Whether it is read at present: neither stopped, nor held up. */
static inline bool apus__stream_is_read(const apus_stream *stream)
{
    return stream->is_reading && !stream->is_held;
}

/* Reads a large message on that was held up; harmless where none was. */
void apus__stream_resume_large(apus_stream *stream);

/* Where the next `len` bytes to send may be written in place: in the cork, if this stream has it and they fit; else
 * NULL, and apus__stream_write takes them. Nothing else may be sent before they are written. */
static inline uint8_t *apus__stream_claim(apus_stream *stream, size_t len)
{
    apus_loop *loop = stream->loop;
    if (APUS_UNLIKELY(loop->corked != stream || stream->outbox.bytes != 0 || len > APUS_CORK_SIZE - loop->cork_len))
        return NULL;
    uint8_t *place = loop->cork + loop->cork_len;
    loop->cork_len += len;
    if (place == NULL)
        __builtin_unreachable(); /* so that nobody asks again: a loop has a cork */
    return place;
}

/* The same, but takes the cork where nobody has it: for what is not sent from within an event of the stream. */
uint8_t *apus__stream_reserve(apus_stream *stream, size_t len);

/* Sends a header and the bytes behind it, in order with all before. Small pieces wait in the cork until the event
 * that made them is done; what the socket does not take at once is copied. APUS_OK or APUS_ENOMEM. */
int apus__stream_write(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len);

/* Offers pieces to the transport at once, behind what is corked, and keeps none of them. Returns how many of their
 * bytes have left: 0 also where something is queued, or the stream has failed. */
size_t apus__stream_offer(apus_stream *stream, struct iovec *pieces, int count);

/* Queues what is left of a frame whose beginning was offered and has left. APUS_OK, or APUS_ENOMEM, which fails the
 * stream. */
int apus__stream_queue_rest(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data,
                            size_t len);

/* Sends a control frame, before data that has not begun to leave; `flags` as for apus__outbox_control. APUS_OK,
 * APUS_EFULL where too many wait, or APUS_ENOMEM. */
int apus__stream_control(apus_stream *stream, const uint8_t *frame, size_t len, uint32_t flags);

/* Sends `len` bytes of a shared buffer, whole frames, without a copy; `is_last` as for apus__outbox_share. APUS_OK or
 * APUS_ENOMEM. */
int apus__stream_share(apus_stream *stream, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last);

/* The same for the whole of a small buffer, where nothing is in the way; else false, and apus__stream_share takes it.
 * The stream is open and has not failed. */
static inline bool apus__stream_share_now(apus_stream *stream, apus_buffer *buffer)
{
    apus_loop *loop = stream->loop;
    if (APUS_UNLIKELY(loop->corked == stream && loop->cork_len != 0))
        return false;
    if (APUS_UNLIKELY(!apus__outbox_share_now(&stream->outbox, buffer)))
        return false;
    if (apus_queue_is_empty(&stream->dirty))
        apus_queue_append(&loop->dirty, &stream->dirty);
    return true;
}

/* Queues one whole frame of `len` bytes, behind what is corked, that the caller writes where this points; or holds it
 * back (apus__outbox_claim). NULL when memory is out, and the stream has failed. */
uint8_t *apus__stream_queue(apus_stream *stream, size_t len, bool is_held);

/* Holds frames back, and sends what was held back (apus__outbox_hold). APUS_OK, or APUS_ENOMEM, which fails the stream.
 */
int apus__stream_hold(apus_stream *stream, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last);
int apus__stream_release(apus_stream *stream);

/* Gives the transport what is queued, up to `most` bytes, and calls nobody back; on_sent follows in the next flush.
 * Does nothing while the transport is full; but one that is stuck is tried once in a turn, for the poll that is being
 * handled may tell only later that it has room again. */
void apus__stream_push(apus_stream *stream, size_t most);

/* Whether the transport is full, and has been since before the loop polled last: the peer does not take what it is
 * sent. */
static inline bool apus__stream_is_stuck(const apus_stream *stream)
{
    return stream->is_full && stream->full_turn != stream->loop->turn_number;
}

/* The bytes of memory that wait for the peer. */
static inline size_t apus__stream_charge(const apus_stream *stream)
{
    return stream->outbox.charge + (stream->secure == NULL ? 0 : stream->secure->pending.capacity);
}

/* How many bytes the peer has acknowledged, or, where the system does not say, how many that were queued have left. */
uint64_t apus__stream_taken(const apus_stream *stream);

/* Whether something waits for the transport, the cork aside. */
bool apus__stream_has_unsent(const apus_stream *stream);

/* Whether the peer still has to acknowledge something, queued or sent. */
bool apus__stream_is_outstanding(const apus_stream *stream);

/* Gives up sending, as after a write that failed: what is queued goes, and on_end tells `error` in the next flush. */
void apus__stream_fail(apus_stream *stream, int error);

/* Ends the sending direction once all is sent (TCP's FIN). */
void apus__stream_finish(apus_stream *stream);

/* Where the next bytes, of TLS the next plaintext, are to be read to, and how many at most. */
uint8_t *apus__stream_find_place(apus_stream *stream, size_t *size);

/* For TLS (secure.c): sends pieces as they are, and returns how many bytes left, 0 also where the socket is full or the
 * stream failed; asks for writability while ciphertext is pending; sees to it that the stream is flushed; drops all
 * that waits. */
size_t apus__stream_transmit(apus_stream *stream, struct iovec *pieces, int count);
void apus__stream_await_writability(apus_stream *stream);
void apus__stream_mark_dirty(apus_stream *stream);
void apus__stream_discard(apus_stream *stream);

/* Flushes the streams that have something to send, one after the other, a slice of each at a time. What this turn has
 * no time for stays marked. */
void apus__stream_flush_dirty(apus_loop *loop);

#endif
