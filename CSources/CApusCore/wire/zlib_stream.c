#include "wire/zlib_stream.h"

#include "apus/alloc.h"

/* Zeroed, and so of its very size: a block that a thread keeps may be twice as large, and zlib's live long. */
static void *allocate(void *context, unsigned count, unsigned size)
{
    (void)context;
    return apus_calloc(count, size);
}

static void release(void *context, void *memory)
{
    (void)context;
    apus_free(memory);
}

const z_stream apus__zlib_start = {.zalloc = allocate, .zfree = release};
