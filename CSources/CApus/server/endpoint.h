/* The inside of an endpoint, for the files of this folder: a listener is one, and so is a client. */
#ifndef APUS_SERVER_ENDPOINT_H
#define APUS_SERVER_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "apus/deflate.h"
#include "apus/endpoint.h"
#include "apus/queue.h"
#include "apus/statistics.h"
#include "net/loop.h"

typedef struct apus_endpoint {
    apus_loop *loop;
    const apus_endpoint_config *config;
    void *context;
    apus_tls_context *tls; /* of connections to come; NULL: no TLS */
    apus_queue connections;
    apus_statistics statistics;
    apus_deflate_pool pool;     /* emptied when the last connection goes */
    struct apus_budget *budget; /* NULL where there is none */
    bool is_stopping;
    bool is_holding_large; /* memory is used up: large messages are not read on */
    /* A connection has gone, and its memory with it. */
    void (*on_forget)(struct apus_endpoint *endpoint);
} apus_endpoint;

void apus__endpoint_init(apus_endpoint *endpoint, apus_loop *loop, const apus_endpoint_config *config, void *context);

/* Adds the present counts to `out`; from any thread. */
void apus__endpoint_add_statistics(const apus_endpoint *endpoint, apus_statistics *out);

/* Before the endpoint's memory goes. */
void apus__endpoint_deinit(apus_endpoint *endpoint);

/* Ends every connection as its phase allows. */
void apus__endpoint_stop(apus_endpoint *endpoint);

/* Drops what the stop has not ended in time. */
void apus__endpoint_drop(apus_endpoint *endpoint);

#endif
