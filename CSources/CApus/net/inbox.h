/* What other threads ask of a loop: jobs and calls, in the order in which they came. */
#ifndef APUS_NET_INBOX_H
#define APUS_NET_INBOX_H

#include <uv.h>

#include "apus/loop.h"
#include "net/allowance.h"

/* A call of NULL means that `argument` is a job. */
typedef struct apus_posted {
    apus_call_cb call;
    void *argument;
} apus_posted;

typedef struct apus_posts {
    apus_posted *items;
    size_t count;
    size_t capacity;
} apus_posts;

typedef struct apus_inbox {
    uv_mutex_t lock; /* of `posts` */
    apus_posts posts;
    /* The rest is the loop's own. */
    apus_posts taken; /* taken out, and run up to `next` */
    size_t next;
    uint64_t last_job;         /* which job of the loop came from here last */
    uint64_t round_deliveries; /* made since the loop last polled */
    uint64_t round_bytes;
    /* For what is published. Jobs and other calls are never refused. */
    apus_allowance room;
} apus_inbox;

/* 0, or a negative errno. */
int apus__inbox_init(apus_inbox *inbox, const apus_loop_limits *limits);
void apus__inbox_deinit(apus_inbox *inbox);

/* Runs what has come, as much as one turn may; the rest follows after a poll. */
void apus__inbox_run(apus_loop *loop);

/* Says that a call from the inbox has delivered so much, which counts for the turn. */
void apus__inbox_delivered(apus_loop *loop, uint64_t deliveries, uint64_t bytes);

#endif
