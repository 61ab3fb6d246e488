/* The way in, and a stream's beginning and end. The socket is watched by uv_poll and read here: one recv and one send
 * for each readable event, however many messages it brings. The socket is asked for writability only after it took less
 * than it was given. */
#include "net/stream.h"

#include <errno.h>
#include <unistd.h>

#include "net/transfer.h"
#include "net/write.h"

static void on_poll(uv_poll_t *poll, int status, int events);

/* It fails only for a descriptor that epoll does not know, which a socket is not. */
void apus__stream_watch(apus_stream *stream)
{
    int events = (apus__stream_is_read(stream) ? UV_READABLE : 0) | (stream->is_waiting_to_write ? UV_WRITABLE : 0);
    if (stream->pipe != NULL)
        apus__pipe_watch(stream->pipe, events);
    else if (events == 0)
        uv_poll_stop(&stream->poll);
    else
        uv_poll_start(&stream->poll, events, on_poll);
}

/* What a transport that was asked for bytes says: how many came, 0 at the end, or a negative number and errno. Returns
 * how many came; 0 where none did, and the end, if it was that, has been told. */
static inline size_t note_received(apus_stream *stream, ssize_t count)
{
    if (APUS_UNLIKELY(count <= 0)) {
        if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            stream->callbacks->on_end(stream, count == 0 ? 0 : -errno);
        return 0;
    }
    APUS_COUNT(stream->statistics->bytes_received, count);
    return (size_t)count;
}

/* One recv. */
static inline size_t receive(apus_stream *stream, uint8_t *place, size_t size)
{
    ssize_t count;
    do
        count = apus__transfer_receive(stream->fd, place, size);
    while (count < 0 && errno == EINTR);
    return note_received(stream, count);
}

uint8_t *apus__stream_find_place(apus_stream *stream, size_t *size)
{
    uint8_t *place = stream->has_place ? stream->callbacks->find_place(stream, size) : NULL;
    if (place == NULL) {
        *size = APUS_READ_BUFFER_SIZE;
        place = stream->loop->read_buffer;
    }
    return place;
}

static APUS_NOINLINE void read_secure(apus_stream *stream)
{
    size_t count = receive(stream, stream->loop->secure->received, APUS_READ_BUFFER_SIZE);
    if (count == 0)
        return;
    apus__stream_cork(stream);
    apus__secure_receive(stream, count);
    if (apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
    /* Only now, since what came just before may have been answered. One who is finishing waits for the socket's end:
     * ours has still to be told. */
    if (stream->is_open && apus_tls_has_ended(stream->secure->tls) && !stream->is_finishing)
        stream->callbacks->on_end(stream, 0);
}

static inline void deliver(apus_stream *stream, uint8_t *data, size_t count)
{
    if (APUS_UNLIKELY(count == 0))
        return;
    apus__stream_cork(stream);
    stream->callbacks->on_read(stream, data, count);
    if (apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
}

static APUS_NOINLINE void read_pipe(apus_stream *stream)
{
    size_t size;
    uint8_t *place = apus__stream_find_place(stream, &size);
    deliver(stream, place, note_received(stream, apus__pipe_receive(stream->pipe, place, size)));
}

/* A large message, which is read to where it is kept. */
static APUS_NOINLINE void read_large(apus_stream *stream)
{
    size_t size;
    uint8_t *place = apus__stream_find_place(stream, &size);
    deliver(stream, place, receive(stream, place, size));
}

static inline void read_plain(apus_stream *stream)
{
    uint8_t *place = stream->loop->read_buffer;
    deliver(stream, place, receive(stream, place, APUS_READ_BUFFER_SIZE));
}

static void hold_large(apus_stream *stream)
{
    stream->is_held = true;
    apus__stream_watch(stream);
}

void apus__stream_resume_large(apus_stream *stream)
{
    if (!stream->is_held)
        return;
    stream->is_held = false;
    if (stream->is_open)
        apus__stream_watch(stream);
}

static void read_once(apus_stream *stream)
{
    if (APUS_LIKELY(stream->is_plain && !stream->has_place))
        read_plain(stream);
    else if (stream->has_place && stream->callbacks->holds_large(stream))
        hold_large(stream);
    else if (stream->is_plain)
        read_large(stream);
    else if (stream->pipe != NULL)
        read_pipe(stream);
    else
        read_secure(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    apus_stream *stream = poll->data;
    if (events & UV_WRITABLE)
        apus__stream_continue(stream);
    /* An error of the socket (status < 0) is told by reading it. */
    if (stream->is_open && ((events & UV_READABLE) != 0 || status < 0))
        read_once(stream);
    /* uv_poll has stopped watching: a stream that even now reads without an error would hang. */
    if (status < 0 && stream->is_open)
        stream->callbacks->on_end(stream, -EIO);
}

static void on_pipe(apus_stream *stream, int events)
{
    if (events & UV_WRITABLE)
        apus__stream_continue(stream);
    if (stream->is_open && (events & UV_READABLE) != 0)
        read_once(stream);
}

static void init(apus_stream *stream, apus_loop *loop, const apus_stream_callbacks *callbacks,
                 apus_statistics *statistics)
{
    stream->loop = loop;
    stream->callbacks = callbacks;
    stream->statistics = statistics;
    stream->secure = NULL;
    stream->pipe = NULL;
    stream->fd = -1;
    stream->error = 0;
    stream->is_open = true;
    stream->is_plain = true;
    stream->is_reading = true;
    stream->is_waiting_to_write = false;
    stream->is_finishing = false;
    stream->is_finished = false;
    stream->has_place = false;
    stream->is_held = false;
    stream->is_full = false;
    stream->full_turn = 0;
    stream->push_turn = 0;
    stream->drained = 0;
    apus_queue_init(&stream->dirty);
    apus__outbox_init(&stream->outbox);
}

int apus__stream_open(apus_stream *stream, apus_loop *loop, int fd, const apus_stream_callbacks *callbacks,
                      apus_statistics *statistics)
{
    init(stream, loop, callbacks, statistics);
    stream->fd = fd;
    int error = uv_poll_init(&loop->uv, &stream->poll, fd);
    if (error != 0)
        return error;
    stream->poll.data = stream;
    apus__stream_watch(stream);
    return APUS_OK;
}

void apus__stream_open_pipe(apus_stream *stream, apus_loop *loop, apus_pipe *pipe,
                            const apus_stream_callbacks *callbacks, apus_statistics *statistics)
{
    init(stream, loop, callbacks, statistics);
    stream->is_plain = false;
    stream->pipe = pipe;
    apus__pipe_attach(pipe, stream, on_pipe);
    apus__stream_watch(stream);
}

int apus__stream_secure(apus_stream *stream, apus_tls_context *context, const char *host)
{
    int error = apus__secure_start(stream, context, host);
    if (error == APUS_OK)
        stream->is_plain = false;
    return error;
}

bool apus__stream_is_truncated(const apus_stream *stream)
{
    return stream->secure != NULL && !apus_tls_has_ended(stream->secure->tls);
}

static void on_handle_close(uv_handle_t *handle)
{
    apus_stream *stream = handle->data;
    apus__pipe_free(stream->pipe);
    stream->callbacks->on_close(stream);
}

void apus__stream_close(apus_stream *stream)
{
    if (!stream->is_open)
        return;
    apus__stream_drop_cork(stream);
    apus_queue_remove(&stream->dirty);
    apus__outbox_clear(&stream->outbox);
    apus__secure_free(stream->secure);
    stream->secure = NULL;
    stream->is_open = false;
    if (stream->pipe != NULL) {
        apus__pipe_close(stream->pipe);
        uv_close((uv_handle_t *)&stream->idle, on_handle_close);
        return;
    }
    uv_close((uv_handle_t *)&stream->poll, on_handle_close);
    close(stream->fd);
    stream->fd = -1;
}

void apus__stream_set_reading(apus_stream *stream, bool is_reading)
{
    if (stream->is_reading == is_reading || !stream->is_open)
        return;
    stream->is_reading = is_reading;
    apus__stream_watch(stream);
}
