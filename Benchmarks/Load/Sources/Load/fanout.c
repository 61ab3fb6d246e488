/* Fan-out: the first connection sends, and every connection hears each message, in order. */
#include "load/run.h"

static void on_open(load_run *run, load_connection *connection)
{
    (void)run;
    (void)connection;
}

static void publish(load_run *run, uint64_t now)
{
    load_connection *publisher = &run->connections[0];
    const load_options *options = run->options;
    if (run->phase != LOAD_PHASE_WARMING && run->phase != LOAD_PHASE_MEASURING)
        return;
    if (options->messages != 0 && publisher->due == options->messages)
        return;
    if (options->rate == 0) {
        run->sent_at[publisher->due & run->sent_at_mask] = now;
        run->remaining[publisher->due & run->sent_at_mask] = (uint32_t)run->count;
    }
    publisher->due++;
    load_connection_flush(run, publisher);
}

static void on_heard(load_run *run, load_connection *connection, uint64_t first, uint64_t count)
{
    (void)connection;
    uint64_t now = load_now(), mask = run->sent_at_mask;
    for (uint64_t i = first; i < first + count && !run->has_failed; i++) {
        if (i >= run->connections[0].due) {
            load_run_fail(run, "connection %u heard a message that was not sent", connection->index);
        } else if (run->options->rate != 0) {
            load_run_record(run, now - load_schedule_time(&run->schedule, i), 1);
        } else {
            load_run_record(run, now - run->sent_at[i & mask], 1);
            if (--run->remaining[i & mask] == 0)
                publish(run, now);
        }
    }
}

static uint64_t follow_schedule(load_run *run, uint64_t now)
{
    load_schedule *schedule = &run->schedule;
    while (load_schedule_time(schedule, schedule->next) <= now && !run->has_failed) {
        schedule->next++;
        publish(run, now);
    }
    return load_schedule_time(schedule, schedule->next);
}

static void check_all_heard(load_run *run, uint64_t now)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->connections[i].heard == run->connections[0].due)
            continue;
        if (now >= run->phase_end)
            load_run_fail(run, "connection %zu heard %llu of %llu messages", i,
                          (unsigned long long)run->connections[i].heard, (unsigned long long)run->connections[0].due);
        return;
    }
    load_run_enter(run, LOAD_PHASE_DONE, now);
}

static uint64_t on_turn(load_run *run, uint64_t now)
{
    const load_options *options = run->options;
    bool is_sending = run->phase == LOAD_PHASE_WARMING || run->phase == LOAD_PHASE_MEASURING;
    uint64_t next = UINT64_MAX;
    if (is_sending && options->rate != 0)
        next = follow_schedule(run, now);
    for (; is_sending && options->rate == 0 && run->schedule.next < options->depth; run->schedule.next++)
        publish(run, now);
    if (run->phase == LOAD_PHASE_MEASURING && options->messages != 0 && run->heard == options->messages * run->count)
        load_run_enter(run, LOAD_PHASE_DRAINING, now);
    if (run->phase == LOAD_PHASE_DRAINING)
        check_all_heard(run, now);
    return next;
}

const load_work load_fanout_work = {.on_open = on_open, .on_heard = on_heard, .on_turn = on_turn};
