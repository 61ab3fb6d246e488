/* A task's wait to publish, while a loop has no room for another publication. */
#ifndef APUS_PUBLISH_WAIT_H
#define APUS_PUBLISH_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/queue.h"

APUS_ASSUME_NONNULL_BEGIN

struct apus_allowance;

/* Lives in the caller's memory, which must not move, until its publication is done. */
typedef struct apus_publish_wait {
    apus_call_cb call; /* called once for each wait, on any thread: it is worth trying again */
    void *_Nullable argument;
    apus_queue node;
    struct apus_allowance *_Nullable allowance; /* where it waits, or waited last */
    uint64_t ticket;                            /* its place in the order of all waits */
    uint64_t deliveries;
    uint64_t bytes;
    bool is_waiting;
} apus_publish_wait;

/* Makes a wait that has not begun. */
static inline void apus_publish_wait_init(apus_publish_wait *wait, apus_call_cb call, void *_Nullable argument)
{
    *wait = (apus_publish_wait){.call = call, .argument = argument};
}

/* Ends a wait. Returns false if its call has been made or is about to be made. One that was called and publishes
 * nothing has to end its wait, too: others wait for the room that was meant for it. */
bool apus_publish_wait_cancel(apus_publish_wait *wait);

APUS_ASSUME_NONNULL_END

#endif
