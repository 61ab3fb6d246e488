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

/* Segments that stand in the list itself; blocks are allocated while more are queued. */
#define APUS_SEGMENTS_OWN 2

/* A block is full before there is another one behind it. */
typedef struct apus_segment_block {
    struct apus_segment_block *next; /* the one behind it, or NULL */
    uint32_t begin;                  /* the first place that is used */
    uint32_t capacity;
    apus_segment items[];
} apus_segment_block;

/* A list of segments, in blocks: what is queued stays where it is, however many follow. */
typedef struct apus_segments {
    apus_segment *first;       /* the first one in use */
    apus_segment *first_limit; /* behind the last place of its block */
    apus_segment *end;         /* behind the last one in use */
    apus_segment *limit;       /* behind the last place of the last block */
    apus_segment_block *head;  /* NULL: `own` is the only block */
    apus_segment_block *tail;
    size_t allocated; /* bytes of memory that the blocks take */
    apus_segment own[APUS_SEGMENTS_OWN];
} apus_segments;

/* A place in a list. */
typedef struct apus_segment_cursor {
    apus_segment *segment;
    const apus_segment *limit; /* behind the last place of its block */
    apus_segment_block *block;
} apus_segment_cursor;

/* The bytes of memory that `buffer` takes. */
static inline size_t apus__segment_charge(const apus_buffer *buffer)
{
    return sizeof *buffer + buffer->len;
}

/* Makes an empty list, which must stay where it is from then on. */
void apus__segments_init(apus_segments *segments);

/* Frees the blocks. */
void apus__segments_free_blocks(apus_segments *segments);

/* Begins again. All segments are released. */
static inline void apus__segments_reset(apus_segments *segments)
{
    if (APUS_UNLIKELY(segments->head != NULL))
        apus__segments_free_blocks(segments);
    segments->first = segments->own;
    segments->end = segments->own;
}

static inline bool apus__segments_is_empty(const apus_segments *segments)
{
    return segments->first == segments->end;
}

/* The last segment; NULL where there is none, or where a block has begun behind it. */
static inline apus_segment *apus__segments_last(const apus_segments *segments)
{
    const apus_segment *begin =
        segments->head == segments->tail ? segments->first : segments->tail->items + segments->tail->begin;
    return segments->end == begin ? NULL : segments->end - 1;
}

/* A walk through the list ends when `segment` is the list's `end`. */
static inline apus_segment_cursor apus__segments_begin(const apus_segments *segments)
{
    return (apus_segment_cursor){.segment = segments->first, .limit = segments->first_limit, .block = segments->head};
}

static inline void apus__segments_step(apus_segment_cursor *cursor)
{
    if (APUS_LIKELY(++cursor->segment != cursor->limit) || cursor->block == NULL || cursor->block->next == NULL)
        return;
    apus_segment_block *block = cursor->block->next;
    *cursor = (apus_segment_cursor){
        .segment = block->items + block->begin, .limit = block->items + block->capacity, .block = block};
}

/* The last place is taken: makes room for one more. APUS_OK, or APUS_ENOMEM, which changes nothing. */
int apus__segments_grow(apus_segments *segments);

/* Makes room for one more segment behind the last one. APUS_OK, or APUS_ENOMEM, which changes nothing. */
static inline int apus__segments_make_room(apus_segments *segments)
{
    return APUS_LIKELY(segments->end != segments->limit) ? APUS_OK : apus__segments_grow(segments);
}

/* Puts a segment so that `before` others are in front of it, which were put so or are the first one. APUS_OK, or
 * APUS_ENOMEM, which changes nothing. */
int apus__segments_insert(apus_segments *segments, uint32_t before, apus_segment segment);

/* The first segment was the last one of its block: frees the block. */
void apus__segments_leave_block(apus_segments *segments);

/* Takes away the first segment, which is released. */
static inline void apus__segments_pass(apus_segments *segments)
{
    if (APUS_UNLIKELY(++segments->first == segments->first_limit))
        apus__segments_leave_block(segments);
}

/* Takes away all but the first segment; they are released. */
void apus__segments_keep_first(apus_segments *segments);

#endif
