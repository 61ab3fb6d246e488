/* How much memory the process holds for its connections: what passes through alloc.h, and what others report. */
#ifndef APUS_GAUGE_H
#define APUS_GAUGE_H

#include <stdbool.h>
#include <stddef.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Reports memory that does not pass through alloc.h: positive when it is taken, negative when it is given back. Takes
 * no lock. Callable from any thread; the one that gives back may be another than the one that took. */
void apus_memory_add(ptrdiff_t bytes);

/* The memory in use, in bytes: every block of alloc.h with the C library's own overhead, counted once no matter how
 * many hold it, and what apus_memory_add reported. Callable from any thread; reads some 64 cache lines. */
size_t apus_memory_now(void);

/* The same for a single load; it is off by at most 1 MiB. */
size_t apus_memory_estimate(void);

/* Whether the calling thread has taken or given back much, 16 KiB and more, since it last asked. */
bool apus_memory_has_moved(void);

/* For tests: what the calling thread has taken since it began, less what it has given back. */
ptrdiff_t apus_memory_here(void);

APUS_ASSUME_NONNULL_END

#endif
