/* A thread keeps a few large blocks, the newest of those it has freed. The smallest that is large enough goes first. */
#include "base/spares.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include "apus/alloc.h"
#include "apus/gauge.h"

#define MOST_BLOCKS 32

/* Or a use after free would go unseen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_NOTHING
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS_NOTHING
#endif
#endif

typedef struct block {
    void *memory;
    size_t size;
} block;

typedef struct spares {
    size_t most;
    size_t bytes;
    unsigned count;
    unsigned age;              /* calls of apus_alloc_age since a block was handed out */
    block blocks[MOST_BLOCKS]; /* the oldest first */
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

void apus__block_free(void *memory, size_t size)
{
    apus_memory_add(-(ptrdiff_t)(size + APUS__BLOCK_OVERHEAD));
    free(memory);
}

static bool fits(size_t block_size, size_t size)
{
    return block_size >= size && block_size / 2 <= size;
}

bool apus__spares_fits(const void *memory, size_t size)
{
    return mine.most != 0 && fits(apus__block_size(memory), size);
}

static void *remove_block(unsigned index)
{
    void *memory = mine.blocks[index].memory;
    mine.bytes -= mine.blocks[index].size;
    mine.count--;
    memmove(&mine.blocks[index], &mine.blocks[index + 1], (mine.count - index) * sizeof mine.blocks[0]);
    return memory;
}

void *apus__spares_take(size_t size)
{
    unsigned best = MOST_BLOCKS;
    for (unsigned i = 0; i < mine.count; i++) {
        if (fits(mine.blocks[i].size, size) && (best == MOST_BLOCKS || mine.blocks[i].size < mine.blocks[best].size))
            best = i;
    }
    if (best == MOST_BLOCKS)
        return NULL;
    mine.age = 0;
    return remove_block(best);
}

static void free_block(unsigned index)
{
    size_t size = mine.blocks[index].size;
    apus__block_free(remove_block(index), size);
}

bool apus__spares_put(void *memory, size_t size)
{
    if (size < APUS_LARGE_BLOCK || size > mine.most)
        return false;
    while (mine.count == MOST_BLOCKS || size > mine.most - mine.bytes)
        free_block(0);
    mine.blocks[mine.count++] = (block){.memory = memory, .size = size};
    mine.bytes += size;
    return true;
}

static void give_back(void)
{
    while (mine.count != 0)
        free_block(mine.count - 1);
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
