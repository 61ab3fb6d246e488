#include "wire/zlib_stream.h"

#include "apus/alloc.h"

static void *allocate(void *context, unsigned count, unsigned size)
{
    (void)context;
    return apus_malloc((size_t)count * size);
}

static void release(void *context, void *memory)
{
    (void)context;
    apus_free(memory);
}

const z_stream apus__zlib_start = {.zalloc = allocate, .zfree = release};
