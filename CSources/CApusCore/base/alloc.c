/* The heap, with a countdown of the calling thread's own after which one allocation fails, and large blocks that a
 * thread keeps. */
#include "apus/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

void *apus_malloc(size_t size)
{
    if (APUS_UNLIKELY(is_made_to_fail()))
        return NULL;
    void *kept = apus_alloc_spare(size);
    return kept != NULL ? kept : malloc(size);
}

void *apus_alloc_spare(size_t size)
{
    return size >= APUS_LARGE_BLOCK ? apus__spares_take(size) : NULL;
}

void *apus_calloc(size_t count, size_t size)
{
    return is_made_to_fail() ? NULL : calloc(count, size);
}

/* Grows into a block that is kept: the bytes move, into memory that is there, and its size will do for a while. */
static void *move(void *memory, size_t size)
{
    void *kept = apus__spares_take(size);
    if (kept == NULL)
        return realloc(memory, size);
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
        return realloc(memory, size);
    if (memory != NULL && apus__spares_fits(memory, size)) /* where realloc might give the rest back */
        return memory;
    return move(memory, size);
}

void apus_free(void *memory)
{
    if (!apus__spares_put(memory))
        free(memory);
}
