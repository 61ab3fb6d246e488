/* The heap, with a countdown of the calling thread's own after which one allocation fails, and large blocks that a
 * thread keeps. */
#include "apus/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "apus/gauge.h"
#include "base/spares.h"

static _Thread_local unsigned countdown;

void apus_alloc_fail(unsigned nth)
{
    countdown = nth;
}

static bool is_made_to_fail(void)
{
    return countdown != 0 && --countdown == 0;
}

/* What the C library has handed out is counted with its own overhead, one word for each block. */
static void *count(void *memory)
{
    if (memory != NULL)
        apus_memory_add((ptrdiff_t)(apus__block_size(memory) + APUS__BLOCK_OVERHEAD));
    return memory;
}

void *apus_malloc(size_t size)
{
    if (APUS_UNLIKELY(is_made_to_fail()))
        return NULL;
    void *kept = apus_alloc_spare(size);
    return kept != NULL ? kept : count(malloc(size));
}

void *apus_alloc_spare(size_t size)
{
    return size >= APUS_LARGE_BLOCK ? apus__spares_take(size) : NULL;
}

void *apus_calloc(size_t number, size_t size)
{
    return is_made_to_fail() ? NULL : count(calloc(number, size));
}

/* The C library's realloc, counted. */
static void *resize(void *memory, size_t size)
{
    size_t before = memory == NULL ? 0 : apus__block_size(memory) + APUS__BLOCK_OVERHEAD;
    void *resized = realloc(memory, size);
    if (resized != NULL)
        apus_memory_add((ptrdiff_t)(apus__block_size(resized) + APUS__BLOCK_OVERHEAD) - (ptrdiff_t)before);
    return resized;
}

/* Grows into a block that is kept: the bytes move, into memory that is there, and its size will do for a while. */
static void *move(void *memory, size_t size)
{
    void *kept = apus__spares_take(size);
    if (kept == NULL)
        return resize(memory, size);
    if (memory != NULL) {
        size_t before = apus__block_size(memory);
        memcpy(kept, memory, before < size ? before : size);
        apus_free(memory);
    }
    return kept;
}

void *apus_realloc(void *memory, size_t size)
{
    if (is_made_to_fail())
        return NULL;
    if (size < APUS_LARGE_BLOCK)
        return resize(memory, size);
    if (memory != NULL && apus__spares_fits(memory, size)) /* where realloc might give the rest back */
        return memory;
    return move(memory, size);
}

void apus_free(void *memory)
{
    if (memory == NULL)
        return;
    size_t size = apus__block_size(memory);
    if (!apus__spares_put(memory, size))
        apus__block_free(memory, size);
}
