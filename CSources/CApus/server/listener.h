/* The inside of a listener, for the files of this folder. */
#ifndef APUS_SERVER_LISTENER_H
#define APUS_SERVER_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "apus/listener.h"
#include "apus/queue.h"
#include "net/loop.h"

struct apus_listener {
    apus_loop *loop;
    const apus_listener_config *config;
    apus_admission *admission;
    void *context;
    apus_queue connections;
    apus_statistics statistics;
    apus_timer timer; /* to accept again after descriptors ran out; then, the deadline of the stop */
    void (*on_stop)(void *context, const apus_statistics *statistics);
    int fd;
    int reserve_fd; /* given up to accept and close one connection when descriptors run out */
    bool is_stopping;
    bool is_closed;
    uv_poll_t poll;
};

/* A connection of this listener has gone. */
void apus__listener_forget(apus_listener *listener);

#endif
