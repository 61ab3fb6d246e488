/* The counters are atomic, and a wait looks at them again once it is on the list; whoever lowers them looks at the list
 * afterwards. So one of the two sees the other, and no wait is forgotten. */
#include "net/allowance.h"

int apus__allowance_init(apus_allowance *allowance, uint64_t most_deliveries, uint64_t most_bytes)
{
    *allowance = (apus_allowance){.most_deliveries = most_deliveries, .most_bytes = most_bytes};
    apus_queue_init(&allowance->waits);
    return uv_mutex_init(&allowance->lock);
}

void apus__allowance_deinit(apus_allowance *allowance)
{
    uv_mutex_destroy(&allowance->lock);
}

/* A publication is for one subscriber at least, so no deliveries means that nothing is taken. */
static bool fits(const apus_allowance *allowance, uint64_t taken, uint64_t taken_bytes, uint64_t deliveries,
                 uint64_t bytes)
{
    if (taken == 0)
        return true;
    return taken + deliveries <= allowance->most_deliveries && taken_bytes + bytes <= allowance->most_bytes;
}

bool apus__allowance_has_room(const apus_allowance *allowance, uint64_t deliveries, uint64_t bytes)
{
    return fits(allowance, __atomic_load_n(&allowance->deliveries, __ATOMIC_SEQ_CST),
                __atomic_load_n(&allowance->bytes, __ATOMIC_SEQ_CST), deliveries, bytes);
}

bool apus__allowance_take(apus_allowance *allowance, uint64_t deliveries, uint64_t bytes, const apus_publish_wait *wait)
{
    bool is_next = !apus__allowance_is_awaited(allowance) || (wait != NULL && wait->ticket != 0);
    if (is_next) {
        uint64_t taken = __atomic_fetch_add(&allowance->deliveries, deliveries, __ATOMIC_SEQ_CST);
        uint64_t taken_bytes = __atomic_fetch_add(&allowance->bytes, bytes, __ATOMIC_SEQ_CST);
        if (fits(allowance, taken, taken_bytes, deliveries, bytes))
            return true;
        /* Somebody may have begun to wait because of what was taken for a moment. */
        apus__allowance_give_back(allowance, deliveries, bytes);
    }
    __atomic_fetch_add(&allowance->refused, 1, __ATOMIC_RELAXED);
    return false;
}

void apus__allowance_give_back(apus_allowance *allowance, uint64_t deliveries, uint64_t bytes)
{
    /* In the order in which they are taken, backwards: where no deliveries are counted, no bytes are. */
    __atomic_fetch_sub(&allowance->bytes, bytes, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&allowance->deliveries, deliveries, __ATOMIC_SEQ_CST);
    apus__allowance_resume(allowance);
}

void apus__allowance_reset(apus_allowance *allowance)
{
    __atomic_store_n(&allowance->bytes, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&allowance->deliveries, 0, __ATOMIC_SEQ_CST);
    apus__allowance_resume(allowance);
}

/* Moves the waits to `ready` for which there is room. */
static void take_ready(apus_allowance *allowance, apus_queue *ready)
{
    uint64_t taken = __atomic_load_n(&allowance->deliveries, __ATOMIC_SEQ_CST);
    uint64_t bytes = __atomic_load_n(&allowance->bytes, __ATOMIC_SEQ_CST);
    /* Until half of it is free nobody is called: one that publishes much is called for many messages, not for each. */
    if (taken > allowance->most_deliveries / 2 || bytes > allowance->most_bytes / 2)
        return;
    while (!apus_queue_is_empty(&allowance->waits)) {
        apus_publish_wait *wait = APUS_QUEUE_MEMBER(allowance->waits.next, apus_publish_wait, node);
        if (!fits(allowance, taken, bytes, wait->deliveries, wait->bytes))
            return;
        taken += wait->deliveries;
        bytes += wait->bytes;
        wait->is_waiting = false;
        apus_queue_remove(&wait->node);
        apus_queue_append(ready, &wait->node);
        __atomic_fetch_sub(&allowance->waiting, 1, __ATOMIC_SEQ_CST);
    }
}

void apus__allowance_resume(apus_allowance *allowance)
{
    if (APUS_LIKELY(!apus__allowance_is_awaited(allowance)))
        return;
    apus_queue ready;
    apus_queue_init(&ready);
    uv_mutex_lock(&allowance->lock);
    take_ready(allowance, &ready);
    uv_mutex_unlock(&allowance->lock);
    for (apus_queue *node; (node = apus_queue_take(&ready)) != NULL;) {
        apus_publish_wait *wait = APUS_QUEUE_MEMBER(node, apus_publish_wait, node);
        wait->call(wait->argument);
    }
}

/* Before the first wait that began after this one. */
static void insert(apus_allowance *allowance, apus_publish_wait *wait)
{
    apus_queue *place = &allowance->waits;
    while (place->previous != &allowance->waits &&
           APUS_QUEUE_MEMBER(place->previous, apus_publish_wait, node)->ticket > wait->ticket)
        place = place->previous;
    apus_queue_append(place, &wait->node);
}

bool apus__allowance_wait(apus_allowance *allowance, apus_publish_wait *wait, uint64_t deliveries, uint64_t bytes)
{
    static uint64_t last_ticket;
    if (wait->ticket == 0)
        wait->ticket = __atomic_add_fetch(&last_ticket, 1, __ATOMIC_RELAXED);
    wait->allowance = allowance;
    wait->deliveries = deliveries;
    wait->bytes = bytes;
    uv_mutex_lock(&allowance->lock);
    insert(allowance, wait);
    __atomic_fetch_add(&allowance->waiting, 1, __ATOMIC_SEQ_CST);
    bool is_first = allowance->waits.next == &wait->node;
    bool may_go_on = is_first && apus__allowance_has_room(allowance, deliveries, bytes);
    wait->is_waiting = !may_go_on;
    if (may_go_on) {
        apus_queue_remove(&wait->node);
        __atomic_fetch_sub(&allowance->waiting, 1, __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_add(&allowance->delayed, 1, __ATOMIC_RELAXED);
    }
    uv_mutex_unlock(&allowance->lock);
    return !may_go_on;
}

bool apus_publish_wait_cancel(apus_publish_wait *wait)
{
    apus_allowance *allowance = wait->allowance;
    if (allowance == NULL)
        return false;
    wait->allowance = NULL;
    uv_mutex_lock(&allowance->lock);
    bool was_waiting = wait->is_waiting;
    if (was_waiting) {
        wait->is_waiting = false;
        apus_queue_remove(&wait->node);
        __atomic_fetch_sub(&allowance->waiting, 1, __ATOMIC_SEQ_CST);
    }
    uv_mutex_unlock(&allowance->lock);
    /* The next one may need less than this one did, or may use the room that this one was called for. */
    apus__allowance_resume(allowance);
    return was_waiting;
}
