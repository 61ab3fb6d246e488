/* What a stream still has to send: pieces of counted buffers, in order. Broadcasts queue the same buffer everywhere;
 * what is sent to one alone is gathered in chunks. */
#ifndef APUS_OUTBOUND_H
#define APUS_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "apus/buffer.h"
#include "apus/error.h"

/* Segments that stand in the queue itself; more are allocated while they are needed. */
#define APUS_OUTBOUND_INLINE 2

typedef struct apus_segment {
    apus_buffer *buffer;
    const uint8_t *data; /* within `buffer` */
    size_t len;
} apus_segment;

typedef struct apus_outbound {
    apus_segment *segments; /* the inline ones, or allocated */
    uint32_t capacity;      /* of `segments` */
    uint32_t first;
    uint32_t end;
    bool has_open_chunk; /* the last segment is a chunk of this queue's own, which may be filled up */
    size_t bytes;
    apus_segment inline_segments[APUS_OUTBOUND_INLINE];
} apus_outbound;

/* Makes an empty queue, which must stay where it is from then on. */
void apus__outbound_init(apus_outbound *outbound);

/* Drops everything. */
void apus__outbound_clear(apus_outbound *outbound);

/* Copies `len` bytes to the end; APUS_OK or APUS_ENOMEM, which may have queued a part. */
int apus__outbound_copy(apus_outbound *outbound, const uint8_t *data, size_t len);

/* Queues the whole of `buffer`, retaining it; APUS_OK or APUS_ENOMEM, which changes nothing. */
int apus__outbound_share(apus_outbound *outbound, apus_buffer *buffer);

/* Describes the first pieces for sendmsg; returns how many, at most `most`. */
int apus__outbound_peek(apus_outbound *outbound, struct iovec *pieces, int most);

/* Copies the first `len` bytes, or all that there are, to `out`. */
void apus__outbound_read(const apus_outbound *outbound, uint8_t *out, size_t len);

/* Moves the first `len` bytes to the end of another queue, without a copy. APUS_OK, or APUS_ENOMEM, which may have
 * moved a part. */
int apus__outbound_move(apus_outbound *from, apus_outbound *to, size_t len);

/* Takes away the first `len` bytes, which were sent. */
void apus__outbound_advance(apus_outbound *outbound, size_t len);

#endif
