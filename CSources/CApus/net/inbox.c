/* Other threads put items in under a lock; the loop takes them all out at once and runs them without it. */
#include "net/inbox.h"

#include <stdlib.h>

#include "apus/gauge.h"
#include "net/loop.h"

#define FIRST_CAPACITY 64

/* Jobs and calls that run between two looks at the network. */
#define ITEMS_PER_TURN 4096

int apus__inbox_init(apus_inbox *inbox, const apus_loop_limits *limits)
{
    int error = uv_mutex_init(&inbox->lock);
    if (error != 0)
        return error;
    error = apus__allowance_init(&inbox->room, limits->inbox_deliveries, limits->inbox_bytes);
    if (error != 0)
        uv_mutex_destroy(&inbox->lock);
    return error;
}

/* Not from alloc.h, where a test makes allocations fail: without this memory a task would be lost. */
static void grow(apus_posts *posts)
{
    size_t capacity = posts->capacity == 0 ? FIRST_CAPACITY : posts->capacity * 2;
    apus_posted *items = realloc(posts->items, capacity * sizeof *items);
    if (items == NULL)
        apus__loop_abort_without_memory();
    apus_memory_add((ptrdiff_t)((capacity - posts->capacity) * sizeof *items));
    posts->items = items;
    posts->capacity = capacity;
}

static void free_posts(apus_posts *posts)
{
    apus_memory_add(-(ptrdiff_t)(posts->capacity * sizeof *posts->items));
    free(posts->items);
    *posts = (apus_posts){0};
}

void apus__inbox_deinit(apus_inbox *inbox)
{
    free_posts(&inbox->posts);
    free_posts(&inbox->taken);
    apus__allowance_deinit(&inbox->room);
    uv_mutex_destroy(&inbox->lock);
}

static void put(apus_loop *loop, apus_posted item)
{
    apus_inbox *inbox = &loop->inbox;
    apus_posts *posts = &inbox->posts;
    uv_mutex_lock(&inbox->lock);
    if (posts->count == posts->capacity)
        grow(posts);
    posts->items[posts->count++] = item;
    /* Under the lock: once the last call, which ends the loop, has been taken out, nobody may touch `wake`. */
    if (posts->count == 1)
        uv_async_send(&loop->wake);
    uv_mutex_unlock(&inbox->lock);
}

void apus_loop_enqueue(apus_loop *loop, void *job)
{
    if (loop == apus__loop_here)
        apus__loop_push_job(loop, job);
    else
        put(loop, (apus_posted){.call = NULL, .argument = job});
}

void apus_loop_post(apus_loop *loop, apus_call_cb call, void *argument)
{
    put(loop, (apus_posted){.call = call, .argument = argument});
}

/* Takes out what has come; false if nothing has. All that was taken out before has run. */
static bool take_all(apus_inbox *inbox)
{
    free_posts(&inbox->taken);
    uv_mutex_lock(&inbox->lock);
    inbox->taken = inbox->posts;
    inbox->posts = (apus_posts){0};
    uv_mutex_unlock(&inbox->lock);
    inbox->next = 0;
    return inbox->taken.count != 0;
}

/* Runs the next item; false if it must wait: a call must not overtake a job that came before it. */
static bool run_next(apus_loop *loop)
{
    apus_inbox *inbox = &loop->inbox;
    apus_posted item = inbox->taken.items[inbox->next];
    if (item.call == NULL) {
        inbox->next++;
        inbox->last_job = apus__loop_push_job(loop, item.argument);
        apus__loop_drain(loop);
        return true;
    }
    if (!apus__loop_has_run(loop, inbox->last_job)) {
        apus__loop_drain(loop);
        if (!apus__loop_has_run(loop, inbox->last_job))
            return false;
    }
    inbox->next++;
    item.call(item.argument);
    /* What it has enqueued was asked for before the next item. */
    if (loop->jobs.count != 0)
        apus__loop_drain(loop);
    return true;
}

/* Whether the turn may take one more publication. */
static bool may_go_on(const apus_loop *loop)
{
    const apus_inbox *inbox = &loop->inbox;
    return inbox->round_deliveries < loop->limits.turn_deliveries && inbox->round_bytes < loop->limits.turn_bytes;
}

void apus__inbox_run(apus_loop *loop)
{
    apus_inbox *inbox = &loop->inbox;
    inbox->round_deliveries = 0;
    inbox->round_bytes = 0;
    bool has_rest = inbox->next != inbox->taken.count;
    if (!has_rest && !take_all(inbox))
        return;
    size_t end = inbox->taken.count - inbox->next < ITEMS_PER_TURN ? inbox->taken.count : inbox->next + ITEMS_PER_TURN;
    while (inbox->next != end && may_go_on(loop) && run_next(loop))
        ;
    /* What came behind a rest has not woken the loop for itself. */
    if (has_rest || inbox->next != inbox->taken.count)
        apus__loop_wake(loop);
}

void apus__inbox_delivered(apus_loop *loop, uint64_t deliveries, uint64_t bytes)
{
    loop->inbox.round_deliveries += deliveries;
    loop->inbox.round_bytes += bytes;
}
