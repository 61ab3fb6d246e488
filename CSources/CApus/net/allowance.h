/* How much may be published to a loop before it has caught up, and who waits to publish more.
 *
 * A loop has two: one for what other threads put into its inbox, and one for what its own thread publishes in one turn.
 * Nothing here blocks a thread for longer than it takes to change a list. */
#ifndef APUS_NET_ALLOWANCE_H
#define APUS_NET_ALLOWANCE_H

#include <uv.h>

#include "apus/publish_wait.h"

typedef struct apus_allowance {
    uint64_t deliveries; /* taken; one for each subscriber that a message is for */
    uint64_t bytes;
    uint64_t most_deliveries;
    uint64_t most_bytes;
    uv_mutex_t lock;  /* of `waits` */
    apus_queue waits; /* by their tickets */
    uint32_t waiting; /* how many there are; read without the lock */
    uint64_t refused; /* publications that had no room */
    uint64_t delayed; /* waits that began */
} apus_allowance;

/* 0, or a negative errno. */
int apus__allowance_init(apus_allowance *allowance, uint64_t most_deliveries, uint64_t most_bytes);
void apus__allowance_deinit(apus_allowance *allowance);

/* Takes room for a publication, from any thread. Always succeeds if nothing is taken, so that there is room for one
 * message of any size. Fails if somebody waits, unless this is `wait`, which has had its call. */
bool apus__allowance_take(apus_allowance *allowance, uint64_t deliveries, uint64_t bytes,
                          const apus_publish_wait *wait);

/* Gives room back, and calls those who can use it. */
void apus__allowance_give_back(apus_allowance *allowance, uint64_t deliveries, uint64_t bytes);

/* Gives everything back. */
void apus__allowance_reset(apus_allowance *allowance);

/* Calls the first who wait, as many as there is room for. */
void apus__allowance_resume(apus_allowance *allowance);

/* Begins a wait; false if there is room by now. */
bool apus__allowance_wait(apus_allowance *allowance, apus_publish_wait *wait, uint64_t deliveries, uint64_t bytes);

/* Whether a publication would fit. */
bool apus__allowance_has_room(const apus_allowance *allowance, uint64_t deliveries, uint64_t bytes);

/* Whether somebody waits. */
static inline bool apus__allowance_is_awaited(const apus_allowance *allowance)
{
    return __atomic_load_n(&allowance->waiting, __ATOMIC_SEQ_CST) != 0;
}

#endif
