/* The time of a loop's timers, as a parameter. */
#ifndef APUS_NET_CLOCK_H
#define APUS_NET_CLOCK_H

#include <stdint.h>

#include "apus/loop.h"

/* For tests, on the loop's thread: puts the clock of the loop's timers forward by `time` milliseconds, and fires what
 * is due. */
void apus__loop_skip(apus_loop *loop, uint64_t time);

#endif
