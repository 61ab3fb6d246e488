/* An idle outbox owns no memory: two segments stand inline, and whatever is allocated goes once all is sent. */
#include "net/outbox.h"

#include <string.h>

#include "apus/alloc.h"
#include "apus/session.h"

/* Own chunks: the first is small, since there may be nothing to follow; each further one is twice as large. */
#define FIRST_CHUNK_SIZE ((size_t)512 - sizeof(apus_buffer))
#define MOST_CHUNK_SIZE ((size_t)16 * 1024 - sizeof(apus_buffer))

/* As much is not worth a place in a chunk, which others would find full. */
#define SEPARATE_SIZE ((size_t)4096)

/* The largest segment; more is queued as several. */
#define MOST_SEGMENT_SIZE ((size_t)1 << 30)

/* Control frames that wait at a time. */
#define MOST_WAITING 64

void apus__outbox_init(apus_outbox *outbox)
{
    memset(outbox, 0, sizeof *outbox);
    apus__segments_init(&outbox->segments);
}

/* Frees a segment's part of its buffer. A chunk is charged as long as a segment holds it. */
static inline void release(apus_outbox *outbox, const apus_segment *segment)
{
    apus_buffer *buffer = segment->buffer;
    if ((segment->flags & APUS_SEGMENT_LAST) != 0) {
        outbox->charge -= apus__segment_charge(buffer);
    } else if ((segment->flags & APUS_SEGMENT_OWN) != 0 && buffer->references == 1) {
        outbox->charge -= apus__segment_charge(buffer);
        if (outbox->chunk == buffer)
            outbox->chunk = NULL;
    }
    apus_buffer_release(buffer);
}

static void release_all(apus_outbox *outbox, const apus_segments *segments)
{
    for (apus_segment_cursor at = apus__segments_begin(segments); at.segment != segments->end; apus__segments_step(&at))
        release(outbox, at.segment);
}

static void end_held(apus_outbox *outbox)
{
    apus_held *held = outbox->held;
    if (held == NULL)
        return;
    outbox->charge -= sizeof *held + held->segments.allocated;
    apus__segments_reset(&held->segments);
    apus_free(held);
    outbox->held = NULL;
}

/* All segments are released. */
static inline void forget_segments(apus_outbox *outbox)
{
    outbox->has_begun = false;
    outbox->waiting = 0;
    outbox->charge -= outbox->segments.allocated;
    apus__segments_reset(&outbox->segments);
}

void apus__outbox_clear(apus_outbox *outbox)
{
    release_all(outbox, &outbox->segments);
    if (outbox->held != NULL)
        release_all(outbox, &outbox->held->segments);
    end_held(outbox);
    forget_segments(outbox);
    outbox->bytes = 0;
}

void apus__outbox_drop_waiting(apus_outbox *outbox)
{
    if (outbox->held != NULL)
        release_all(outbox, &outbox->held->segments);
    end_held(outbox);
    apus_segments *segments = &outbox->segments;
    apus_segment_cursor at = apus__segments_begin(segments);
    if (outbox->has_begun)
        apus__segments_step(&at);
    for (; at.segment != segments->end; apus__segments_step(&at)) {
        outbox->bytes -= at.segment->len;
        release(outbox, at.segment);
    }
    if (!outbox->has_begun) {
        forget_segments(outbox);
        return;
    }
    outbox->waiting = 0;
    outbox->charge -= segments->allocated;
    apus__segments_keep_first(segments);
    outbox->charge += segments->allocated;
}

/* Makes room for one more segment, and charges what that takes. */
static inline int make_room(apus_outbox *outbox, apus_segments *segments)
{
    if (APUS_LIKELY(segments->end != segments->limit))
        return APUS_OK;
    outbox->charge -= segments->allocated;
    int error = apus__segments_grow(segments);
    outbox->charge += segments->allocated;
    return error;
}

static inline void push(apus_segments *segments, apus_buffer *buffer, const uint8_t *data, size_t len, uint32_t flags)
{
    *segments->end++ = (apus_segment){.buffer = buffer, .data = data, .len = (uint32_t)len, .flags = flags};
}

/* A buffer of this outbox's own; its segments will hold it. NULL when memory is out. */
static apus_buffer *make_own(apus_outbox *outbox, size_t size)
{
    apus_buffer *own = apus_buffer_new(size);
    if (own == NULL)
        return NULL;
    own->references = 0;
    outbox->charge += apus__segment_charge(own);
    return own;
}

/* Begins a chunk with room for `size` bytes at least; the one before is filled no further. */
static int begin_chunk(apus_outbox *outbox, size_t size)
{
    size_t usual = outbox->chunk == NULL ? FIRST_CHUNK_SIZE : 2 * outbox->chunk->len;
    if (usual > MOST_CHUNK_SIZE)
        usual = MOST_CHUNK_SIZE;
    apus_buffer *chunk = make_own(outbox, size > usual ? size : usual);
    if (chunk == NULL)
        return APUS_ENOMEM;
    outbox->chunk = chunk;
    outbox->chunk_used = 0;
    return APUS_OK;
}

/* Whether the next bytes of the chunk may go into a segment that has been queued already. */
static bool may_extend(const apus_outbox *outbox, const apus_segment *last, size_t len)
{
    return last != NULL && last->buffer == outbox->chunk &&
           last->data + last->len == outbox->chunk->data + outbox->chunk_used &&
           last->len + len <= APUS_OUTBOX_GATHERED;
}

/* A place for `len` bytes, which is a segment, or a part of the last one. NULL when memory is out. */
static uint8_t *gather(apus_outbox *outbox, apus_segments *segments, size_t len)
{
    bool has_room = outbox->chunk != NULL && len <= outbox->chunk->len - outbox->chunk_used;
    apus_segment *last = apus__segments_last(segments);
    if (has_room && may_extend(outbox, last, len)) {
        last->len += (uint32_t)len;
        outbox->chunk_used += len;
        return (uint8_t *)(uintptr_t)last->data + last->len - len;
    }
    if (make_room(outbox, segments) != APUS_OK)
        return NULL;
    if (!has_room && len >= SEPARATE_SIZE) {
        apus_buffer *separate = make_own(outbox, len);
        if (separate == NULL)
            return NULL;
        push(segments, apus_buffer_retain(separate), separate->data, len, APUS_SEGMENT_OWN);
        return separate->data;
    }
    if (!has_room && begin_chunk(outbox, len) != APUS_OK)
        return NULL;
    uint8_t *place = outbox->chunk->data + outbox->chunk_used;
    push(segments, apus_buffer_retain(outbox->chunk), place, len, APUS_SEGMENT_OWN);
    outbox->chunk_used += len;
    return place;
}

/* The held lane, made where there is none yet; NULL when memory is out. */
static apus_held *begin_held(apus_outbox *outbox)
{
    if (outbox->held != NULL)
        return outbox->held;
    apus_held *held = apus_calloc(1, sizeof *held);
    if (held == NULL)
        return NULL;
    apus__segments_init(&held->segments);
    outbox->charge += sizeof *held;
    outbox->held = held;
    return held;
}

uint8_t *apus__outbox_claim(apus_outbox *outbox, size_t len, bool is_held)
{
    apus_held *held = is_held ? begin_held(outbox) : NULL;
    if (is_held && held == NULL)
        return NULL;
    uint8_t *place = gather(outbox, is_held ? &held->segments : &outbox->segments, len);
    if (place != NULL)
        *(is_held ? &held->bytes : &outbox->bytes) += len;
    return place;
}

/* Copies a header and what stands behind it. */
static int copy(apus_outbox *outbox, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    if (header_len + len == 0) /* where `data` may be NULL, which memcpy must not see */
        return APUS_OK;
    uint8_t *place = apus__outbox_claim(outbox, header_len + len, false);
    if (place == NULL)
        return APUS_ENOMEM;
    if (header_len != 0)
        memcpy(place, header, header_len);
    if (len != 0)
        memcpy(place + header_len, data, len);
    return APUS_OK;
}

int apus__outbox_copy(apus_outbox *outbox, const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
    /* No frame is so large, so anything may come between. */
    for (; len > MOST_SEGMENT_SIZE; data += MOST_SEGMENT_SIZE, len -= MOST_SEGMENT_SIZE, header_len = 0) {
        int error = copy(outbox, header, header_len, data, MOST_SEGMENT_SIZE);
        if (error != APUS_OK)
            return error;
    }
    return copy(outbox, header, header_len, data, len);
}

static inline int share(apus_outbox *outbox, apus_segments *segments, apus_buffer *buffer, const uint8_t *data,
                        size_t len, bool is_last)
{
    int error = make_room(outbox, segments);
    if (error != APUS_OK)
        return error;
    push(segments, apus_buffer_retain(buffer), data, len, is_last ? APUS_SEGMENT_LAST : 0);
    if (is_last)
        outbox->charge += apus__segment_charge(buffer);
    return APUS_OK;
}

int apus__outbox_share(apus_outbox *outbox, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last)
{
    int error = share(outbox, &outbox->segments, buffer, data, len, is_last);
    if (APUS_LIKELY(error == APUS_OK))
        outbox->bytes += len;
    return error;
}

/* A control frame that waits, of that kind. */
static apus_segment *find_waiting(apus_outbox *outbox, uint32_t flags)
{
    apus_segment *waiting = outbox->segments.first + (outbox->has_begun ? 1 : 0);
    for (uint8_t i = 0; i < outbox->waiting; i++) {
        if ((waiting[i].flags & flags) != 0)
            return &waiting[i];
    }
    return NULL;
}

/* Behind the control frames that wait already. */
static int insert_waiting(apus_outbox *outbox, apus_segment segment)
{
    apus_segments *segments = &outbox->segments;
    outbox->charge -= segments->allocated;
    int error = apus__segments_insert(segments, (outbox->has_begun ? 1u : 0u) + outbox->waiting, segment);
    outbox->charge += segments->allocated;
    return error;
}

int apus__outbox_control(apus_outbox *outbox, const uint8_t *frame, size_t len, uint32_t flags)
{
    apus_segment *waiting = flags == 0 ? NULL : find_waiting(outbox, flags);
    if (waiting != NULL && flags == APUS_SEGMENT_PING)
        return APUS_OK;
    if (waiting != NULL) {
        memcpy(waiting->buffer->data, frame, len);
        outbox->bytes += len - waiting->len;
        waiting->len = (uint32_t)len;
        return APUS_OK;
    }
    if (outbox->waiting == MOST_WAITING)
        return APUS_EFULL;
    apus_buffer *buffer = apus_buffer_new(APUS_CONTROL_FRAME_SIZE); /* a later Pong may be longer */
    if (buffer == NULL)
        return APUS_ENOMEM;
    memcpy(buffer->data, frame, len);
    apus_segment segment = {.buffer = buffer,
                            .data = buffer->data,
                            .len = (uint32_t)len,
                            .flags = flags | APUS_SEGMENT_CONTROL | APUS_SEGMENT_LAST};
    if (insert_waiting(outbox, segment) != APUS_OK) {
        apus_buffer_release(buffer);
        return APUS_ENOMEM;
    }
    outbox->charge += apus__segment_charge(buffer);
    outbox->waiting++;
    outbox->bytes += len;
    return APUS_OK;
}

int apus__outbox_hold(apus_outbox *outbox, apus_buffer *buffer, const uint8_t *data, size_t len, bool is_last)
{
    apus_held *held = begin_held(outbox);
    if (held == NULL)
        return APUS_ENOMEM;
    int error = share(outbox, &held->segments, buffer, data, len, is_last);
    if (error == APUS_OK)
        held->bytes += len;
    return error;
}

int apus__outbox_release(apus_outbox *outbox)
{
    apus_held *held = outbox->held;
    if (held == NULL)
        return APUS_OK;
    while (!apus__segments_is_empty(&held->segments)) {
        if (make_room(outbox, &outbox->segments) != APUS_OK)
            return APUS_ENOMEM;
        apus_segment segment = *held->segments.first;
        *outbox->segments.end++ = segment;
        outbox->bytes += segment.len;
        held->bytes -= segment.len;
        outbox->charge -= held->segments.allocated;
        apus__segments_pass(&held->segments);
        outbox->charge += held->segments.allocated;
    }
    end_held(outbox);
    return APUS_OK;
}

int apus__outbox_peek(apus_outbox *outbox, struct iovec *pieces, int most)
{
    const apus_segments *segments = &outbox->segments;
    apus_segment_cursor at = apus__segments_begin(segments);
    int count = 0;
    for (; count < most && at.segment != segments->end; count++, apus__segments_step(&at)) {
        pieces[count].iov_base = (void *)(uintptr_t)at.segment->data;
        pieces[count].iov_len = at.segment->len;
    }
    return count;
}

/* The first segment has left; it was the rest of one, or a control frame, or neither. */
static void pass_first(apus_outbox *outbox)
{
    if (outbox->has_begun)
        outbox->has_begun = false;
    else
        outbox->waiting--;
    release(outbox, outbox->segments.first);
    apus__segments_pass(&outbox->segments);
}

/* A part of the first segment has left. */
static void begin_first(apus_outbox *outbox, size_t len)
{
    apus_segment *first = outbox->segments.first;
    first->data += len;
    first->len -= (uint32_t)len;
    if (!outbox->has_begun && outbox->waiting != 0)
        outbox->waiting--;
    outbox->has_begun = true;
}

void apus__outbox_advance(apus_outbox *outbox, size_t len)
{
    apus_segments *segments = &outbox->segments;
    outbox->bytes -= len;
    size_t allocated = segments->allocated;
    while (len != 0 && (outbox->has_begun || outbox->waiting != 0) && len >= segments->first->len) {
        len -= segments->first->len;
        pass_first(outbox);
    }
    while (!apus__segments_is_empty(segments) && len >= segments->first->len) {
        len -= segments->first->len;
        release(outbox, segments->first);
        apus__segments_pass(segments);
    }
    outbox->charge -= allocated - segments->allocated;
    if (apus__segments_is_empty(segments))
        forget_segments(outbox);
    else if (len != 0)
        begin_first(outbox, len);
}
