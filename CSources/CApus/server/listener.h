/* The inside of a listener, for the files of this folder. */
#ifndef APUS_SERVER_LISTENER_H
#define APUS_SERVER_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "apus/listener.h"
#include "server/budget.h"
#include "server/connection.h"
#include "server/endpoint.h"

struct apus_listener {
    apus_endpoint endpoint;
    const apus_listener_config *config;
    apus_admission *admission;
    apus_budget budget;
    apus_timer timer; /* to accept again after descriptors ran out; then, the deadline of the stop */
    void (*on_stop)(void *context, const apus_statistics *statistics);
    int fd;
    int reserve_fd; /* given up to accept and close one connection when descriptors run out */
    bool is_closed;
    uv_poll_t poll;
};

/* The listener that took a connection. */
static inline apus_listener *apus__listener_of(const apus_connection *connection)
{
    return APUS_QUEUE_MEMBER(connection->endpoint, apus_listener, endpoint);
}

#endif
