/* Queued pieces of counted buffers, in order. */
#ifndef APUS_SEGMENTS_H
#define APUS_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "apus/buffer.h"
#include "apus/error.h"

/* What a segment is, and what it says of its buffer. */
enum apus_segment_flags {
    APUS_SEGMENT_CONTROL = 1, /* a control frame: goes out before data */
    APUS_SEGMENT_PONG = 2,    /* a Pong, which a later one replaces */
    APUS_SEGMENT_PING = 4,    /* a Ping of ours, of which one at a time is enough */
    APUS_SEGMENT_OWN = 8,     /* the buffer is a chunk of this outbox's own; it may have several segments */
    APUS_SEGMENT_LAST = 16,   /* of the segments that one call made of a shared buffer: its charge ends here */
};

/* One or several whole frames, or the rest of them: nothing is sent between its bytes. */
typedef struct apus_segment {
    apus_buffer *buffer;
    const uint8_t *data; /* within `buffer` */
    uint32_t len;
    uint32_t flags;
} apus_segment;

/* An array whose first place in use moves on as segments are sent. */
typedef struct apus_segments {
    apus_segment *items; /* the owner's own memory, or allocated, or NULL */
    uint32_t capacity;
    uint32_t first;
    uint32_t end;
    bool is_allocated; /* `items` is */
} apus_segments;

/* The bytes of memory that `buffer` takes. */
static inline size_t apus__segment_charge(const apus_buffer *buffer)
{
    return sizeof *buffer + buffer->len;
}

/* The bytes of memory that the array takes. */
static inline size_t apus__segments_charge(const apus_segments *segments)
{
    return segments->is_allocated ? segments->capacity * sizeof *segments->items : 0;
}

static inline bool apus__segments_is_empty(const apus_segments *segments)
{
    return segments->first == segments->end;
}

static inline apus_segment *apus__segments_last(apus_segments *segments)
{
    return apus__segments_is_empty(segments) ? NULL : &segments->items[segments->end - 1];
}

/* The last place is taken: makes room for one more. APUS_OK or APUS_ENOMEM. */
int apus__segments_grow(apus_segments *segments);

/* Makes room for one more segment behind the last one. APUS_OK or APUS_ENOMEM, which changes nothing. */
static inline int apus__segments_make_room(apus_segments *segments)
{
    return APUS_LIKELY(segments->end < segments->capacity) ? APUS_OK : apus__segments_grow(segments);
}

/* Puts a segment so that `before` others are in front of it; there must be room. */
void apus__segments_insert(apus_segments *segments, uint32_t before, apus_segment segment);

/* Frees what is allocated, and begins again in `items`, the owner's own memory for `capacity` segments. All segments
 * are released. */
void apus__segments_reset(apus_segments *segments, apus_segment *items, uint32_t capacity);

#endif
