/* The loop's thread, its turn, and the jobs of its own thread, which are a plain queue. */
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apus/alloc.h"
#include "apus/gauge.h"
#include "net/clock.h"
#include "net/secure.h"
#include "net/stream.h"
#include "net/uv_loop.h"

#define FIRST_JOB_CAPACITY 64

/* Jobs that run between two looks at the network. A task that always queues itself again must not starve it. */
#define JOBS_PER_DRAIN 1024

/* Bytes that are flushed between two looks at the network: a few milliseconds' worth. */
#define WRITTEN_PER_TURN ((size_t)4 << 20)

/* What a loop keeps of large blocks, and for how many ticks without large messages: a second. */
#define KEPT_BYTES ((size_t)8 << 20)
#define KEPT_TICKS (1000 / APUS_WHEEL_TICK)

_Thread_local const apus_loop *apus__loop_here;

void *apus_loop_current_context(void)
{
    return apus__loop_here != NULL ? apus__loop_here->run_context : NULL;
}

void apus__loop_abort_without_memory(void)
{
    fputs("apus: out of memory: a task would be lost\n", stderr);
    abort();
}

static void grow_jobs(apus_jobs *jobs)
{
    size_t capacity = jobs->capacity == 0 ? FIRST_JOB_CAPACITY : jobs->capacity * 2;
    void **ring = malloc(capacity * sizeof *ring);
    if (ring == NULL)
        apus__loop_abort_without_memory();
    for (size_t i = 0; i < jobs->count; i++)
        ring[i] = jobs->ring[(jobs->first + i) & (jobs->capacity - 1)];
    apus_memory_add((ptrdiff_t)((capacity - jobs->capacity) * sizeof *ring));
    free(jobs->ring);
    jobs->ring = ring;
    jobs->capacity = capacity;
    jobs->first = 0;
}

uint64_t apus__loop_push_job(apus_loop *loop, void *job)
{
    apus_jobs *jobs = &loop->jobs;
    if (jobs->count == jobs->capacity)
        grow_jobs(jobs);
    jobs->ring[(jobs->first + jobs->count++) & (jobs->capacity - 1)] = job;
    return ++jobs->pushed;
}

static void *take_job(apus_jobs *jobs)
{
    void *job = jobs->ring[jobs->first];
    jobs->first = (jobs->first + 1) & (jobs->capacity - 1);
    jobs->count--;
    return job;
}

void apus__loop_drain(apus_loop *loop)
{
    for (int budget = JOBS_PER_DRAIN; loop->jobs.count != 0 && budget > 0; budget--) {
        loop->running = take_job(&loop->jobs);
        loop->run_job(loop->run_context, loop->running);
    }
    loop->running = NULL;
}

void *apus_loop_running(const apus_loop *loop)
{
    return loop == apus__loop_here ? loop->running : NULL;
}

void apus__loop_wake(apus_loop *loop)
{
    if (!uv_is_closing((uv_handle_t *)&loop->wake))
        uv_async_send(&loop->wake);
}

static void on_wake(uv_async_t *wake)
{
    apus__inbox_run(wake->data);
}

static uint64_t ticks(const apus_loop *loop)
{
    return apus__loop_now(loop) / APUS_WHEEL_TICK;
}

void apus__loop_skip(apus_loop *loop, uint64_t time)
{
    loop->clock_skipped += time;
    uv_update_time(&loop->uv);
    apus__wheel_advance(&loop->wheel, ticks(loop));
}

/* Timers judge peers, so they fire after the sockets have been read: behind the poll that follows the tick. After a
 * pause (a stopped process, a long turn) what a peer has sent meanwhile is seen before it is found to be late. */
static void on_polled(uv_check_t *polled)
{
    apus_loop *loop = polled->data;
    uv_check_stop(polled);
    uv_idle_stop(&loop->hurry);
    apus__wheel_advance(&loop->wheel, ticks(loop));
    apus_alloc_age(KEPT_TICKS);
    if (loop->wheel.armed == 0 && apus_alloc_kept() == 0)
        uv_timer_stop(&loop->tick);
}

/* An idle handle that is active makes the next poll return at once; that is all it is for. */
static void on_hurry(uv_idle_t *hurry)
{
    (void)hurry;
}

static void on_tick(uv_timer_t *tick)
{
    apus_loop *loop = tick->data;
    uv_check_start(&loop->polled, on_polled);
    uv_idle_start(&loop->hurry, on_hurry);
}

bool apus__loop_is_ticking(const apus_loop *loop)
{
    return uv_is_active((const uv_handle_t *)&loop->tick) != 0;
}

/* The clock stands still while nothing waits for it, and the wheel with it. */
static void start_clock(apus_loop *loop)
{
    if (uv_is_active((uv_handle_t *)&loop->tick))
        return;
    uv_update_time(&loop->uv);
    apus__wheel_advance(&loop->wheel, ticks(loop));
    uv_timer_start(&loop->tick, on_tick, APUS_WHEEL_TICK, APUS_WHEEL_TICK);
}

void apus__loop_arm(apus_loop *loop, apus_timer *timer, uint64_t delay)
{
    start_clock(loop);
    /* The wheel may be behind the clock: it is moved only after a poll. */
    uint64_t behind = ticks(loop) - loop->wheel.now;
    apus__wheel_arm(&loop->wheel, timer, delay + behind * APUS_WHEEL_TICK);
}

void apus__loop_disarm(apus_loop *loop, apus_timer *timer)
{
    apus__wheel_disarm(&loop->wheel, timer);
}

void apus__loop_watch_memory(apus_loop *loop, apus_watcher *watcher, void (*on_memory)(apus_watcher *watcher))
{
    watcher->on_memory = on_memory;
    apus_queue_append(&loop->watchers, &watcher->node);
}

void apus__loop_again(apus_loop *loop)
{
    loop->is_to_look = true;
    uv_async_send(&loop->wake);
}

static APUS_NOINLINE void tell_watchers(apus_loop *loop)
{
    loop->is_to_look = false;
    for (apus_queue *node = loop->watchers.next; node != &loop->watchers; node = node->next)
        APUS_QUEUE_MEMBER(node, apus_watcher, node)->on_memory(APUS_QUEUE_MEMBER(node, apus_watcher, node));
}

/* Before the loop waits: nothing may be left to run or to send. */
static void on_turn(uv_prepare_t *turn)
{
    apus_loop *loop = turn->data;
    apus__loop_drain(loop);
    loop->write_left = WRITTEN_PER_TURN;
    apus__stream_flush_dirty(loop);
    loop->write_left = WRITTEN_PER_TURN;
    loop->turn_number++;
    if (APUS_UNLIKELY(apus_memory_has_moved() || loop->is_to_look))
        tell_watchers(loop);
    bool is_awaited = apus__allowance_is_awaited(&loop->turn_room);
    apus__allowance_reset(&loop->turn_room);
    if (is_awaited || loop->jobs.count != 0 || !apus_queue_is_empty(&loop->dirty))
        apus__loop_wake(loop);
    if (APUS_UNLIKELY(apus_alloc_kept() != 0)) /* which must not stay for ever */
        start_clock(loop);
}

static int open_handles(apus_loop *loop)
{
    int error = uv_loop_init(&loop->uv);
    if (error != 0)
        return error;
    error = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (error != 0) {
        uv_loop_close(&loop->uv);
        return error;
    }
    /* Neither of these can fail. */
    uv_prepare_init(&loop->uv, &loop->turn);
    uv_prepare_start(&loop->turn, on_turn);
    uv_timer_init(&loop->uv, &loop->tick);
    uv_check_init(&loop->uv, &loop->polled);
    uv_idle_init(&loop->uv, &loop->hurry);
    loop->wake.data = loop;
    loop->turn.data = loop;
    loop->tick.data = loop;
    loop->polled.data = loop;
    return 0;
}

static void free_memory(apus_loop *loop)
{
    apus_memory_add(-(ptrdiff_t)(loop->jobs.capacity * sizeof *loop->jobs.ring));
    free(loop->jobs.ring);
    apus__secure_buffers_free(loop->secure);
    apus_free(loop->random);
    apus_free(loop->cork);
    apus_free(loop->read_buffer);
    apus_free(loop);
}

apus_loop *apus_loop_new(void)
{
    apus_loop *loop = apus_calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    apus_queue_init(&loop->dirty);
    apus_queue_init(&loop->watchers);
    apus__wheel_init(&loop->wheel);
    loop->read_buffer = apus_malloc(APUS_READ_BUFFER_SIZE);
    loop->cork = apus_malloc(APUS_CORK_SIZE);
    if (loop->read_buffer == NULL || loop->cork == NULL)
        goto free_loop;
    apus_loop_limits_init(&loop->limits);
    if (apus__inbox_init(&loop->inbox, &loop->limits) != 0)
        goto free_loop;
    if (apus__allowance_init(&loop->turn_room, loop->limits.turn_deliveries, loop->limits.turn_bytes) != 0)
        goto deinit_inbox;
    if (open_handles(loop) != 0)
        goto deinit_turn;
    return loop;

deinit_turn:
    apus__allowance_deinit(&loop->turn_room);
deinit_inbox:
    apus__inbox_deinit(&loop->inbox);
free_loop:
    free_memory(loop);
    return NULL;
}

void apus_loop_limits_init(apus_loop_limits *limits)
{
    *limits = (apus_loop_limits){
        .inbox_deliveries = 64 << 10,
        .inbox_bytes = 4 << 20,
        .turn_deliveries = 16 << 10,
        .turn_bytes = 16 << 20,
    };
}

void apus_loop_set_limits(apus_loop *loop, const apus_loop_limits *limits)
{
    loop->limits = *limits;
    loop->inbox.room.most_deliveries = limits->inbox_deliveries;
    loop->inbox.room.most_bytes = limits->inbox_bytes;
    loop->turn_room.most_deliveries = limits->turn_deliveries;
    loop->turn_room.most_bytes = limits->turn_bytes;
}

void apus_loop_count(const apus_loop *loop, apus_loop_counts *out)
{
    const apus_allowance *turn = &loop->turn_room, *inbox = &loop->inbox.room;
    *out = (apus_loop_counts){
        .refused =
            __atomic_load_n(&turn->refused, __ATOMIC_RELAXED) + __atomic_load_n(&inbox->refused, __ATOMIC_RELAXED),
        .delayed =
            __atomic_load_n(&turn->delayed, __ATOMIC_RELAXED) + __atomic_load_n(&inbox->delayed, __ATOMIC_RELAXED),
        .pending_deliveries = __atomic_load_n(&inbox->deliveries, __ATOMIC_RELAXED),
        .pending_bytes = __atomic_load_n(&inbox->bytes, __ATOMIC_RELAXED),
    };
}

uv_loop_t *apus__loop_uv(apus_loop *loop)
{
    return &loop->uv;
}

void apus_loop_set_runner(apus_loop *loop, apus_job_cb run, void *context)
{
    loop->run_job = run;
    loop->run_context = context;
}

static void close_handles(void *argument)
{
    apus_loop *loop = argument;
    uv_close((uv_handle_t *)&loop->turn, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->polled, NULL);
    uv_close((uv_handle_t *)&loop->hurry, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
}

/* The handles are closed and the thread, if there was one, has nothing more to do. */
static void destroy(apus_loop *loop)
{
    int error = uv_loop_close(&loop->uv);
    if (error != 0) {
        fputs("apus: a loop was freed while it still had connections\n", stderr);
        abort();
    }
    apus__allowance_deinit(&loop->turn_room);
    apus__inbox_deinit(&loop->inbox);
    free_memory(loop);
}

static void run_thread(void *argument)
{
    apus_loop *loop = argument;
    apus__loop_here = loop;
    pthread_setname_np(pthread_self(), loop->name);
    apus_alloc_keep(KEPT_BYTES);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    apus_alloc_keep(0);
    apus__loop_here = NULL;
    if (loop->frees_itself)
        destroy(loop);
}

int apus_loop_start(apus_loop *loop, const char *name)
{
    snprintf(loop->name, sizeof loop->name, "%s", name);
    int error = uv_thread_create(&loop->thread, run_thread, loop);
    loop->is_started = error == 0;
    return error;
}

/* The end of a loop, as another thread asks for it. */
typedef struct loop_end {
    apus_loop *loop;
    uv_sem_t is_told;
    bool is_late;
} loop_end;

/* A request that runs on a thread of libuv's, such as the resolution of a name, cannot be cancelled and may take a
 * minute. The loop's own thread waits for it, and nobody else. */
static void on_end(void *argument)
{
    loop_end *end = argument;
    apus_loop *loop = end->loop;
    end->is_late = loop->uv.active_reqs.count != 0;
    loop->frees_itself = end->is_late;
    close_handles(loop);
    uv_sem_post(&end->is_told);
}

void apus_loop_free(apus_loop *loop)
{
    if (!loop->is_started) {
        close_handles(loop);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        destroy(loop);
        return;
    }
    if (loop == apus__loop_here) {
        loop->frees_itself = true;
        pthread_detach(loop->thread);
        close_handles(loop);
        return;
    }
    uv_thread_t thread = loop->thread;
    loop_end end = {.loop = loop};
    if (uv_sem_init(&end.is_told, 0) != 0)
        abort(); /* it can only fail for a wrong argument */
    apus_loop_post(loop, on_end, &end);
    uv_sem_wait(&end.is_told);
    uv_sem_destroy(&end.is_told);
    if (end.is_late) {
        pthread_detach(thread);
        return;
    }
    uv_thread_join(&thread);
    destroy(loop);
}
