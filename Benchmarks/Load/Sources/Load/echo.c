/* Echo: messages go out on every connection, and come back to it. */
#include "load/run.h"

static void on_open(load_run *run, load_connection *connection)
{
    (void)run;
    (void)connection;
}

/* How many more messages this connection may send, of those that were asked for. */
static uint64_t allowed(const load_run *run, const load_connection *connection, uint64_t wanted)
{
    if (run->phase == LOAD_PHASE_DRAINING)
        return 0;
    if (run->options->messages == 0)
        return wanted;
    uint64_t left = run->quota - connection->due;
    return wanted < left ? wanted : left;
}

static void send_more(load_run *run, load_connection *connection, uint64_t wanted, uint64_t now)
{
    uint64_t count = allowed(run, connection, wanted);
    for (uint64_t i = 0; i < count; i++)
        connection->sent_at[(connection->due + i) & run->sent_at_mask] = now;
    connection->due += count;
    if (count > 0)
        load_connection_flush(run, connection);
}

/* Counts a latency from when the message was due, not from when it could be sent: a server that stalls stands in the
 * way of messages that would have found it stalling ("coordinated omission"). */
static void record_scheduled(load_run *run, const load_connection *connection, uint64_t first, uint64_t count,
                             uint64_t now)
{
    for (uint64_t i = first; i < first + count; i++)
        load_run_record(run, now - load_schedule_time(&run->schedule, i * run->count + connection->index), 1);
}

static void on_heard(load_run *run, load_connection *connection, uint64_t first, uint64_t count)
{
    uint64_t now = load_now(), mask = run->sent_at_mask;
    if (run->options->rate != 0) {
        record_scheduled(run, connection, first, count, now);
        return;
    }
    for (uint64_t i = 0; i < count;) {
        /* What was sent together is recorded together. */
        uint64_t sent_at = connection->sent_at[(first + i) & mask], same = 1;
        while (i + same < count && connection->sent_at[(first + i + same) & mask] == sent_at)
            same++;
        load_run_record(run, now - sent_at, same);
        i += same;
    }
    send_more(run, connection, count, now);
}

/* Sends what is due at a fixed rate; returns when the next message is. */
static uint64_t follow_schedule(load_run *run, uint64_t now)
{
    load_schedule *schedule = &run->schedule;
    bool is_sending = run->phase == LOAD_PHASE_WARMING || run->phase == LOAD_PHASE_MEASURING;
    for (uint64_t sent = 0; is_sending && load_schedule_time(schedule, schedule->next) <= now && sent < run->count;
         sent++) {
        load_connection *connection = &run->connections[schedule->next % run->count];
        if (allowed(run, connection, 1) == 0) {
            is_sending = false;
            break;
        }
        schedule->next++;
        connection->due++;
        load_connection_flush(run, connection);
    }
    return is_sending ? load_schedule_time(schedule, schedule->next) : UINT64_MAX;
}

static bool is_all_back(const load_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->connections[i].heard < run->connections[i].due)
            return false;
    }
    return true;
}

static void check_all_back(load_run *run, uint64_t now)
{
    if (is_all_back(run))
        load_run_enter(run, LOAD_PHASE_DONE, now);
    else if (now >= run->phase_end)
        load_run_fail(run, "messages are missing: not everything came back within five seconds");
}

static uint64_t on_turn(load_run *run, uint64_t now)
{
    bool is_first = run->phase >= LOAD_PHASE_WARMING && run->schedule.next == 0;
    if (is_first && run->options->rate == 0) {
        run->schedule.next = 1; /* all that a closed loop needs of it */
        for (size_t i = 0; i < run->count && !run->has_failed; i++)
            send_more(run, &run->connections[i], run->options->depth, load_now());
    }
    uint64_t next = run->options->rate == 0 ? UINT64_MAX : follow_schedule(run, now);
    if (run->phase == LOAD_PHASE_MEASURING && run->options->messages != 0 && run->heard == run->options->messages)
        load_run_enter(run, LOAD_PHASE_DRAINING, now);
    if (run->phase == LOAD_PHASE_DRAINING)
        check_all_back(run, now);
    return next;
}

const load_work load_echo_work = {.on_open = on_open, .on_heard = on_heard, .on_turn = on_turn};
