/* The way out: pieces are gathered in the loop's cork and leave in one system call; what the transport does not take is
 * queued, and sent on once it has room. */
#include "net/write.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/transfer.h"

#define PIECES_PER_CALL 64

void apus__stream_mark_dirty(apus_stream *stream)
{
    if (apus_queue_is_empty(&stream->dirty))
        apus_queue_append(&stream->loop->dirty, &stream->dirty);
}

static void set_waiting_to_write(apus_stream *stream, bool is_waiting)
{
    if (stream->is_waiting_to_write == is_waiting)
        return;
    stream->is_waiting_to_write = is_waiting;
    apus__stream_watch(stream);
}

void apus__stream_drop_cork(apus_stream *stream)
{
    if (!apus__stream_owns_cork(stream))
        return;
    stream->loop->corked = NULL;
    stream->loop->cork_len = 0;
}

/* The handler may stand above us on the stack, so it learns of it when the loop flushes. */
void apus__stream_fail(apus_stream *stream, int error)
{
    stream->error = error;
    apus__stream_drop_cork(stream);
    apus__outbound_clear(&stream->outbound);
    apus__stream_mark_dirty(stream);
}

/* What a transport that was offered pieces says: how many bytes left, or a negative number and errno. Returns how many
 * left, 0 also where there is no room or the stream failed. */
static inline size_t note_sent(apus_stream *stream, ssize_t sent)
{
    if (APUS_LIKELY(sent >= 0)) {
        APUS_COUNT(stream->statistics->bytes_sent, sent);
        return (size_t)sent;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        apus__stream_fail(stream, -errno);
    return 0;
}

size_t apus__stream_transmit(apus_stream *stream, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = count == 1 ? apus__transfer_send_one(stream->fd, pieces->iov_base, pieces->iov_len)
                          : apus__transfer_send(stream->fd, &message);
    while (sent < 0 && errno == EINTR);
    return note_sent(stream, sent);
}

static APUS_NOINLINE size_t send_otherwise(apus_stream *stream, struct iovec *pieces, int count)
{
    if (stream->pipe != NULL)
        return note_sent(stream, apus__pipe_send(stream->pipe, pieces, count));
    return apus__secure_send(stream, pieces, count);
}

/* Sends pieces at once, through TLS or a pipe where there is one. Returns as apus__stream_transmit. */
static inline size_t send_pieces(apus_stream *stream, struct iovec *pieces, int count)
{
    if (APUS_UNLIKELY(!stream->is_plain))
        return send_otherwise(stream, pieces, count);
    return apus__stream_transmit(stream, pieces, count);
}

/* Whether to wait for the socket. Through TLS it is only waited for with ciphertext at hand: plaintext may be held up
 * by the handshake. */
static bool must_wait(const apus_stream *stream, bool is_blocked)
{
    return stream->secure == NULL ? is_blocked : apus__secure_has_pending(stream->secure);
}

/* Queues what is left of pieces of which `sent` bytes have left. */
static int queue_rest(apus_stream *stream, const struct iovec *pieces, int count, size_t sent)
{
    for (int i = 0; i < count; i++) {
        size_t gone = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
        sent -= gone;
        int error = apus__outbound_copy(&stream->outbound, (const uint8_t *)pieces[i].iov_base + gone,
                                        pieces[i].iov_len - gone);
        if (error != APUS_OK) {
            apus__stream_fail(stream, error);
            return error;
        }
    }
    set_waiting_to_write(stream, must_wait(stream, stream->outbound.bytes != 0));
    return APUS_OK;
}

static void finish_if_sent(apus_stream *stream)
{
    if (!stream->is_finishing || stream->is_finished || stream->outbound.bytes != 0)
        return;
    if (stream->secure != NULL && !apus__secure_finish(stream))
        return;
    stream->is_finished = true;
    if (stream->pipe != NULL)
        apus__pipe_finish(stream->pipe);
    else
        shutdown(stream->fd, SHUT_WR);
}

/* Sends as much of the queue as the socket takes; false where it was full before the end. */
static bool send_queue(apus_stream *stream)
{
    bool is_blocked = false;
    if (stream->secure != NULL)
        apus__secure_flush(stream);
    while (stream->outbound.bytes != 0 && stream->error == 0 && !is_blocked) {
        struct iovec pieces[PIECES_PER_CALL];
        int count = apus__outbound_peek(&stream->outbound, pieces, PIECES_PER_CALL);
        size_t offered = 0;
        for (int i = 0; i < count; i++)
            offered += pieces[i].iov_len;
        size_t sent = send_pieces(stream, pieces, count);
        if (stream->error == 0)
            apus__outbound_advance(&stream->outbound, sent);
        is_blocked = sent < offered;
    }
    return !is_blocked;
}

void apus__stream_flush(apus_stream *stream)
{
    bool is_all_sent;
    do {
        is_all_sent = send_queue(stream);
        if (stream->error != 0)
            return;
        set_waiting_to_write(stream, must_wait(stream, !is_all_sent));
        finish_if_sent(stream);
        stream->callbacks->on_sent(stream);
    } while (is_all_sent && stream->outbound.bytes != 0);
}

void apus__stream_uncork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    size_t len = loop->cork_len;
    loop->corked = NULL;
    loop->cork_len = 0;
    if (len == 0 || stream->error != 0)
        return;
    struct iovec piece = {.iov_base = loop->cork, .iov_len = len};
    size_t sent = stream->outbound.bytes == 0 ? send_pieces(stream, &piece, 1) : 0;
    if (APUS_UNLIKELY(sent < len) && stream->error == 0)
        queue_rest(stream, &piece, 1, sent);
}

/* Whether small pieces of this stream go to the cork: nothing of it is queued, and nobody else has it. */
static bool may_cork(apus_stream *stream)
{
    if (stream->outbound.bytes != 0)
        return false;
    if (apus__stream_owns_cork(stream))
        return true;
    if (stream->loop->corked != NULL)
        return false;
    stream->loop->corked = stream;
    apus__stream_mark_dirty(stream);
    return true;
}

/* Moves the cork's bytes of this stream to its queue, because something that is queued must follow them. */
static int spill_cork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (!apus__stream_owns_cork(stream) || loop->cork_len == 0)
        return APUS_OK;
    size_t len = loop->cork_len;
    loop->cork_len = 0;
    return apus__outbound_copy(&stream->outbound, loop->cork, len);
}

/* Too much for the cork: everything goes to the socket at once, and only the rest is copied. */
static int write_through(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    apus_loop *loop = stream->loop;
    struct iovec pieces[] = {
        {.iov_base = loop->cork, .iov_len = loop->cork_len},
        {.iov_base = (void *)(uintptr_t)header, .iov_len = header_len},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = len},
    };
    loop->cork_len = 0;
    size_t sent = send_pieces(stream, pieces, 3);
    if (stream->error != 0)
        return APUS_OK; /* told to on_end */
    return queue_rest(stream, pieces, 3, sent);
}

size_t apus__stream_offer(apus_stream *stream, struct iovec *pieces, int count)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0 || stream->outbound.bytes != 0))
        return 0;
    if (apus__stream_owns_cork(stream) && stream->loop->cork_len != 0) {
        apus__stream_uncork(stream);
        if (stream->outbound.bytes != 0 || stream->error != 0)
            return 0;
    }
    return send_pieces(stream, pieces, count);
}

uint8_t *apus__stream_reserve(apus_stream *stream, size_t len)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0) || !may_cork(stream))
        return NULL;
    return apus__stream_claim(stream, len);
}

int apus__stream_write(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0))
        return APUS_OK;
    if (may_cork(stream)) {
        uint8_t *place = apus__stream_claim(stream, header_len + len);
        if (place == NULL)
            return write_through(stream, header, header_len, data, len);
        memcpy(place, header, header_len);
        if (len != 0)
            memcpy(place + header_len, data, len);
        return APUS_OK;
    }
    apus__stream_mark_dirty(stream);
    int error = apus__outbound_copy(&stream->outbound, header, header_len);
    if (error == APUS_OK)
        error = apus__outbound_copy(&stream->outbound, data, len);
    if (error != APUS_OK)
        apus__stream_fail(stream, error); /* a part of a frame may be queued */
    return error;
}

int apus__stream_share(apus_stream *stream, apus_buffer *buffer)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0))
        return APUS_OK;
    int error = spill_cork(stream);
    if (error == APUS_OK)
        error = apus__outbound_share(&stream->outbound, buffer);
    if (error != APUS_OK) {
        apus__stream_fail(stream, error);
        return error;
    }
    apus__stream_mark_dirty(stream);
    return APUS_OK;
}

int apus__stream_take(apus_stream *stream, apus_outbound *from, size_t len)
{
    int error = spill_cork(stream);
    if (error == APUS_OK)
        error = apus__outbound_move(from, &stream->outbound, len);
    if (error != APUS_OK)
        apus__stream_fail(stream, error);
    else
        apus__stream_mark_dirty(stream);
    return error;
}

void apus__stream_finish(apus_stream *stream)
{
    stream->is_finishing = true;
    apus__stream_mark_dirty(stream);
}

/* Sends what one stream has, and tells it of a write that failed. */
static void flush_one(apus_stream *stream)
{
    if (apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
    if (stream->error == 0 && !stream->is_waiting_to_write)
        apus__stream_flush(stream);
    if (stream->error != 0 && stream->is_open)
        stream->callbacks->on_end(stream, stream->error);
}

void apus__stream_flush_dirty(apus_loop *loop)
{
    apus_queue streams;
    apus_queue_move(&loop->dirty, &streams);
    for (apus_queue *node; (node = apus_queue_take(&streams)) != NULL;)
        flush_one(APUS_QUEUE_MEMBER(node, apus_stream, dirty));
}

void apus__stream_await_writability(apus_stream *stream)
{
    if (apus__secure_has_pending(stream->secure))
        set_waiting_to_write(stream, true);
}

void apus__stream_discard(apus_stream *stream)
{
    apus__stream_drop_cork(stream);
    apus__outbound_clear(&stream->outbound);
}
