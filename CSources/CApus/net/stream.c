/* The socket is watched by uv_poll and read and written here: one recv and one send for each readable event, however
 * many messages it brings. The socket is asked for writability only after it took less than it was given. */
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/transfer.h"

#define PIECES_PER_CALL 64

static void on_poll(uv_poll_t *poll, int status, int events);

/* Tells uv_poll what to wait for. It fails only for a descriptor that epoll does not know, which a socket is not. */
static void watch(apus_stream *stream)
{
    int events = (stream->is_reading ? UV_READABLE : 0) | (stream->is_waiting_to_write ? UV_WRITABLE : 0);
    if (events == 0)
        uv_poll_stop(&stream->poll);
    else
        uv_poll_start(&stream->poll, events, on_poll);
}

static void mark_dirty(apus_stream *stream)
{
    if (apus_queue_is_empty(&stream->dirty))
        apus_queue_append(&stream->loop->dirty, &stream->dirty);
}

static void set_waiting_to_write(apus_stream *stream, bool is_waiting)
{
    if (stream->is_waiting_to_write == is_waiting)
        return;
    stream->is_waiting_to_write = is_waiting;
    watch(stream);
}

static bool owns_cork(const apus_stream *stream)
{
    return stream->loop->corked == stream;
}

static void drop_cork(apus_stream *stream)
{
    if (!owns_cork(stream))
        return;
    stream->loop->corked = NULL;
    stream->loop->cork_len = 0;
}

/* The handler may stand above us on the stack, so it learns of it when the loop flushes. */
void apus__stream_fail(apus_stream *stream, int error)
{
    stream->error = error;
    drop_cork(stream);
    apus__outbound_clear(&stream->outbound);
    mark_dirty(stream);
}

/* Sends pieces at once. Returns how many bytes left, 0 also where the socket is full or the stream failed. */
static size_t transmit(apus_stream *stream, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = apus__transfer_send(stream->fd, &message);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        APUS_COUNT(stream->statistics->bytes_sent, sent);
        return (size_t)sent;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        apus__stream_fail(stream, -errno);
    return 0;
}

/* The same, through TLS where there is any. */
static size_t send_pieces(apus_stream *stream, struct iovec *pieces, int count)
{
    if (APUS_UNLIKELY(stream->secure != NULL))
        return apus__secure_send(stream, pieces, count);
    return transmit(stream, pieces, count);
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

/* Sends the queue, and what on_sent adds to it, until the socket is full. */
static void flush(apus_stream *stream)
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

/* Empties the cork: to the socket, or behind what is queued already. */
static void uncork(apus_stream *stream)
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

static void cork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (APUS_UNLIKELY(loop->corked != NULL && loop->corked != stream))
        uncork(loop->corked);
    loop->corked = stream;
}

/* Whether small pieces of this stream go to the cork: nothing of it is queued, and nobody else has it. */
static bool may_cork(apus_stream *stream)
{
    if (stream->outbound.bytes != 0)
        return false;
    if (owns_cork(stream))
        return true;
    if (stream->loop->corked != NULL)
        return false;
    stream->loop->corked = stream;
    mark_dirty(stream);
    return true;
}

/* Moves the cork's bytes of this stream to its queue, because something that is queued must follow them. */
static int spill_cork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (!owns_cork(stream) || loop->cork_len == 0)
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

uint8_t *apus__stream_reserve(apus_stream *stream, size_t len)
{
    if (APUS_UNLIKELY(stream->fd < 0 || stream->error != 0) || !may_cork(stream))
        return NULL;
    return apus__stream_claim(stream, len);
}

int apus__stream_write(apus_stream *stream, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    if (APUS_UNLIKELY(stream->fd < 0 || stream->error != 0))
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
    mark_dirty(stream);
    int error = apus__outbound_copy(&stream->outbound, header, header_len);
    if (error == APUS_OK)
        error = apus__outbound_copy(&stream->outbound, data, len);
    if (error != APUS_OK)
        apus__stream_fail(stream, error); /* a part of a frame may be queued */
    return error;
}

int apus__stream_share(apus_stream *stream, apus_buffer *buffer)
{
    if (APUS_UNLIKELY(stream->fd < 0 || stream->error != 0))
        return APUS_OK;
    int error = spill_cork(stream);
    if (error == APUS_OK)
        error = apus__outbound_share(&stream->outbound, buffer);
    if (error != APUS_OK) {
        apus__stream_fail(stream, error);
        return error;
    }
    mark_dirty(stream);
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
        mark_dirty(stream);
    return error;
}

void apus__stream_finish(apus_stream *stream)
{
    stream->is_finishing = true;
    mark_dirty(stream);
}

/* Sends what one stream has, and tells it of a write that failed. */
static void flush_one(apus_stream *stream)
{
    if (owns_cork(stream))
        uncork(stream);
    if (stream->error == 0 && !stream->is_waiting_to_write)
        flush(stream);
    if (stream->error != 0 && stream->fd >= 0)
        stream->callbacks->on_end(stream, stream->error);
}

void apus__stream_flush_dirty(apus_loop *loop)
{
    apus_queue streams;
    apus_queue_move(&loop->dirty, &streams);
    for (apus_queue *node; (node = apus_queue_take(&streams)) != NULL;)
        flush_one(APUS_QUEUE_MEMBER(node, apus_stream, dirty));
}

/* One recv. Returns how many bytes came; 0 where none did, and the end, if it was that, has been told. */
static inline size_t receive(apus_stream *stream, uint8_t *buffer)
{
    ssize_t count;
    do
        count = apus__transfer_receive(stream->fd, buffer, APUS_READ_BUFFER_SIZE);
    while (count < 0 && errno == EINTR);
    if (APUS_UNLIKELY(count <= 0)) {
        if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            stream->callbacks->on_end(stream, count == 0 ? 0 : -errno);
        return 0;
    }
    APUS_COUNT(stream->statistics->bytes_received, count);
    return (size_t)count;
}

static APUS_NOINLINE void read_secure(apus_stream *stream)
{
    size_t count = receive(stream, stream->loop->secure->received);
    if (count == 0)
        return;
    cork(stream);
    apus__secure_receive(stream, count);
    if (owns_cork(stream))
        uncork(stream);
    /* Only now, since what came just before may have been answered. One who is finishing waits for the socket's end:
     * ours has still to be told. */
    if (stream->fd >= 0 && apus_tls_has_ended(stream->secure->tls) && !stream->is_finishing)
        stream->callbacks->on_end(stream, 0);
}

static void read_once(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (APUS_UNLIKELY(stream->secure != NULL)) {
        read_secure(stream);
        return;
    }
    size_t count = receive(stream, loop->read_buffer);
    if (APUS_UNLIKELY(count == 0))
        return;
    cork(stream);
    stream->callbacks->on_read(stream, loop->read_buffer, count);
    if (owns_cork(stream))
        uncork(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    apus_stream *stream = poll->data;
    if (events & UV_WRITABLE)
        flush(stream);
    /* An error of the socket (status < 0) is told by reading it. */
    if (stream->fd >= 0 && ((events & UV_READABLE) != 0 || status < 0))
        read_once(stream);
    /* uv_poll has stopped watching: a stream that even now reads without an error would hang. */
    if (status < 0 && stream->fd >= 0)
        stream->callbacks->on_end(stream, -EIO);
}

int apus__stream_open(apus_stream *stream, apus_loop *loop, int fd, const apus_stream_callbacks *callbacks,
                      apus_statistics *statistics)
{
    stream->loop = loop;
    stream->callbacks = callbacks;
    stream->statistics = statistics;
    stream->secure = NULL;
    stream->fd = fd;
    stream->error = 0;
    stream->is_reading = true;
    stream->is_waiting_to_write = false;
    stream->is_finishing = false;
    stream->is_finished = false;
    apus_queue_init(&stream->dirty);
    apus__outbound_init(&stream->outbound);
    int error = uv_poll_init(&loop->uv, &stream->poll, fd);
    if (error != 0)
        return error;
    stream->poll.data = stream;
    watch(stream);
    return APUS_OK;
}

int apus__stream_secure(apus_stream *stream, apus_tls_context *context, const char *host)
{
    return apus__secure_start(stream, context, host);
}

bool apus__stream_is_truncated(const apus_stream *stream)
{
    return stream->secure != NULL && !apus_tls_has_ended(stream->secure->tls);
}

size_t apus__stream_transmit(apus_stream *stream, struct iovec *pieces, int count)
{
    return transmit(stream, pieces, count);
}

void apus__stream_await_writability(apus_stream *stream)
{
    if (apus__secure_has_pending(stream->secure))
        set_waiting_to_write(stream, true);
}

void apus__stream_mark_dirty(apus_stream *stream)
{
    mark_dirty(stream);
}

void apus__stream_discard(apus_stream *stream)
{
    drop_cork(stream);
    apus__outbound_clear(&stream->outbound);
}

static void on_handle_close(uv_handle_t *handle)
{
    apus_stream *stream = handle->data;
    stream->callbacks->on_close(stream);
}

void apus__stream_close(apus_stream *stream)
{
    if (stream->fd < 0)
        return;
    drop_cork(stream);
    apus_queue_remove(&stream->dirty);
    apus__outbound_clear(&stream->outbound);
    apus__secure_free(stream->secure);
    stream->secure = NULL;
    uv_close((uv_handle_t *)&stream->poll, on_handle_close);
    close(stream->fd);
    stream->fd = -1;
}

void apus__stream_set_reading(apus_stream *stream, bool is_reading)
{
    if (stream->is_reading == is_reading || stream->fd < 0)
        return;
    stream->is_reading = is_reading;
    watch(stream);
}
