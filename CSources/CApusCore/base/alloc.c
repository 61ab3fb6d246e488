/* The heap, with a countdown of the calling thread's own after which one allocation fails. */
#include "apus/alloc.h"

#include <stdbool.h>
#include <stdlib.h>

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
    return is_made_to_fail() ? NULL : malloc(size);
}

void *apus_calloc(size_t count, size_t size)
{
    return is_made_to_fail() ? NULL : calloc(count, size);
}

void *apus_realloc(void *memory, size_t size)
{
    return is_made_to_fail() ? NULL : realloc(memory, size);
}

void apus_free(void *memory)
{
    free(memory);
}
