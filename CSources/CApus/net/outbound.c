/* An idle queue owns no memory: two segments stand inline, and whatever is allocated goes once all is sent. */
#include "net/outbound.h"

#include <string.h>

#include "apus/alloc.h"

#define CHUNK_SIZE ((size_t)4096 - sizeof(apus_buffer) - 16)
#define FIRST_CAPACITY 8

void apus__outbound_init(apus_outbound *outbound)
{
    memset(outbound, 0, sizeof *outbound);
}

static apus_segment *segments(apus_outbound *outbound)
{
    return outbound->allocated != NULL ? outbound->allocated : outbound->inline_segments;
}

static const apus_segment *first_segment(const apus_outbound *outbound)
{
    return (outbound->allocated != NULL ? outbound->allocated : outbound->inline_segments) + outbound->first;
}

static void free_segments(apus_outbound *outbound)
{
    apus_free(outbound->allocated);
    outbound->allocated = NULL;
    outbound->capacity = 0;
    outbound->first = 0;
    outbound->count = 0;
    outbound->has_open_chunk = false;
}

void apus__outbound_clear(apus_outbound *outbound)
{
    apus_segment *all = segments(outbound);
    for (uint32_t i = 0; i < outbound->count; i++)
        apus_buffer_release(all[outbound->first + i].buffer);
    free_segments(outbound);
    outbound->bytes = 0;
}

static int grow(apus_outbound *outbound, uint32_t capacity)
{
    apus_segment *grown = apus_malloc(capacity * sizeof *grown);
    if (grown == NULL)
        return APUS_ENOMEM;
    memcpy(grown, segments(outbound) + outbound->first, outbound->count * sizeof *grown);
    apus_free(outbound->allocated);
    outbound->allocated = grown;
    outbound->capacity = capacity;
    outbound->first = 0;
    return APUS_OK;
}

/* Makes room for one more segment behind the last one. */
static int make_room(apus_outbound *outbound)
{
    uint32_t capacity = outbound->allocated != NULL ? outbound->capacity : APUS_OUTBOUND_INLINE;
    if (outbound->first + outbound->count < capacity)
        return APUS_OK;
    if (outbound->first > capacity / 2) {
        apus_segment *all = segments(outbound);
        memmove(all, all + outbound->first, outbound->count * sizeof *all);
        outbound->first = 0;
        return APUS_OK;
    }
    if (capacity > UINT32_MAX / 2)
        return APUS_ENOMEM;
    return grow(outbound, capacity < FIRST_CAPACITY ? FIRST_CAPACITY : capacity * 2);
}

static void push(apus_outbound *outbound, apus_buffer *buffer, const uint8_t *data, size_t len)
{
    segments(outbound)[outbound->first + outbound->count++] =
        (apus_segment){.buffer = buffer, .data = data, .len = len};
    outbound->bytes += len;
}

/* Fills up the chunk at the end; returns how many bytes went in. */
static size_t fill_open_chunk(apus_outbound *outbound, const uint8_t *data, size_t len)
{
    if (!outbound->has_open_chunk)
        return 0;
    apus_segment *last = segments(outbound) + outbound->first + outbound->count - 1;
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
    const apus_segment *first = first_segment(outbound);
    int count = 0;
    for (; count < most && (uint32_t)count < outbound->count; count++) {
        pieces[count].iov_base = (void *)(uintptr_t)first[count].data;
        pieces[count].iov_len = first[count].len;
    }
    return count;
}

void apus__outbound_read(const apus_outbound *outbound, uint8_t *out, size_t len)
{
    const apus_segment *segment = first_segment(outbound);
    for (uint32_t i = 0; i < outbound->count && len != 0; i++, segment++) {
        size_t part = segment->len < len ? segment->len : len;
        memcpy(out, segment->data, part);
        out += part;
        len -= part;
    }
}

int apus__outbound_move(apus_outbound *from, apus_outbound *to, size_t len)
{
    while (len != 0 && from->count != 0) {
        const apus_segment *segment = first_segment(from);
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
    apus_segment *all = segments(outbound);
    while (outbound->count != 0 && len >= all[outbound->first].len) {
        len -= all[outbound->first].len;
        apus_buffer_release(all[outbound->first].buffer);
        outbound->first++;
        outbound->count--;
    }
    if (outbound->count == 0) {
        free_segments(outbound);
        return;
    }
    all[outbound->first].data += len;
    all[outbound->first].len -= len;
}
