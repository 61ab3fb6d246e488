/* Connect: each place opens a connection, and once the handshake is done, resets it and opens the next. */
#include "load/run.h"

static void on_open(load_run *run, load_connection *connection)
{
    if (run->phase == LOAD_PHASE_DRAINING)
        return;
    load_run_record(run, load_now() - connection->began_at, 1);
    load_connection_abort(run, connection);
    load_connection_open(run, connection);
}

static void on_heard(load_run *run, load_connection *connection, uint64_t first, uint64_t count)
{
    (void)first;
    (void)count;
    load_run_fail(run, "connection %u: a message came that nobody asked for", connection->index);
}

static uint64_t on_turn(load_run *run, uint64_t now)
{
    if (run->phase == LOAD_PHASE_DRAINING)
        load_run_enter(run, LOAD_PHASE_DONE, now);
    return UINT64_MAX;
}

const load_work load_connect_work = {.on_open = on_open, .on_heard = on_heard, .on_turn = on_turn};

/* Idle: connections are opened and held. */

static void on_idle_open(load_run *run, load_connection *connection)
{
    if (run->phase != LOAD_PHASE_OPENING)
        return;
    load_histogram_record(&run->latency, load_now() - connection->began_at, 1);
}

const load_work load_idle_work = {.on_open = on_idle_open, .on_heard = on_heard, .on_turn = on_turn};
