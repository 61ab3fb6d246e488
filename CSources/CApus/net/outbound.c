/* An idle queue owns no memory: two segments stand inline, and whatever is allocated goes once all is sent. */
#include "net/outbound.h"

#include <string.h>

#include "apus/alloc.h"

#define CHUNK_SIZE ((size_t)4096 - sizeof(apus_buffer) - 16)
#define FIRST_CAPACITY 16

void apus__outbound_init(apus_outbound *outbound)
{
    memset(outbound, 0, sizeof *outbound);
    outbound->segments = outbound->inline_segments;
    outbound->capacity = APUS_OUTBOUND_INLINE;
}

static bool is_empty(const apus_outbound *outbound)
{
    return outbound->first == outbound->end;
}

static void free_allocated(apus_outbound *outbound)
{
    if (outbound->segments != outbound->inline_segments)
        apus_free(outbound->segments);
}

/* All segments are released. */
static void forget_segments(apus_outbound *outbound)
{
    free_allocated(outbound);
    outbound->segments = outbound->inline_segments;
    outbound->capacity = APUS_OUTBOUND_INLINE;
    outbound->first = 0;
    outbound->end = 0;
    outbound->has_open_chunk = false;
}

void apus__outbound_clear(apus_outbound *outbound)
{
    for (uint32_t i = outbound->first; i != outbound->end; i++)
        apus_buffer_release(outbound->segments[i].buffer);
    forget_segments(outbound);
    outbound->bytes = 0;
}

/* Moves the segments to the front of their memory, or of new memory. */
static void move_segments(apus_outbound *outbound, apus_segment *to)
{
    uint32_t count = outbound->end - outbound->first;
    memmove(to, outbound->segments + outbound->first, count * sizeof *to);
    outbound->first = 0;
    outbound->end = count;
}

static int grow(apus_outbound *outbound, uint32_t capacity)
{
    apus_segment *grown = apus_malloc(capacity * sizeof *grown);
    if (grown == NULL)
        return APUS_ENOMEM;
    move_segments(outbound, grown);
    free_allocated(outbound);
    outbound->segments = grown;
    outbound->capacity = capacity;
    return APUS_OK;
}

/* The last place is taken. */
static APUS_NOINLINE int make_more_room(apus_outbound *outbound)
{
    if (outbound->first > outbound->capacity / 2) {
        move_segments(outbound, outbound->segments);
        return APUS_OK;
    }
    if (outbound->capacity > UINT32_MAX / 2)
        return APUS_ENOMEM;
    return grow(outbound, outbound->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : outbound->capacity * 2);
}

/* Makes room for one more segment behind the last one. */
static inline int make_room(apus_outbound *outbound)
{
    return APUS_LIKELY(outbound->end < outbound->capacity) ? APUS_OK : make_more_room(outbound);
}

static inline void push(apus_outbound *outbound, apus_buffer *buffer, const uint8_t *data, size_t len)
{
    outbound->segments[outbound->end++] = (apus_segment){.buffer = buffer, .data = data, .len = len};
    outbound->bytes += len;
}

/* Fills up the chunk at the end; returns how many bytes went in. */
static size_t fill_open_chunk(apus_outbound *outbound, const uint8_t *data, size_t len)
{
    if (!outbound->has_open_chunk)
        return 0;
    apus_segment *last = &outbound->segments[outbound->end - 1];
    size_t used = (size_t)(last->data - last->buffer->data) + last->len;
    size_t room = last->buffer->len - used;
    size_t taken = len < room ? len : room;
    memcpy(last->buffer->data + used, data, taken);
    last->len += taken;
    outbound->bytes += taken;
    return taken;
}

int apus__outbound_copy(apus_outbound *outbound, const uint8_t *data, size_t len)
{
    if (len == 0) /* where `data` may be NULL, which memcpy must not see */
        return APUS_OK;
    size_t taken = fill_open_chunk(outbound, data, len);
    size_t rest = len - taken;
    if (rest == 0)
        return APUS_OK;
    int error = make_room(outbound);
    if (error != APUS_OK)
        return error;
    apus_buffer *chunk = apus_buffer_new(rest < CHUNK_SIZE ? CHUNK_SIZE : rest);
    if (chunk == NULL)
        return APUS_ENOMEM;
    memcpy(chunk->data, data + taken, rest);
    push(outbound, chunk, chunk->data, rest);
    outbound->has_open_chunk = true;
    return APUS_OK;
}

int apus__outbound_share(apus_outbound *outbound, apus_buffer *buffer)
{
    int error = make_room(outbound);
    if (error != APUS_OK)
        return error;
    push(outbound, apus_buffer_retain(buffer), buffer->data, buffer->len);
    outbound->has_open_chunk = false;
    return APUS_OK;
}

int apus__outbound_peek(apus_outbound *outbound, struct iovec *pieces, int most)
{
    const apus_segment *segment = outbound->segments + outbound->first;
    const apus_segment *end = outbound->segments + outbound->end;
    int count = 0;
    for (; count < most && segment != end; count++, segment++) {
        pieces[count].iov_base = (void *)(uintptr_t)segment->data;
        pieces[count].iov_len = segment->len;
    }
    return count;
}

void apus__outbound_read(const apus_outbound *outbound, uint8_t *out, size_t len)
{
    for (uint32_t i = outbound->first; i != outbound->end && len != 0; i++) {
        const apus_segment *segment = &outbound->segments[i];
        size_t part = segment->len < len ? segment->len : len;
        memcpy(out, segment->data, part);
        out += part;
        len -= part;
    }
}

int apus__outbound_move(apus_outbound *from, apus_outbound *to, size_t len)
{
    while (len != 0 && !is_empty(from)) {
        const apus_segment *segment = &from->segments[from->first];
        size_t part = segment->len < len ? segment->len : len;
        int error = make_room(to);
        if (error != APUS_OK)
            return error;
        push(to, apus_buffer_retain(segment->buffer), segment->data, part);
        to->has_open_chunk = false; /* its memory is the other queue's too */
        apus__outbound_advance(from, part);
        len -= part;
    }
    return APUS_OK;
}

void apus__outbound_advance(apus_outbound *outbound, size_t len)
{
    outbound->bytes -= len;
    apus_segment *segment = outbound->segments + outbound->first;
    const apus_segment *end = outbound->segments + outbound->end;
    for (; segment != end && len >= segment->len; segment++) {
        len -= segment->len;
        apus_buffer_release(segment->buffer);
    }
    if (segment == end) {
        forget_segments(outbound);
        return;
    }
    outbound->first = (uint32_t)(segment - outbound->segments);
    segment->data += len;
    segment->len -= len;
}
