/* The time, in nanoseconds since some fixed point. */
#ifndef LOAD_CLOCK_H
#define LOAD_CLOCK_H

#include <stdint.h>
#include <time.h>

#define LOAD_SECOND UINT64_C(1000000000)

static inline uint64_t load_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * LOAD_SECOND + (uint64_t)time.tv_nsec;
}

#endif
