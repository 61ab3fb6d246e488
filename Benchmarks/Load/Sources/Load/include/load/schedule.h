/* When messages are due at a fixed rate: evenly from a start on, one connection after the other. */
#ifndef LOAD_SCHEDULE_H
#define LOAD_SCHEDULE_H

#include <stdint.h>

#include "load/clock.h"

typedef struct load_schedule {
    uint64_t start; /* nanoseconds */
    uint64_t rate;  /* a second */
    uint64_t next;  /* number of the message that is due next */
} load_schedule;

static inline uint64_t load_schedule_time(const load_schedule *schedule, uint64_t message)
{
    /* In two parts, because their product with a second would overflow after some hours. */
    return schedule->start + message / schedule->rate * LOAD_SECOND +
           message % schedule->rate * LOAD_SECOND / schedule->rate;
}

#endif
