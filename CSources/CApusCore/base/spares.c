/* A thread keeps a few large blocks. The smallest that is large enough goes first; what has no room is freed. */
#include "base/spares.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef __APPLE__
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include "apus/alloc.h"

#define MOST_BLOCKS 32

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING /* or a use after free would go unseen */
#endif
#endif

typedef struct spares {
    size_t most;
    size_t bytes;
    unsigned count;
    unsigned age; /* calls of apus_alloc_age since a block was wanted */
    struct {
        void *memory;
        size_t size;
    } blocks[MOST_BLOCKS];
} spares;

static _Thread_local spares mine;

size_t apus__block_size(const void *memory)
{
#ifdef __APPLE__
    return malloc_size(memory);
#else
    return malloc_usable_size((void *)(uintptr_t)memory);
#endif
}

static bool fits(size_t block_size, size_t size)
{
    return block_size >= size && block_size / APUS__SPARE_WASTE <= size;
}

bool apus__spares_fits(const void *memory, size_t size)
{
    return mine.most != 0 && fits(apus__block_size(memory), size);
}

static void drop(unsigned index)
{
    mine.bytes -= mine.blocks[index].size;
    mine.blocks[index] = mine.blocks[--mine.count];
}

void *apus__spares_take(size_t size)
{
    unsigned best = MOST_BLOCKS;
    mine.age = 0;
    for (unsigned i = 0; i < mine.count; i++) {
        if (fits(mine.blocks[i].size, size) && (best == MOST_BLOCKS || mine.blocks[i].size < mine.blocks[best].size))
            best = i;
    }
    if (best == MOST_BLOCKS)
        return NULL;
    void *memory = mine.blocks[best].memory;
    drop(best);
    return memory;
}

bool apus__spares_put(void *memory)
{
    if (mine.most == 0 || memory == NULL)
        return false;
    size_t size = apus__block_size(memory);
    if (size < APUS_LARGE_BLOCK || mine.count == MOST_BLOCKS || size > mine.most - mine.bytes)
        return false;
    mine.blocks[mine.count].memory = memory;
    mine.blocks[mine.count].size = size;
    mine.count++;
    mine.bytes += size;
    return true;
}

static void give_back(void)
{
    while (mine.count != 0) {
        free(mine.blocks[0].memory);
        drop(0);
    }
}

void apus_alloc_keep(size_t most)
{
    give_back();
#ifndef KEEPS_NOTHING
    mine.most = most;
#else
    (void)most;
#endif
}

void apus_alloc_age(unsigned most)
{
    if (mine.count == 0 || ++mine.age <= most)
        return;
    mine.age = 0;
    give_back();
}

size_t apus_alloc_kept(void)
{
    return mine.bytes;
}
