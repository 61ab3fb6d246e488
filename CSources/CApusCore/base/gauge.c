/* One counter for the process would bounce between the caches of all threads. Each thread therefore has a cell, which
 * it shares with others only where there are more threads than cells, and moves to the total only what has become much.
 *
 * Cells are static and outlive the threads: what a thread has allocated may be freed by any other one. */
#include "apus/gauge.h"

#include <stdbool.h>
#include <stdint.h>

#define CELLS 64
#define CELL_BYTES 16384 /* a cell that holds more is emptied into the total */
#define CACHE_LINE 64

typedef struct cell {
    _Alignas(CACHE_LINE) intptr_t bytes;
} cell;

static cell cells[CELLS];
static _Alignas(CACHE_LINE) intptr_t total;
static unsigned last_cell;
static _Thread_local cell *mine;
static _Thread_local ptrdiff_t here;
static _Thread_local bool has_moved;

static cell *find_cell(void)
{
    if (mine == NULL)
        mine = &cells[__atomic_fetch_add(&last_cell, 1, __ATOMIC_RELAXED) % CELLS];
    return mine;
}

void apus_memory_add(ptrdiff_t bytes)
{
    here += bytes;
    cell *cell = find_cell();
    intptr_t sum = __atomic_add_fetch(&cell->bytes, bytes, __ATOMIC_RELAXED);
    if (APUS_LIKELY(sum <= CELL_BYTES && sum >= -CELL_BYTES))
        return;
    has_moved = true;
    __atomic_fetch_add(&total, __atomic_exchange_n(&cell->bytes, 0, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

bool apus_memory_has_moved(void)
{
    bool moved = has_moved;
    has_moved = false;
    return moved;
}

/* A thread may be ahead in giving back what another one has not reported yet. */
static size_t as_size(intptr_t sum)
{
    return sum < 0 ? 0 : (size_t)sum;
}

size_t apus_memory_now(void)
{
    intptr_t sum = __atomic_load_n(&total, __ATOMIC_RELAXED);
    for (size_t i = 0; i < CELLS; i++)
        sum += __atomic_load_n(&cells[i].bytes, __ATOMIC_RELAXED);
    return as_size(sum);
}

size_t apus_memory_estimate(void)
{
    return as_size(__atomic_load_n(&total, __ATOMIC_RELAXED));
}

ptrdiff_t apus_memory_here(void)
{
    return here;
}
