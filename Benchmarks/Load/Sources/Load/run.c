#include "load/run.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/process.h"
#include "load/progress.h"

#define EVENTS 256
#define MOST_OPENING 128 /* at a time, lest the server's backlog overflow */
#define SETTLING (LOAD_SECOND / 10)
#define DRAINING (5 * LOAD_SECOND)
#define SPARE_DESCRIPTORS 32

void load_run_fail(load_run *run, const char *words, ...)
{
    if (run->has_failed)
        return;
    run->has_failed = true;
    va_list arguments;
    va_start(arguments, words);
    vsnprintf(run->error, sizeof run->error, words, arguments);
    va_end(arguments);
}

static void snapshot(load_run *run, load_snapshot *out, bool has_memory)
{
    const load_options *options = run->options;
    *out = (load_snapshot){.own_cpu = load_process_own_cpu(), .heard_bytes = run->heard_bytes};
    for (size_t i = 0; i < options->pid_count; i++) {
        uint64_t cpu, memory = 0, threads = 0;
        if (!load_process_cpu(options->pids[i], &cpu) ||
            (has_memory &&
             (!load_process_memory(options->pids[i], &memory) || !load_process_threads(options->pids[i], &threads))))
            load_run_fail(run, "cannot read the CPU time and memory of process %d: %s", options->pids[i],
                          strerror(errno));
        out->server_cpu += cpu;
        out->server_memory += memory;
        out->server_threads += threads;
    }
    out->time = load_now();
}

static uint64_t nanoseconds(double seconds)
{
    return (uint64_t)(seconds * (double)LOAD_SECOND);
}

void load_run_enter(load_run *run, load_phase phase, uint64_t now)
{
    const load_options *options = run->options;
    run->phase = phase;
    switch (phase) {
    case LOAD_PHASE_OPENING:
        run->phase_end = UINT64_MAX;
        break;
    case LOAD_PHASE_SETTLING:
        run->phase_end = now + SETTLING;
        break;
    case LOAD_PHASE_WARMING:
        snapshot(run, &run->opened, true);
        run->schedule = (load_schedule){.start = now, .rate = options->rate == 0 ? 1 : options->rate};
        run->phase_end = now + nanoseconds(options->warmup);
        if (options->messages != 0) /* they all count */
            load_run_enter(run, LOAD_PHASE_MEASURING, now);
        break;
    case LOAD_PHASE_MEASURING:
        run->heard = run->heard_bytes = 0;
        load_histogram_reset(&run->latency);
        snapshot(run, &run->start, false);
        run->phase_end = options->messages != 0 ? UINT64_MAX : run->start.time + nanoseconds(options->duration);
        break;
    case LOAD_PHASE_DRAINING:
        snapshot(run, &run->end, true);
        run->phase_end = now + DRAINING;
        break;
    case LOAD_PHASE_DONE:
        break;
    }
}

static bool make_tls(load_run *run)
{
    const load_options *options = run->options;
    if (!options->is_tls)
        return true;
    run->tls = SSL_CTX_new(TLS_client_method());
    if (run->tls == NULL) {
        load_run_fail(run, "cannot set up TLS");
        return false;
    }
    SSL_CTX_set_mode(run->tls,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(run->tls, 1); /* one system call a record, not two */
    SSL_CTX_set_verify(run->tls, options->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    int loaded = options->ca == NULL ? SSL_CTX_set_default_verify_paths(run->tls)
                                     : SSL_CTX_load_verify_file(run->tls, options->ca);
    if (loaded != 1)
        load_run_fail(run, "cannot read certificates from %s", options->ca == NULL ? "the system" : options->ca);
    return loaded == 1;
}

static bool find_address(load_run *run)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int error = getaddrinfo(run->options->host, run->options->port, &hints, &run->address);
    if (error != 0)
        load_run_fail(run, "cannot find %s: %s", run->options->host, gai_strerror(error));
    return error == 0;
}

static bool raise_limit(load_run *run)
{
    struct rlimit limit;
    rlim_t wanted = run->count + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted)
        load_run_fail(run, "%zu connections need as many open files, and this user may have %llu (ulimit -Hn)",
                      run->count, (unsigned long long)limit.rlim_max);
    return limit.rlim_cur >= wanted;
}

static bool allocate(load_run *run)
{
    const load_options *options = run->options;
    size_t in_flight = 1;
    while (in_flight < options->depth)
        in_flight *= 2;
    run->sent_at_mask = in_flight - 1;
    run->quota = options->messages / run->count;
    run->connections = calloc(run->count, sizeof *run->connections);
    /* A fan-out has its times in one place, since all connections hear the same. */
    run->sent_at = calloc(options->mode == LOAD_MODE_ECHO ? run->count * in_flight : in_flight, sizeof(uint64_t));
    run->remaining = calloc(in_flight, sizeof *run->remaining);
    run->buffer = malloc(LOAD_BUFFER_SIZE);
    if (run->connections == NULL || run->sent_at == NULL || run->remaining == NULL || run->buffer == NULL ||
        !load_tape_init(&run->tape, options)) {
        load_run_fail(run, "out of memory");
        return false;
    }
    for (size_t i = 0; i < run->count; i++) {
        load_connection *connection = &run->connections[i];
        connection->index = (uint32_t)i;
        bool is_echo = options->mode == LOAD_MODE_ECHO;
        connection->sent_at = is_echo ? run->sent_at + i * in_flight : run->sent_at;
        /* Odd, so that neighbours send different things; a fan-out's all hear the same. */
        connection->offset = is_echo ? i * 37 : 0;
    }
    return true;
}

static const load_work *const works[] = {
    [LOAD_MODE_ECHO] = &load_echo_work,
    [LOAD_MODE_FANOUT] = &load_fanout_work,
    [LOAD_MODE_CONNECT] = &load_connect_work,
    [LOAD_MODE_IDLE] = &load_idle_work,
};

static bool prepare(load_run *run, const load_options *options)
{
    *run = (load_run){.options = options, .work = works[options->mode], .count = options->connections};
    run->seed = load_now();
    run->deadline = load_now() + nanoseconds(options->timeout);
    run->poll = epoll_create1(EPOLL_CLOEXEC);
    load_histogram_reset(&run->latency);
    prctl(PR_SET_TIMERSLACK, 1UL); /* messages at a fixed rate are due to the microsecond */
    if (run->poll < 0)
        load_run_fail(run, "epoll_create1: %s", strerror(errno));
    return run->poll >= 0 && raise_limit(run) && find_address(run) && make_tls(run) && allocate(run);
}

static void open_more(load_run *run)
{
    while (run->begun < run->count &&
           (run->begun - run->open < MOST_OPENING || run->options->mode == LOAD_MODE_CONNECT) && !run->has_failed)
        load_connection_open(run, &run->connections[run->begun++]);
}

/* Goes from phase to phase as time passes. */
static void go_on(load_run *run, uint64_t now)
{
    if (run->phase == LOAD_PHASE_OPENING) {
        open_more(run);
        if (run->open == run->count || (run->options->mode == LOAD_MODE_CONNECT && run->begun == run->count))
            load_run_enter(run, LOAD_PHASE_SETTLING, now);
    }
    if (run->phase != LOAD_PHASE_DONE && now >= run->phase_end)
        load_run_enter(run, run->phase + 1, now);
    if (now >= run->deadline)
        load_run_fail(run, "%zu of %zu connections are open and %llu messages came back, but time is up (--timeout)",
                      run->open, run->count, (unsigned long long)run->heard);
}

/* Waits for events until a time. Only a fixed rate needs it to the nanosecond, and a kernel that can (Linux 5.11). */
static int wait_for_events(load_run *run, struct epoll_event events[EVENTS], uint64_t until)
{
    uint64_t now = load_now(), left = until > now ? until - now : 0;
    if (run->options->rate != 0) {
        struct timespec timeout = {.tv_sec = (time_t)(left / LOAD_SECOND), .tv_nsec = (long)(left % LOAD_SECOND)};
        int count = epoll_pwait2(run->poll, events, EVENTS, &timeout, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
    }
    uint64_t milliseconds = (left + LOAD_SECOND / 1000 - 1) / (LOAD_SECOND / 1000);
    return epoll_wait(run->poll, events, EVENTS, milliseconds < INT_MAX ? (int)milliseconds : INT_MAX);
}

static void wait_and_handle(load_run *run, uint64_t until)
{
    struct epoll_event events[EVENTS];
    int count = wait_for_events(run, events, until);
    if (count < 0 && errno != EINTR)
        load_run_fail(run, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count && !run->has_failed; i++)
        load_connection_handle(run, events[i].data.ptr, events[i].events);
}

bool load_run_all(load_run *run, const load_options *options)
{
    if (!prepare(run, options))
        return false;
    load_progress progress;
    load_progress_begin(&progress, options);
    snapshot(run, &run->first, true);
    load_run_enter(run, LOAD_PHASE_OPENING, load_now());
    while (run->phase != LOAD_PHASE_DONE && !run->has_failed) {
        uint64_t now = load_now();
        go_on(run, now);
        uint64_t until = run->work->on_turn(run, now);
        uint64_t tick = load_progress_show(&progress, run, now);
        if (until > run->phase_end)
            until = run->phase_end;
        if (until > tick)
            until = tick;
        if (until > run->deadline)
            until = run->deadline;
        if (!run->has_failed && run->phase != LOAD_PHASE_DONE)
            wait_and_handle(run, until);
    }
    load_progress_end(&progress);
    return !run->has_failed;
}

void load_run_deinit(load_run *run)
{
    for (size_t i = 0; run->connections != NULL && i < run->count; i++) {
        if (run->connections[i].state != LOAD_STATE_CLOSED)
            load_connection_abort(run, &run->connections[i]);
    }
    free(run->connections);
    free(run->sent_at);
    free(run->remaining);
    free(run->buffer);
    load_tape_deinit(&run->tape);
    SSL_CTX_free(run->tls);
    if (run->address != NULL)
        freeaddrinfo(run->address);
    if (run->poll >= 0)
        close(run->poll);
}
