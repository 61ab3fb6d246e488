/* The way out: pieces are gathered in the loop's cork and leave in one system call; what the transport does not take is
 * queued, and sent on once it has room (flush.c). */
#include "net/write.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/tcp.h"
#include "net/transfer.h"

void apus__stream_mark_dirty(apus_stream *stream)
{
    if (apus_queue_is_empty(&stream->dirty))
        apus_queue_append(&stream->loop->dirty, &stream->dirty);
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
    apus__outbox_clear(&stream->outbox);
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

size_t apus__stream_send(apus_stream *stream, struct iovec *pieces, int count)
{
    return send_pieces(stream, pieces, count);
}

/* Queues the first bytes, which follow a part of a frame that has left already, or may; APUS_OK, or APUS_ENOMEM, which
 * fails the stream. */
static int queue_first(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    int error = apus__outbox_copy(&stream->outbox, header, header_len, data, len);
    if (error != APUS_OK)
        apus__stream_fail(stream, error);
    else
        stream->outbox.has_begun = stream->outbox.bytes != 0;
    return error;
}

int apus__stream_queue_rest(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data,
                            size_t len)
{
    int error = queue_first(stream, header, header_len, data, len);
    if (error == APUS_OK)
        apus__stream_note_room(stream, true);
    return error;
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
    size_t sent = send_pieces(stream, &piece, 1);
    if (APUS_UNLIKELY(sent < len) && stream->error == 0)
        apus__stream_queue_rest(stream, NULL, 0, loop->cork + sent, len - sent);
}

/* Of a Unix socket, or where the system does not tell, a peer that has more taken from us has read before. */
uint64_t apus__stream_taken(const apus_stream *stream)
{
    uint64_t acknowledged;
    if (stream->pipe != NULL)
        return apus__pipe_taken(stream->pipe);
    return stream->fd >= 0 && apus__tcp_acknowledged(stream->fd, &acknowledged) ? acknowledged : stream->drained;
}

bool apus__stream_has_unsent(const apus_stream *stream)
{
    return stream->outbox.bytes != 0 || (stream->secure != NULL && apus__secure_has_pending(stream->secure));
}

bool apus__stream_is_outstanding(const apus_stream *stream)
{
    if (apus__stream_has_unsent(stream))
        return true;
    if (stream->pipe != NULL)
        return apus__pipe_unread(stream->pipe) != 0;
    return stream->fd >= 0 && apus__tcp_is_outstanding(stream->fd);
}

/* Whether small pieces of this stream go to the cork: nothing of it is queued, and nobody else has it. */
static bool may_cork(apus_stream *stream)
{
    if (stream->outbox.bytes != 0)
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
static inline int spill_cork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (APUS_LIKELY(!apus__stream_owns_cork(stream) || loop->cork_len == 0))
        return APUS_OK;
    size_t len = loop->cork_len;
    loop->cork_len = 0;
    return queue_first(stream, NULL, 0, loop->cork, len);
}

/* Too much for the cork: everything goes to the transport at once, and only the rest is copied. */
static int write_through(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    apus_loop *loop = stream->loop;
    size_t cork_len = loop->cork_len;
    struct iovec pieces[] = {
        {.iov_base = loop->cork, .iov_len = cork_len},
        {.iov_base = (void *)(uintptr_t)header, .iov_len = header_len},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = len},
    };
    loop->cork_len = 0;
    size_t sent = send_pieces(stream, pieces, 3);
    if (stream->error != 0 || sent == cork_len + header_len + len)
        return APUS_OK; /* an error is told to on_end */
    if (sent < cork_len) {
        int error = queue_first(stream, NULL, 0, loop->cork + sent, cork_len - sent);
        if (error == APUS_OK)
            error = apus__outbox_copy(&stream->outbox, header, header_len, data, len);
        if (error != APUS_OK)
            apus__stream_fail(stream, error);
        else
            apus__stream_note_room(stream, true);
        return error;
    }
    sent -= cork_len;
    size_t header_sent = sent < header_len ? sent : header_len;
    size_t data_sent = sent - header_sent;
    return apus__stream_queue_rest(stream, header + header_sent, header_len - header_sent, data + data_sent,
                                   len - data_sent);
}

size_t apus__stream_offer(apus_stream *stream, struct iovec *pieces, int count)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0 || stream->outbox.bytes != 0))
        return 0;
    if (apus__stream_owns_cork(stream) && stream->loop->cork_len != 0) {
        apus__stream_uncork(stream);
        if (stream->outbox.bytes != 0 || stream->error != 0)
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

/* What was queued is sent before the loop waits. A frame that is queued in part would garble all that follows. */
static inline int settle(apus_stream *stream, int error)
{
    if (APUS_UNLIKELY(error != APUS_OK))
        apus__stream_fail(stream, error);
    apus__stream_mark_dirty(stream);
    return error;
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
    return settle(stream, apus__outbox_copy(&stream->outbox, header, header_len, data, len));
}

int apus__stream_control(apus_stream *stream, const uint8_t *frame, size_t len, uint32_t flags)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0))
        return APUS_OK;
    if (may_cork(stream))
        return apus__stream_write(stream, frame, len, NULL, 0);
    int error = apus__outbox_control(&stream->outbox, frame, len, flags);
    return error == APUS_EFULL ? error : settle(stream, error);
}

int apus__stream_share(apus_stream *stream, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last)
{
    if (APUS_UNLIKELY(!stream->is_open || stream->error != 0))
        return APUS_OK;
    int error = spill_cork(stream);
    if (error == APUS_OK)
        error = apus__outbox_share(&stream->outbox, buffer, data, len, is_last);
    return settle(stream, error);
}

uint8_t *apus__stream_queue(apus_stream *stream, size_t len, bool is_held)
{
    if (!is_held && apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
    uint8_t *place = apus__outbox_claim(&stream->outbox, len, is_held);
    settle(stream, place == NULL ? APUS_ENOMEM : APUS_OK);
    return place;
}

int apus__stream_hold(apus_stream *stream, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last)
{
    return settle(stream, apus__outbox_hold(&stream->outbox, buffer, data, len, is_last));
}

int apus__stream_release(apus_stream *stream)
{
    if (stream->outbox.held == NULL)
        return APUS_OK;
    int error = spill_cork(stream);
    if (error == APUS_OK)
        error = apus__outbox_release(&stream->outbox);
    return settle(stream, error);
}

void apus__stream_finish(apus_stream *stream)
{
    stream->is_finishing = true;
    apus__stream_mark_dirty(stream);
}

void apus__stream_await_writability(apus_stream *stream)
{
    if (apus__secure_has_pending(stream->secure))
        apus__stream_note_room(stream, true);
}

void apus__stream_discard(apus_stream *stream)
{
    apus__stream_drop_cork(stream);
    apus__outbox_clear(&stream->outbox);
}
