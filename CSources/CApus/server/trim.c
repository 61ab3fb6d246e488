/* glibc returns the top of each arena only, so a few small blocks that live on keep everything below them resident.
 * malloc_trim walks all free blocks. It holds each arena's lock meanwhile, but runs beside the loops. */
#include "server/trim.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "apus/alloc.h"

static apus_trim process;

bool apus__trim_is_due(apus_trim *trim, size_t used)
{
    size_t peak = __atomic_load_n(&trim->peak, __ATOMIC_RELAXED);
    while (used > peak) {
        if (__atomic_compare_exchange_n(&trim->peak, &peak, used, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return false;
    }
    if (peak - used < APUS_TRIM_FALL)
        return false;
    return __atomic_compare_exchange_n(&trim->peak, &peak, used, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

#ifdef __GLIBC__
static void give_back(uv_work_t *work)
{
    (void)work;
    malloc_trim(0);
}

static void free_work(uv_work_t *work, int status)
{
    (void)status;
    apus_free(work);
}
#endif

void apus__trim(apus_loop *loop, size_t used)
{
#ifdef __GLIBC__
    if (!apus__trim_is_due(&process, used))
        return;
    uv_work_t *work = apus_malloc(sizeof *work);
    if (work != NULL && uv_queue_work(&loop->uv, work, give_back, free_work) != 0)
        apus_free(work);
#else
    (void)loop;
    (void)used;
    (void)process;
#endif
}
