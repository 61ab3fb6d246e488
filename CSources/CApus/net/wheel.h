/* A timer wheel: coarse timers for very many connections, each one list node, armed and disarmed in constant time. */
#ifndef APUS_WHEEL_H
#define APUS_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "apus/queue.h"

/* Milliseconds of one tick: how late, at most, a timer fires. */
#define APUS_WHEEL_TICK 50
#define APUS_WHEEL_SLOTS 256

typedef struct apus_timer apus_timer;
typedef void (*apus_timer_cb)(apus_timer *timer);

struct apus_timer {
    apus_queue node;
    uint64_t deadline; /* in ticks; 0: not armed */
    apus_timer_cb on_fire;
};

typedef struct apus_wheel {
    uint64_t now; /* ticks since the wheel began */
    uint32_t armed;
    apus_queue slots[APUS_WHEEL_SLOTS];
} apus_wheel;

void apus__wheel_init(apus_wheel *wheel);

/* Makes a timer that is not armed. */
void apus__timer_init(apus_timer *timer, apus_timer_cb on_fire);

/* Arms, or arms anew, a timer to fire once, not before `delay` milliseconds from now. */
void apus__wheel_arm(apus_wheel *wheel, apus_timer *timer, uint64_t delay);

/* Disarms; harmless where the timer is not armed. */
void apus__wheel_disarm(apus_wheel *wheel, apus_timer *timer);

/* Moves the wheel to `now` (in ticks) and fires what is due. A timer may arm or disarm any timer, itself included. */
void apus__wheel_advance(apus_wheel *wheel, uint64_t now);

#endif
