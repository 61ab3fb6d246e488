/* A stream of bytes in memory, both ways, in place of a connected socket: two ends, on one loop, no descriptor.
 *
 * Each end holds what was sent to it and not read yet, at most APUS_PIPE_SIZE bytes; more is refused, so a reader that
 * stops holds the sender back, as TCP would. */
#ifndef APUS_PIPE_H
#define APUS_PIPE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define APUS_PIPE_SIZE ((size_t)64 * 1024)

typedef struct apus_pipe apus_pipe;
typedef struct apus_stream apus_stream;

/* Makes both ends; APUS_OK or APUS_ENOMEM. */
int apus__pipe_new(apus_pipe *ends[2]);

/* Frees an end; the other may go on, and finds this one closed. NULL is none. */
void apus__pipe_free(apus_pipe *pipe);

/* Tells an end whose it is: `on_ready` is called, each turn of the loop, with those events that are watched and there.
 */
void apus__pipe_attach(apus_pipe *pipe, apus_stream *stream, void (*on_ready)(apus_stream *stream, int events));

/* What to wait for: UV_READABLE (bytes, or the end), UV_WRITABLE, both or none. */
void apus__pipe_watch(apus_pipe *pipe, int events);

/* As sendmsg: how many bytes were taken, or -1 and EAGAIN, or EPIPE where the other end is closed. */
ssize_t apus__pipe_send(apus_pipe *pipe, const struct iovec *pieces, int count);

/* As recv: how many bytes came, 0 at the end, or -1 and EAGAIN. */
ssize_t apus__pipe_receive(apus_pipe *pipe, uint8_t *data, size_t size);

/* How many bytes the other end has read, and how many it has not read yet. */
uint64_t apus__pipe_taken(const apus_pipe *pipe);
size_t apus__pipe_unread(const apus_pipe *pipe);

/* As shutdown: the other end finds an end behind what was sent. */
void apus__pipe_finish(apus_pipe *pipe);

/* As close: what was sent can still be read, what was not read is lost. */
void apus__pipe_close(apus_pipe *pipe);

#endif
