/* The part of a server that lives on one loop: a listening socket and the connections taken from it. */
#ifndef APUS_LISTENER_H
#define APUS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/endpoint.h"
#include "apus/error.h"
#include "apus/forwarded.h"
#include "apus/head.h"
#include "apus/ip.h"
#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/statistics.h"
#include "apus/tls_context.h"

APUS_ASSUME_NONNULL_BEGIN

#define APUS_BUDGET_SLOTS 64

/* Which pages may open a WebSocket (RFC 6455 §10.2). A request without Origin comes from no browser and passes. */
typedef enum apus_origin_policy {
    APUS_ORIGIN_SAME, /* those of the server's own origin, and those listed */
    APUS_ORIGIN_ANY,
} apus_origin_policy;

/* Whether connections begin with a header of the PROXY protocol, version 1 or 2. */
typedef enum apus_proxy_protocol {
    APUS_PROXY_PROTOCOL_OFF,
    APUS_PROXY_PROTOCOL_REQUIRED, /* from a trusted address; any other connection is dropped */
} apus_proxy_protocol;

/* What the listeners of a server share; outlives them. */
typedef struct apus_listener_config {
    apus_endpoint_config endpoint;
    uint32_t most_connections;
    apus_origin_policy origin_policy;
    const apus_text *_Nullable origins; /* allowed beside the server's own, such as "https://example.org" */
    size_t origin_count;
    const apus_ip_range *_Nullable trusted; /* addresses of proxies, which may tell whom they speak for */
    size_t trusted_count;
    bool trusts_unix; /* whoever connects over a Unix socket is such a proxy */
    apus_proxy_protocol proxy_protocol;
    apus_forwarding forwarding; /* the fields that the proxies set */
    /* Bytes of memory_used from nine tenths of which on the connections that hold the most are closed with 1013; past
     * it new connections get 503, and large messages are not read on. 0: no budget. */
    size_t memory_budget;
    size_t (*_Nullable memory_used)(void); /* NULL: apus_memory_estimate; a test may have another one */
    /* So many connections of a listener were ended by that, the largest of which held `charge` bytes. On its loop, with
     * the listener's context. */
    void (*_Nullable on_budget)(void *_Nullable context, size_t count, size_t charge);
} apus_listener_config;

/* Fills in every limit and timeout with its default; callbacks are the caller's to set. */
void apus_listener_config_init(apus_listener_config *config);

/* Counted over all listeners of a server; all zero is the start. Outlives them. */
typedef struct apus_admission {
    uint32_t connections;
    uint64_t budget_ended;             /* connections ended because memory was short */
    uint32_t slots;                    /* of `largest` that are given out; further loops share them */
    size_t largest[APUS_BUDGET_SLOTS]; /* what the largest connection of each loop holds, while memory is scarce */
} apus_admission;

typedef struct apus_listener apus_listener;

/* Takes over the listening socket `fd` and accepts on `loop`; to be called on the loop's thread, or before it starts.
 * Returns APUS_OK, APUS_EINVAL (see apus_compression_config_check), APUS_ENOMEM or a negative errno, and then `fd` is
 * still the caller's. */
int apus_listener_open(apus_listener *_Nullable *_Nonnull out, apus_loop *loop, int fd,
                       const apus_listener_config *config, apus_admission *admission, void *_Nullable context);

/* Gives connections that are accepted from now on another context, which is retained: new certificates, while all that
 * is open goes on. The listener has one already. On its loop. */
void apus_listener_set_tls(apus_listener *listener, apus_tls_context *tls);

/* Stops to accept, closes idle HTTP connections, answers requests under way, closes WebSockets (on_stop), and after
 * `deadline` ms drops what is left. Once all are gone it calls `on_stop`, and the listener is freed. On its loop. */
void apus_listener_stop(apus_listener *listener, uint32_t deadline,
                        void (*on_stop)(void *_Nullable context, const apus_statistics *statistics));

/* Adds the present counts to `out`; from any thread, while the listener lives. */
void apus_listener_add_statistics(const apus_listener *listener, apus_statistics *out);

/* Adds one set of counts to another. */
void apus_statistics_add(apus_statistics *sum, const apus_statistics *more);

APUS_ASSUME_NONNULL_END

#endif
