/* Readiness is asked of the memory itself: while an end is ready for what its stream waits for, its uv_idle runs, which
 * libuv calls once a turn, without a descriptor. Whatever changes an end's readiness looks at it anew. */
#include "net/pipe.h"

#include <errno.h>
#include <string.h>

#include "apus/alloc.h"
#include "net/stream.h"

struct apus_pipe {
    apus_pipe *peer;     /* NULL once either end is closed */
    apus_stream *stream; /* NULL before it is attached, and once it is closed */
    void (*on_ready)(apus_stream *stream, int events);
    int watched;
    bool has_ended; /* nothing more will be sent to this end */
    size_t first;   /* of the bytes that wait here */
    size_t count;
    uint64_t sent; /* to the other end */
    uint8_t ring[APUS_PIPE_SIZE];
};

int apus__pipe_new(apus_pipe *ends[2])
{
    /* Not zeroed: what no byte has come to takes no memory. */
    apus_pipe *first = apus_malloc(sizeof *first);
    apus_pipe *second = apus_malloc(sizeof *second);
    if (first == NULL || second == NULL) {
        apus_free(first);
        apus_free(second);
        return APUS_ENOMEM;
    }
    ends[0] = first;
    ends[1] = second;
    for (int i = 0; i < 2; i++) {
        memset(ends[i], 0, offsetof(apus_pipe, ring));
        ends[i]->peer = ends[1 - i];
    }
    return APUS_OK;
}

void apus__pipe_free(apus_pipe *pipe)
{
    if (pipe == NULL)
        return;
    apus__pipe_close(pipe);
    apus_free(pipe);
}

static bool is_writable(const apus_pipe *pipe)
{
    return pipe->peer == NULL || pipe->peer->count < APUS_PIPE_SIZE; /* without a peer, sending tells so */
}

static int ready_events(const apus_pipe *pipe)
{
    int events = (pipe->count != 0 || pipe->has_ended ? UV_READABLE : 0) | (is_writable(pipe) ? UV_WRITABLE : 0);
    return events & pipe->watched;
}

static void on_idle(uv_idle_t *idle)
{
    apus_stream *stream = idle->data;
    apus_pipe *pipe = stream->pipe;
    pipe->on_ready(stream, ready_events(pipe));
}

/* Calls the stream in the turns to come, or lets it be. */
static void update(apus_pipe *pipe)
{
    if (pipe == NULL || pipe->stream == NULL)
        return;
    if (ready_events(pipe) != 0)
        uv_idle_start(&pipe->stream->idle, on_idle);
    else
        uv_idle_stop(&pipe->stream->idle);
}

void apus__pipe_attach(apus_pipe *pipe, apus_stream *stream, void (*on_ready)(apus_stream *stream, int events))
{
    pipe->stream = stream;
    pipe->on_ready = on_ready;
    uv_idle_init(&stream->loop->uv, &stream->idle);
    stream->idle.data = stream;
}

void apus__pipe_watch(apus_pipe *pipe, int events)
{
    pipe->watched = events;
    update(pipe);
}

/* Puts bytes behind those that wait, as many as there is room for. */
static size_t put(apus_pipe *pipe, const uint8_t *data, size_t len)
{
    size_t room = APUS_PIPE_SIZE - pipe->count;
    size_t taken = len < room ? len : room;
    size_t at = (pipe->first + pipe->count) % APUS_PIPE_SIZE;
    size_t before_end = APUS_PIPE_SIZE - at < taken ? APUS_PIPE_SIZE - at : taken;
    if (before_end != 0)
        memcpy(pipe->ring + at, data, before_end);
    if (taken != before_end)
        memcpy(pipe->ring, data + before_end, taken - before_end);
    pipe->count += taken;
    return taken;
}

ssize_t apus__pipe_send(apus_pipe *pipe, const struct iovec *pieces, int count)
{
    apus_pipe *peer = pipe->peer;
    if (peer == NULL) {
        errno = EPIPE;
        return -1;
    }
    size_t sent = 0;
    for (int i = 0; i < count; i++)
        sent += put(peer, pieces[i].iov_base, pieces[i].iov_len);
    pipe->sent += sent;
    update(peer);
    update(pipe);
    if (sent != 0)
        return (ssize_t)sent;
    errno = EAGAIN;
    return -1;
}

ssize_t apus__pipe_receive(apus_pipe *pipe, uint8_t *data, size_t size)
{
    if (pipe->count == 0) {
        errno = EAGAIN;
        return pipe->has_ended ? 0 : -1;
    }
    size_t taken = size < pipe->count ? size : pipe->count;
    size_t before_end = APUS_PIPE_SIZE - pipe->first < taken ? APUS_PIPE_SIZE - pipe->first : taken;
    memcpy(data, pipe->ring + pipe->first, before_end);
    memcpy(data + before_end, pipe->ring, taken - before_end);
    pipe->count -= taken;
    /* Small messages stay in the same few pages. */
    pipe->first = pipe->count == 0 ? 0 : (pipe->first + taken) % APUS_PIPE_SIZE;
    update(pipe);
    update(pipe->peer);
    return (ssize_t)taken;
}

size_t apus__pipe_unread(const apus_pipe *pipe)
{
    return pipe->peer == NULL ? 0 : pipe->peer->count;
}

uint64_t apus__pipe_taken(const apus_pipe *pipe)
{
    return pipe->sent - apus__pipe_unread(pipe);
}

static void end(apus_pipe *pipe)
{
    if (pipe == NULL)
        return;
    pipe->has_ended = true;
    update(pipe);
}

void apus__pipe_finish(apus_pipe *pipe)
{
    end(pipe->peer);
}

void apus__pipe_close(apus_pipe *pipe)
{
    apus_pipe *peer = pipe->peer;
    pipe->stream = NULL;
    pipe->peer = NULL;
    if (peer == NULL)
        return;
    peer->peer = NULL;
    end(peer);
}
