/* Blocks double in size up to a page. A queue that is emptied as fast as it is filled stays in one of them. */
#include "net/segments.h"

#include <string.h>

#include "apus/alloc.h"

#define FIRST_CAPACITY 16
#define MOST_CAPACITY ((uint32_t)((4096 - sizeof(apus_segment_block)) / sizeof(apus_segment)))

static size_t size_of(uint32_t capacity)
{
    return sizeof(apus_segment_block) + capacity * sizeof(apus_segment);
}

static apus_segment_block *make_block(apus_segments *segments, uint32_t capacity)
{
    apus_segment_block *block = apus_malloc(size_of(capacity));
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->begin = 0;
    block->capacity = capacity;
    segments->allocated += size_of(capacity);
    return block;
}

static void free_block(apus_segments *segments, apus_segment_block *block)
{
    segments->allocated -= size_of(block->capacity);
    apus_free(block);
}

static void free_from(apus_segments *segments, apus_segment_block *block)
{
    while (block != NULL) {
        apus_segment_block *next = block->next;
        free_block(segments, block);
        block = next;
    }
}

void apus__segments_init(apus_segments *segments)
{
    segments->first = segments->own;
    segments->first_limit = segments->own + APUS_SEGMENTS_OWN;
    segments->end = segments->first;
    segments->limit = segments->first_limit;
    segments->head = NULL;
    segments->tail = NULL;
    segments->allocated = 0;
}

void apus__segments_free_blocks(apus_segments *segments)
{
    free_from(segments, segments->head);
    apus__segments_init(segments);
}

static bool is_one_block(const apus_segments *segments)
{
    return segments->head == segments->tail;
}

static apus_segment *first_place(apus_segments *segments)
{
    return segments->head == NULL ? segments->own : segments->head->items;
}

/* Moves the segments of the only block. */
static void move_to(apus_segments *segments, apus_segment *place)
{
    size_t count = (size_t)(segments->end - segments->first);
    memmove(place, segments->first, count * sizeof *place);
    segments->first = place;
    segments->end = place + count;
}

/* The list's own place is full: all goes on in a block. */
static int leave_own(apus_segments *segments)
{
    apus_segment_block *block = make_block(segments, FIRST_CAPACITY);
    if (block == NULL)
        return APUS_ENOMEM;
    move_to(segments, block->items);
    segments->head = block;
    segments->tail = block;
    segments->limit = block->items + block->capacity;
    segments->first_limit = segments->limit;
    return APUS_OK;
}

APUS_NOINLINE int apus__segments_grow(apus_segments *segments)
{
    apus_segment *place = first_place(segments);
    if (is_one_block(segments) && segments->first - place >= (segments->limit - place) / 2) {
        move_to(segments, place);
        return APUS_OK;
    }
    if (segments->tail == NULL)
        return leave_own(segments);
    uint32_t twice = 2 * segments->tail->capacity;
    apus_segment_block *block = make_block(segments, twice < MOST_CAPACITY ? twice : MOST_CAPACITY);
    if (block == NULL)
        return APUS_ENOMEM;
    segments->tail->next = block;
    segments->tail = block;
    segments->end = block->items;
    segments->limit = block->items + block->capacity;
    return APUS_OK;
}

/* The first block is full up to its last place: puts a block before it, which takes over the `before` segments, at its
 * end. A block that is left empty goes. */
static int prepend(apus_segments *segments, uint32_t before)
{
    apus_segment_block *block = make_block(segments, MOST_CAPACITY);
    if (block == NULL)
        return APUS_ENOMEM;
    apus_segment_block *old = segments->head;
    block->begin = block->capacity - before;
    memcpy(block->items + block->begin, segments->first, before * sizeof *segments->first);
    old->begin = before;
    segments->head = block;
    segments->first = block->items + block->begin;
    segments->first_limit = block->items + block->capacity;
    block->next = old;
    if (old->begin != old->capacity)
        return APUS_OK;
    block->next = old->next;
    if (segments->tail == old) {
        segments->tail = block;
        segments->end = block->items + block->capacity;
        segments->limit = segments->end;
    }
    free_block(segments, old);
    return APUS_OK;
}

/* Makes room for one more segment before the first. */
static int make_room_in_front(apus_segments *segments, uint32_t before)
{
    if (segments->head == NULL && segments->end == segments->limit && leave_own(segments) != APUS_OK)
        return APUS_ENOMEM;
    if (!is_one_block(segments) || segments->end == segments->limit)
        return prepend(segments, before);
    move_to(segments, segments->first + 1);
    return APUS_OK;
}

int apus__segments_insert(apus_segments *segments, uint32_t before, apus_segment segment)
{
    if (segments->first == first_place(segments) && make_room_in_front(segments, before) != APUS_OK)
        return APUS_ENOMEM;
    memmove(segments->first - 1, segments->first, before * sizeof segment);
    segments->first--;
    segments->first[before] = segment;
    return APUS_OK;
}

void apus__segments_leave_block(apus_segments *segments)
{
    apus_segment_block *block = segments->head;
    if (is_one_block(segments))
        return;
    segments->head = block->next;
    segments->first = segments->head->items + segments->head->begin;
    segments->first_limit = segments->head->items + segments->head->capacity;
    free_block(segments, block);
}

void apus__segments_keep_first(apus_segments *segments)
{
    if (!is_one_block(segments)) {
        free_from(segments, segments->head->next);
        segments->head->next = NULL;
        segments->tail = segments->head;
        segments->limit = segments->first_limit;
    }
    segments->end = segments->first + 1;
}
