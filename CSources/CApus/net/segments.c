/* Grows by doubling; before that, the places of what was sent are used again. */
#include "net/segments.h"

#include <string.h>

#include "apus/alloc.h"

#define FIRST_CAPACITY 16

/* Moves the segments to the front of their memory, or of new memory. */
static void move_to(apus_segments *segments, apus_segment *to)
{
    uint32_t count = segments->end - segments->first;
    if (count != 0)
        memmove(to, segments->items + segments->first, count * sizeof *to);
    segments->first = 0;
    segments->end = count;
}

static int set_capacity(apus_segments *segments, uint32_t capacity)
{
    apus_segment *items = apus_malloc(capacity * sizeof *items);
    if (items == NULL)
        return APUS_ENOMEM;
    move_to(segments, items);
    if (segments->is_allocated)
        apus_free(segments->items);
    segments->items = items;
    segments->capacity = capacity;
    segments->is_allocated = true;
    return APUS_OK;
}

APUS_NOINLINE int apus__segments_grow(apus_segments *segments)
{
    if (segments->first > segments->capacity / 2) {
        move_to(segments, segments->items);
        return APUS_OK;
    }
    if (segments->capacity > UINT32_MAX / 2)
        return APUS_ENOMEM;
    return set_capacity(segments, segments->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : segments->capacity * 2);
}

void apus__segments_insert(apus_segments *segments, uint32_t before, apus_segment segment)
{
    apus_segment *place = segments->items + segments->first + before;
    uint32_t behind = segments->end - segments->first - before;
    if (segments->first != 0) { /* the few in front move, not the many behind */
        memmove(segments->items + segments->first - 1, segments->items + segments->first, before * sizeof segment);
        segments->first--;
        place--;
    } else {
        memmove(place + 1, place, behind * sizeof segment);
        segments->end++;
    }
    *place = segment;
}

void apus__segments_reset(apus_segments *segments, apus_segment *items, uint32_t capacity)
{
    if (segments->is_allocated)
        apus_free(segments->items);
    *segments = (apus_segments){.items = items, .capacity = capacity};
}
