/* The inside of a loop, for the files of this target. */
#ifndef APUS_NET_LOOP_H
#define APUS_NET_LOOP_H

#include <uv.h>

#include "apus/loop.h"
#include "apus/queue.h"
#include "net/allowance.h"
#include "net/inbox.h"
#include "net/random.h"
#include "net/wheel.h"

/* Every connection of a loop reads into the same buffer: an idle connection owns none. */
#define APUS_READ_BUFFER_SIZE ((size_t)128 * 1024)

/* What one readable event makes a connection send is gathered here and leaves in one system call. */
#define APUS_CORK_SIZE ((size_t)128 * 1024)

typedef struct apus_stream apus_stream;
typedef struct apus_secure_buffers apus_secure_buffers;

/* Jobs in the order they came: a ring whose capacity is a power of two. */
typedef struct apus_jobs {
    void **ring;
    size_t capacity;
    size_t first;
    size_t count;
    uint64_t pushed; /* how many there have ever been */
} apus_jobs;

/* Somebody who wants to know when this loop has allocated or freed much. */
typedef struct apus_watcher {
    apus_queue node;
    void (*on_memory)(struct apus_watcher *watcher);
} apus_watcher;

struct apus_loop {
    apus_jobs jobs;
    apus_job_cb run_job;
    void *run_context;
    void *running;       /* the job that runs now */
    apus_stream *corked; /* whose bytes stand in `cork` */
    size_t cork_len;
    uint8_t *cork;
    uint8_t *read_buffer;
    apus_secure_buffers *secure; /* NULL until the loop has a TLS connection */
    apus_queue dirty;            /* streams with something to flush before the loop waits */
    apus_queue watchers;         /* of memory */
    uint32_t turn_number;        /* counted up before each poll */
    size_t write_left;           /* bytes that this turn may still flush */
    uint64_t clock_skipped;      /* ms that apus__loop_skip has added */
    uv_loop_t uv;
    uv_prepare_t turn;
    uv_async_t wake;
    uv_timer_t tick;
    uv_check_t polled; /* active from a tick to the end of the poll behind it */
    uv_idle_t hurry;   /* likewise */
    apus_wheel wheel;
    apus_random *random; /* NULL until the loop has a client */
    apus_loop_limits limits;
    apus_inbox inbox;
    apus_allowance turn_room; /* for what the loop's own thread publishes in a turn */
    uv_thread_t thread;
    char name[16];
    bool is_to_look; /* at its memory, in any case */
    bool is_started;
    bool frees_itself;
};

/* Runs the jobs that are queued, and those that they queue, up to a bound that keeps I/O alive. */
void apus__loop_drain(apus_loop *loop);

/* Queues a job, on the loop's thread; returns its number. */
uint64_t apus__loop_push_job(apus_loop *loop, void *job);

/* Whether the job with this number has been taken to run. */
static inline bool apus__loop_has_run(const apus_loop *loop, uint64_t job)
{
    return job <= loop->jobs.pushed - loop->jobs.count;
}

/* Makes the loop turn once more, even if nothing happens meanwhile; on its thread. */
void apus__loop_wake(apus_loop *loop);

_Noreturn void apus__loop_abort_without_memory(void);

/* The time in milliseconds, as it was when the loop polled last. */
static inline uint64_t apus__loop_now(const apus_loop *loop)
{
    return uv_now(&loop->uv) + loop->clock_skipped;
}

/* Arms a timer of the loop's wheel, `delay` in milliseconds. */
void apus__loop_arm(apus_loop *loop, apus_timer *timer, uint64_t delay);

/* Calls `on_memory` before the loop waits where memory has moved in its turn; until the watcher's node is removed. */
void apus__loop_watch_memory(apus_loop *loop, apus_watcher *watcher, void (*on_memory)(apus_watcher *watcher));

/* Makes the loop turn once more rather than wait, and look at its memory. On the loop's thread. */
void apus__loop_again(apus_loop *loop);

/* Whether the clock runs, which it does only while something waits for it. On the loop's thread. */
bool apus__loop_is_ticking(const apus_loop *loop);

/* Disarms a timer; harmless where it is not armed. */
void apus__loop_disarm(apus_loop *loop, apus_timer *timer);

#endif
