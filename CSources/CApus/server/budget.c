/* While more than nine tenths of the budget are used, each loop sweeps over its connections, a bounded number in each
 * turn, and publishes the largest charge. The loop that has the largest of all ends that connection, and the next ones
 * as far as none elsewhere is larger, until enough has been given back. */
#include "server/budget.h"

#include <string.h>

#include "apus/alloc.h"
#include "apus/gauge.h"
#include "server/charge.h"
#include "server/connection.h"
#include "server/trim.h"

/* Connections visited in a turn of the loop; each costs a cache miss or two. */
#define VISITS_PER_TURN 2000

/* A connection that holds less is not ended: to refuse new ones helps more. */
#define LEAST_CHARGE ((size_t)16 * 1024)

/* How often the memory is looked at while nothing moves on this loop, in milliseconds; and how many times a loop leaves
 * it to another one that has a larger connection, which may be stuck in a handler. */
#define INTERVAL 100
#define MOST_WAITS 3

static size_t used(const apus_budget *budget)
{
    return budget->config->memory_used == NULL ? apus_memory_estimate() : budget->config->memory_used();
}

static size_t limit(const apus_budget *budget)
{
    return budget->config->memory_budget;
}

/* From here on connections are ended. */
static size_t threshold(const apus_budget *budget)
{
    return limit(budget) - limit(budget) / 10;
}

bool apus__budget_is_spent(const apus_budget *budget)
{
    return limit(budget) != 0 && used(budget) > limit(budget);
}

static void note(apus_budget *budget, apus_connection *connection, size_t charge)
{
    size_t place = budget->count;
    while (place != 0 && budget->candidates[place - 1].charge < charge)
        place--;
    if (place == APUS_BUDGET_CANDIDATES)
        return;
    if (budget->count < APUS_BUDGET_CANDIDATES)
        budget->count++;
    memmove(&budget->candidates[place + 1], &budget->candidates[place],
            (budget->count - place - 1) * sizeof budget->candidates[0]);
    budget->candidates[place] = (apus_candidate){.connection = connection, .charge = charge};
}

static void visit(apus_budget *budget, apus_connection *connection)
{
    if (connection->phase == PHASE_GONE)
        return;
    if (!budget->is_holding)
        apus__stream_resume_large(&connection->stream);
    size_t charge = apus__connection_charge(connection);
    if (charge >= LEAST_CHARGE)
        note(budget, connection, charge);
}

static void begin_sweep(apus_budget *budget)
{
    budget->cursor = budget->endpoint->connections.next;
    budget->count = 0;
}

/* Goes on with the sweep; whether it is at its end. */
static bool sweep(apus_budget *budget)
{
    apus_queue *end = &budget->endpoint->connections;
    if (budget->cursor == NULL)
        begin_sweep(budget);
    for (unsigned i = 0; i < VISITS_PER_TURN && budget->cursor != end; i++) {
        apus_connection *connection = APUS_QUEUE_MEMBER(budget->cursor, apus_connection, node);
        budget->cursor = budget->cursor->next;
        visit(budget, connection);
    }
    if (budget->cursor != end) {
        apus__loop_again(budget->endpoint->loop);
        return false;
    }
    budget->cursor = NULL;
    budget->is_resuming = false;
    return true;
}

/* What a loop tells the others: that it has not looked yet, or its largest charge and one. */
#define NOT_LOOKED 0

static void tell(apus_budget *budget, size_t word)
{
    __atomic_store_n(&budget->admission->largest[budget->slot], word, __ATOMIC_RELAXED);
}

/* Whether no other loop has a larger connection, as far as they have looked. One that does not answer is not waited for
 * without end. */
static bool is_largest_of_all(const apus_budget *budget, size_t charge)
{
    if (budget->waits >= MOST_WAITS)
        return true;
    uint32_t slots = __atomic_load_n(&budget->admission->slots, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < slots && i < APUS_BUDGET_SLOTS; i++) {
        size_t word = __atomic_load_n(&budget->admission->largest[i], __ATOMIC_RELAXED);
        if (i != budget->slot && (word == NOT_LOOKED || word - 1 > charge))
            return false;
    }
    return true;
}

/* Lets go of what an open connection holds, with a code that lets the client come back. The Close stands behind what
 * the socket has begun to take; a connection that still is among the largest then, or any other, is cut off. */
static void end_connection(apus_connection *connection)
{
    if (!connection->has_ended)
        APUS_COUNT(connection->endpoint->statistics.memory_budget_closed, 1);
    apus__stream_resume_large(&connection->stream);
    if (connection->phase != PHASE_OPEN || !apus_session_is_open(&connection->session)) {
        apus__connection_drop(connection, APUS_EBUDGET);
        return;
    }
    apus__outbox_drop_waiting(&connection->stream.outbox);
    apus_connection_close(connection, apus_error_code(APUS_EBUDGET), NULL, 0);
    apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = APUS_EBUDGET});
    apus__connection_finish(connection);
    apus__connection_forget_messages(connection);
    apus_session_deinit(&connection->session);
}

/* Ends the largest connections as far as this loop is the one to do it; whether it ended any. */
static bool end_largest(apus_budget *budget)
{
    size_t ended = 0;
    size_t count = budget->count;
    budget->count = 0; /* nobody is freed before the next turn */
    while (ended < count && used(budget) > threshold(budget) &&
           is_largest_of_all(budget, budget->candidates[ended].charge))
        end_connection(budget->candidates[ended++].connection);
    tell(budget, (ended < count ? budget->candidates[ended].charge : 0) + 1);
    __atomic_fetch_add(&budget->admission->budget_ended, ended, __ATOMIC_RELAXED);
    if (ended != 0 && budget->config->on_budget != NULL)
        budget->config->on_budget(budget->endpoint->context, ended, budget->candidates[0].charge);
    return ended != 0;
}

static void set_holding(apus_budget *budget, bool is_holding)
{
    if (budget->is_holding == is_holding)
        return;
    budget->is_holding = is_holding;
    budget->endpoint->is_holding_large = is_holding;
    budget->is_resuming = !is_holding;
    budget->cursor = NULL;
}

static void check(apus_budget *budget)
{
    set_holding(budget, apus__budget_is_spent(budget));
    if (used(budget) > threshold(budget)) {
        apus_alloc_age(0); /* what is kept for reuse goes first */
        if (!sweep(budget))
            return;
        tell(budget, (budget->count == 0 ? 0 : budget->candidates[0].charge) + 1);
        if (end_largest(budget))
            apus__loop_again(budget->endpoint->loop);
        return;
    }
    tell(budget, NOT_LOOKED);
    if (budget->is_resuming)
        sweep(budget);
    else
        budget->cursor = NULL;
}

static void on_memory(apus_watcher *watcher)
{
    apus_budget *budget = APUS_QUEUE_MEMBER(watcher, apus_budget, watcher);
    if (!apus_queue_is_empty(&budget->endpoint->connections))
        check(budget);
}

/* As long as some loop ends connections there is no reason to be impatient. */
static void count_wait(apus_budget *budget)
{
    uint64_t ended = __atomic_load_n(&budget->admission->budget_ended, __ATOMIC_RELAXED);
    bool is_waiting = used(budget) > threshold(budget) && ended == budget->ended_before;
    budget->waits = is_waiting ? budget->waits + 1 : 0;
    budget->ended_before = ended;
}

static void on_timer(apus_timer *timer)
{
    apus_budget *budget = APUS_QUEUE_MEMBER(timer, apus_budget, timer);
    apus__trim(budget->endpoint->loop, used(budget));
    if (apus_queue_is_empty(&budget->endpoint->connections)) {
        tell(budget, 1); /* there is nothing to look at */
        return;
    }
    check(budget);
    count_wait(budget);
    apus__loop_arm(budget->endpoint->loop, &budget->timer, INTERVAL);
}

void apus__budget_arm(apus_budget *budget)
{
    if (limit(budget) == 0 || budget->timer.deadline != 0)
        return;
    tell(budget, NOT_LOOKED);
    apus__loop_arm(budget->endpoint->loop, &budget->timer, INTERVAL);
}

void apus__budget_forget(apus_budget *budget, const apus_connection *connection)
{
    if (budget->cursor == &connection->node)
        budget->cursor = connection->node.next;
    for (size_t i = 0; i < budget->count; i++) {
        if (budget->candidates[i].connection != connection)
            continue;
        budget->count--;
        memmove(&budget->candidates[i], &budget->candidates[i + 1], (budget->count - i) * sizeof budget->candidates[0]);
        return;
    }
}

void apus__budget_begin(apus_budget *budget, apus_endpoint *endpoint, const apus_listener_config *config,
                        apus_admission *admission)
{
    *budget = (apus_budget){.endpoint = endpoint, .config = config, .admission = admission};
    apus__timer_init(&budget->timer, on_timer);
    if (limit(budget) == 0)
        return;
    budget->slot = __atomic_fetch_add(&admission->slots, 1, __ATOMIC_RELAXED) % APUS_BUDGET_SLOTS;
    endpoint->budget = budget;
    tell(budget, 1);
    apus__loop_watch_memory(endpoint->loop, &budget->watcher, on_memory);
}

void apus__budget_end(apus_budget *budget)
{
    if (budget->endpoint->budget == NULL)
        return;
    tell(budget, 1);
    apus__loop_disarm(budget->endpoint->loop, &budget->timer);
    apus_queue_remove(&budget->watcher.node);
    budget->endpoint->budget = NULL;
}
