/* The memory budget of a server: near it, the connections that hold the most are ended first, over all loops. */
#ifndef APUS_SERVER_BUDGET_H
#define APUS_SERVER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "apus/listener.h"
#include "apus/queue.h"
#include "net/loop.h"

typedef struct apus_connection apus_connection;
typedef struct apus_endpoint apus_endpoint;

/* The connections that a sweep remembers: it ends at most so many. */
#define APUS_BUDGET_CANDIDATES 8

typedef struct apus_candidate {
    apus_connection *connection;
    size_t charge;
} apus_candidate;

/* One loop's part of it. */
typedef struct apus_budget {
    apus_endpoint *endpoint;
    const apus_listener_config *config;
    apus_admission *admission;
    size_t slot;        /* in `admission->largest` */
    apus_queue *cursor; /* where the sweep over the connections goes on; NULL: there is none under way */
    apus_candidate candidates[APUS_BUDGET_CANDIDATES]; /* of the sweep, the largest first */
    size_t count;
    unsigned waits;        /* ticks without anybody ended, for a loop that has a larger connection */
    uint64_t ended_before; /* `admission->budget_ended` at the last tick */
    bool is_holding;       /* large messages are not read on */
    bool is_resuming;      /* they are, and some connections have to be told */
    apus_timer timer;
    apus_watcher watcher;
} apus_budget;

/* Begins to watch the memory; does nothing where the configuration has no budget. */
void apus__budget_begin(apus_budget *budget, apus_endpoint *endpoint, const apus_listener_config *config,
                        apus_admission *admission);
void apus__budget_end(apus_budget *budget);

/* Sees to it that the memory is looked at in good time while there are connections. */
void apus__budget_arm(apus_budget *budget);

/* Whether all of the budget is used, so that nothing new may begin. */
bool apus__budget_is_spent(const apus_budget *budget);

/* A connection is about to be freed; it is still in the endpoint's list. */
void apus__budget_forget(apus_budget *budget, const apus_connection *connection);

#endif
