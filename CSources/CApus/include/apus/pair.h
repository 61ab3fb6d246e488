/* Two WebSockets joined in memory, a server's and a client's, on one loop: no sockets, no descriptors, no HTTP. Frames,
 * masking, limits, policies and timeouts are those of any connection. For tests of what is built on Apus. */
#ifndef APUS_PAIR_H
#define APUS_PAIR_H

#include <stdint.h>

#include "apus/connection.h"
#include "apus/endpoint.h"
#include "apus/error.h"
#include "apus/loop.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_pair apus_pair;

/* What has opened, each valid until its on_free. */
typedef struct apus_pair_ends {
    apus_connection *server;
    apus_connection *client;
} apus_pair_ends;

/* Told once, before anything else: both ends are open, with APUS_DEMAND_NONE. `request` and `response` are the heads of
 * an opening handshake that would have led there; they are valid during the call. */
typedef void (*apus_pair_open_cb)(void *_Nullable context, const apus_pair_ends *ends, apus_text request,
                                  apus_text response);

/* Joins two connections, each by its own config, which is copied; TLS and what concerns HTTP is passed over.
 * Compression is on if both have it on. The callbacks outlive them. Calls `on_open` before it returns. On the loop.
 * APUS_OK, APUS_EINVAL (see apus_compression_config_check) or APUS_ENOMEM. */
int apus_pair_open(apus_pair *_Nullable *_Nonnull out, apus_loop *loop, const apus_endpoint_config *server,
                   const apus_endpoint_config *client, apus_pair_open_cb on_open, void *_Nullable context);

/* Closes with 1001 what is not closing yet. Once both ends are gone, at the latest after their close timeouts, it calls
 * `on_stop`, perhaps before it returns, and the pair is freed. To be called once, on the loop. */
void apus_pair_stop(apus_pair *pair, void (*on_stop)(void *_Nullable context), void *_Nullable context);

APUS_ASSUME_NONNULL_END

#endif
