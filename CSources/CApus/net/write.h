/* Between the parts of a stream: stream.c, which opens, watches and reads, write.c and flush.c. */
#ifndef APUS_WRITE_H
#define APUS_WRITE_H

#include "net/stream.h"

static inline bool apus__stream_owns_cork(const apus_stream *stream)
{
    return stream->loop->corked == stream;
}

/* Empties the cork: to the transport, or behind what is queued already. */
void apus__stream_uncork(apus_stream *stream);

/* Gives the cork to this stream; but not to one that has failed, where what is sent would be taken, and lost. */
static inline void apus__stream_cork(apus_stream *stream)
{
    apus_loop *loop = stream->loop;
    if (APUS_UNLIKELY(loop->corked != NULL && loop->corked != stream))
        apus__stream_uncork(loop->corked);
    loop->corked = stream->error == 0 ? stream : NULL;
}

/* Takes the cork from the stream, if it has it, with what stands in it. */
void apus__stream_drop_cork(apus_stream *stream);

/* The transport has room again: sends on, as far as the loop has time for it in this turn. */
void apus__stream_continue(apus_stream *stream);

/* Sends pieces at once, through TLS or a pipe where there is one; returns as apus__stream_transmit (write.c). */
size_t apus__stream_send(apus_stream *stream, struct iovec *pieces, int count);

/* Takes note of what the transport said last: whether it took less than it was given (flush.c). */
void apus__stream_note_room(apus_stream *stream, bool is_blocked);

/* Waits for what the stream now wants: something to read, room to write, both or nothing (stream.c). */
void apus__stream_watch(apus_stream *stream);

#endif
