/* Everything that is queued for a peer and not yet accepted by its transport: frames, or bytes of HTTP, in segments of
 * counted buffers. Broadcasts queue the same buffer everywhere; what is sent to one peer alone is gathered in chunks.
 *
 * There are three lanes. Data goes out in order. A control frame goes out as soon as the segment that the transport has
 * begun to take has left (RFC 6455 §5.4). While the application sends a message in parts, other messages are held, and
 * follow it. */
#ifndef APUS_OUTBOX_H
#define APUS_OUTBOX_H

#include "segments.h"

/* A segment of gathered frames grows no further than this, so that control frames get in between. */
#define APUS_OUTBOX_GATHERED ((size_t)16 * 1024)

/* Frames that are held until a message that is being sent in parts has ended. */
typedef struct apus_held {
    apus_segments segments;
    size_t bytes;
} apus_held;

typedef struct apus_outbox {
    size_t bytes;    /* on the wire, held ones not counted */
    size_t charge;   /* of memory: whole allocations, in full for each outbox that shares a buffer; held ones, too */
    bool has_begun;  /* a part of the first segment was taken */
    uint8_t waiting; /* control frames behind that, before all data */
    apus_segments segments;
    apus_held *held;    /* NULL while nothing is */
    apus_buffer *chunk; /* the own chunk that is being filled; NULL: none */
    size_t chunk_used;
} apus_outbox;

/* Makes an empty outbox, which must stay where it is from then on. */
void apus__outbox_init(apus_outbox *outbox);

/* Drops everything. */
void apus__outbox_clear(apus_outbox *outbox);

/* Drops what can be dropped: all but the segment that the transport has begun to take. */
void apus__outbox_drop_waiting(apus_outbox *outbox);

/* Queues a copy of one whole frame, or of bytes that nothing may come between: a header and what stands behind it.
 * APUS_OK, or APUS_ENOMEM, which may have queued a part of more than 1 GiB. */
int apus__outbox_copy(apus_outbox *outbox, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len);

/* Queues `len` bytes of `buffer`, whole frames that nothing may come between, and retains it. A buffer that is queued
 * by several calls in a row is charged once if only the last of them says `is_last`. APUS_OK, or APUS_ENOMEM, which
 * changes nothing. */
int apus__outbox_share(apus_outbox *outbox, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last);

/* The same for the whole of a buffer, for the many deliveries of a topic; false, and nothing has changed, where the
 * list of segments has to grow first. */
static inline bool apus__outbox_share_now(apus_outbox *outbox, apus_buffer *buffer)
{
    apus_segments *segments = &outbox->segments;
    if (APUS_UNLIKELY(segments->end == segments->limit))
        return false;
    apus_segment *segment = segments->end++;
    segment->buffer = apus_buffer_retain(buffer);
    segment->data = buffer->data;
    segment->len = (uint32_t)buffer->len;
    segment->flags = APUS_SEGMENT_LAST;
    outbox->bytes += buffer->len;
    outbox->charge += apus__segment_charge(buffer);
    return true;
}

/* Queues a control frame, before data that has not begun to leave. `flags` is 0, APUS_SEGMENT_PONG (it replaces one
 * that waits) or APUS_SEGMENT_PING (none is queued where one waits). APUS_OK, APUS_ENOMEM, or APUS_EFULL where many
 * wait already; neither changes anything. */
int apus__outbox_control(apus_outbox *outbox, const uint8_t *frame, size_t len, uint32_t flags);

/* Queues one whole frame of `len` bytes, not 0, that the caller writes where this points, before anything else is done;
 * or holds it back until apus__outbox_release. NULL when memory is out, and nothing has changed. */
uint8_t *apus__outbox_claim(apus_outbox *outbox, size_t len, bool is_held);

/* As apus__outbox_share, but holds the frames back. */
int apus__outbox_hold(apus_outbox *outbox, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last);

/* Queues what was held back. APUS_OK, or APUS_ENOMEM, which may have queued a part. */
int apus__outbox_release(apus_outbox *outbox);

/* Bytes on the wire that are held back. */
static inline size_t apus__outbox_held(const apus_outbox *outbox)
{
    return outbox->held == NULL ? 0 : outbox->held->bytes;
}

/* Describes the first pieces for sendmsg; returns how many, at most `most`. */
int apus__outbox_peek(apus_outbox *outbox, struct iovec *pieces, int most);

/* Takes away the first `len` bytes, which were sent. */
void apus__outbox_advance(apus_outbox *outbox, size_t len);

#endif
