/* The inside of a topic, for the files of this folder: one branch for each loop, which only that loop touches. */
#ifndef APUS_SERVER_TOPIC_H
#define APUS_SERVER_TOPIC_H

#include "apus/topic.h"
#include "server/connection.h"

typedef struct apus_branch {
    apus_loop *loop;
    apus_subscription **subscriptions;
    size_t count; /* read by other threads: is there anybody? */
    size_t capacity;
    uint64_t newest; /* the latest `since` of its subscriptions, including those that have ended */
} apus_branch;

struct apus_topic {
    uint64_t published; /* how many messages, in the order of their numbers */
    uint32_t references;
    void *owner; /* held by each subscription; NULL if there is none */
    void (*retain)(void *owner);
    void (*release)(void *owner);
    bool is_compressed; /* by some subscriber, at present or before */
    size_t branch_count;
    apus_branch branches[];
};

struct apus_subscription {
    apus_topic *topic;
    apus_branch *branch;
    apus_connection *connection;
    apus_subscription *next; /* of the connection's */
    size_t index;            /* in the branch */
    uint64_t since;          /* the last message that was published before it began */
};

/* How many subscribers a branch has; from any thread. */
static inline size_t apus__branch_count(const apus_branch *branch)
{
    return __atomic_load_n(&branch->count, __ATOMIC_RELAXED);
}

#endif
