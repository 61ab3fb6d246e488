/* What is queued is sent: at the end of a turn, and when the transport has room again. No stream keeps the loop from
 * the others, and none of them from looking at the network. */
#include "net/write.h"

#include <sys/socket.h>

#define PIECES_PER_CALL 64

/* What one stream may send before others have had their turn. */
#define SLICE_SIZE ((size_t)256 * 1024)

/* What a flush costs beside its bytes, in bytes that could be sent meanwhile. */
#define FLUSH_COST ((size_t)4096)

static void set_waiting_to_write(apus_stream *stream, bool is_waiting)
{
    if (stream->is_waiting_to_write == is_waiting)
        return;
    stream->is_waiting_to_write = is_waiting;
    apus__stream_watch(stream);
}

/* Whether to wait for the transport. Through TLS it is only waited for with ciphertext at hand: plaintext may be held
 * up by the handshake. */
static bool must_wait(const apus_stream *stream, bool is_blocked)
{
    return stream->secure == NULL ? is_blocked : apus__secure_has_pending(stream->secure);
}

void apus__stream_note_room(apus_stream *stream, bool is_blocked)
{
    if (APUS_LIKELY(!is_blocked && !stream->is_waiting_to_write && stream->secure == NULL))
        return; /* nor was it full */
    bool is_full = must_wait(stream, is_blocked);
    bool was_full = stream->is_full;
    stream->is_full = is_full;
    set_waiting_to_write(stream, is_full);
    if (!is_full || was_full)
        return;
    stream->full_turn = stream->loop->turn_number;
    stream->callbacks->on_full(stream);
}

static void finish_if_sent(apus_stream *stream)
{
    /* One that has failed has dropped what it should have sent: its end must not pass for a whole one. */
    if (!stream->is_finishing || stream->is_finished || stream->outbox.bytes != 0 || stream->error != 0)
        return;
    if (stream->secure != NULL && !apus__secure_finish(stream))
        return;
    stream->is_finished = true;
    if (stream->pipe != NULL)
        apus__pipe_finish(stream->pipe);
    else
        shutdown(stream->fd, SHUT_WR);
}

/* Describes the first pieces, up to `most` bytes; returns how many, and how many bytes they have. */
static inline int choose_pieces(apus_stream *stream, struct iovec *pieces, size_t most, size_t *offered)
{
    int count = apus__outbox_peek(&stream->outbox, pieces, PIECES_PER_CALL);
    *offered = 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len >= most - *offered) {
            pieces[i].iov_len = most - *offered;
            *offered = most;
            return i + 1;
        }
        *offered += pieces[i].iov_len;
    }
    return count;
}

/* Sends what is queued, up to `most` bytes, and says how many those were. False where the transport took less than it
 * was given. */
static inline __attribute__((always_inline)) bool send_queue(apus_stream *stream, size_t most, size_t *total)
{
    bool is_blocked = false;
    *total = 0;
    if (stream->secure != NULL)
        apus__secure_flush(stream);
    while (stream->outbox.bytes != 0 && stream->error == 0 && !is_blocked && *total < most) {
        struct iovec pieces[PIECES_PER_CALL];
        size_t offered;
        int count = choose_pieces(stream, pieces, most - *total, &offered);
        size_t sent = APUS_LIKELY(stream->is_plain) ? apus__stream_transmit(stream, pieces, count)
                                                    : apus__stream_send(stream, pieces, count);
        if (stream->error == 0)
            apus__outbox_advance(&stream->outbox, sent);
        stream->drained += sent;
        *total += sent;
        is_blocked = sent < offered;
    }
    return !is_blocked;
}

static void use_time(apus_loop *loop, size_t sent)
{
    size_t cost = sent + FLUSH_COST;
    loop->write_left -= cost < loop->write_left ? cost : loop->write_left;
}

/* Sends a slice of the queue, and of what on_sent adds to it. What is left then is sent in a later turn. */
static void flush(apus_stream *stream)
{
    size_t left = SLICE_SIZE;
    bool has_room;
    do {
        size_t sent;
        has_room = send_queue(stream, left, &sent);
        use_time(stream->loop, sent);
        left -= sent;
        if (stream->error != 0)
            return;
        bool is_cut = has_room && stream->outbox.bytes != 0;
        if (!is_cut)
            apus__stream_note_room(stream, !has_room);
        else
            stream->is_full = false; /* a stream that waits for room is told again that it has it */
        finish_if_sent(stream);
        stream->callbacks->on_sent(stream);
    } while (has_room && stream->outbox.bytes != 0 && left != 0);
    if (has_room && stream->outbox.bytes != 0 && !stream->is_waiting_to_write)
        apus__stream_mark_dirty(stream);
}

void apus__stream_continue(apus_stream *stream)
{
    if (stream->error != 0)
        return;
    if (stream->loop->write_left != 0)
        flush(stream);
    else
        stream->is_full = false; /* the next poll tells it again */
}

void apus__stream_push(apus_stream *stream, size_t most)
{
    uint32_t turn = stream->loop->turn_number;
    size_t sent;
    bool is_tried = stream->is_full && (!apus__stream_is_stuck(stream) || stream->push_turn == turn);
    if (!stream->is_open || stream->error != 0 || is_tried || stream->outbox.bytes == 0)
        return;
    if (stream->is_full)
        stream->push_turn = turn;
    bool has_room = send_queue(stream, most, &sent);
    if (stream->error == 0)
        apus__stream_note_room(stream, !has_room);
    if (sent >= SLICE_SIZE) /* so it had room after the poll */
        stream->full_turn = turn;
    apus__stream_mark_dirty(stream);
}

/* Sends what one stream has, and tells it of a write that failed. */
static void flush_one(apus_stream *stream)
{
    if (apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
    if (stream->error == 0 && !stream->is_waiting_to_write)
        flush(stream);
    if (stream->error != 0 && stream->is_open)
        stream->callbacks->on_end(stream, stream->error);
}

void apus__stream_flush_dirty(apus_loop *loop)
{
    apus_queue streams;
    apus_queue_move(&loop->dirty, &streams);
    for (apus_queue *node; loop->write_left != 0 && (node = apus_queue_take(&streams)) != NULL;)
        flush_one(APUS_QUEUE_MEMBER(node, apus_stream, dirty));
    if (apus_queue_is_empty(&streams))
        return;
    /* Those that have not had their turn come before those that go on. */
    for (apus_queue *node; (node = apus_queue_take(&loop->dirty)) != NULL;)
        apus_queue_append(&streams, node);
    apus_queue_move(&streams, &loop->dirty);
}
