/* Memory that was freed goes back to the system: the C library by itself keeps most of it. */
#ifndef APUS_SERVER_TRIM_H
#define APUS_SERVER_TRIM_H

#include <stdbool.h>
#include <stddef.h>

#include "net/loop.h"

/* How far the memory in use has to fall below its peak. */
#define APUS_TRIM_FALL ((size_t)64 << 20)

/* One for the process, as the heap is; all zero is the start. */
typedef struct apus_trim {
    size_t peak; /* since the last time */
} apus_trim;

/* Whether memory is to be given back now that `used` bytes are in use; true for one of several callers only. */
bool apus__trim_is_due(apus_trim *trim, size_t used);

/* Gives memory back in a thread of libuv's pool, if that is due. On the loop's thread. */
void apus__trim(apus_loop *loop, size_t used);

#endif
