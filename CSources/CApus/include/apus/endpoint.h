/* What all connections of one server, or of one client, have in common: limits, timeouts, and whom they tell. */
#ifndef APUS_ENDPOINT_H
#define APUS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/connection.h"
#include "apus/extension.h"
#include "apus/head.h"
#include "apus/macros.h"
#include "apus/session.h"
#include "apus/tls_context.h"

APUS_ASSUME_NONNULL_BEGIN

/* What to do where more than outbound_limit waits for a peer. A topic's message cannot wait for the peer: it is queued
 * nevertheless, and a peer that does not catch up in slow_consumer_lag, or passes burst_limit, is closed with 1013. */
typedef enum apus_slow_consumer {
    APUS_SLOW_CONSUMER_SUSPEND, /* other senders wait */
    APUS_SLOW_CONSUMER_DROP,    /* a message is dropped and counted, and nobody is closed */
    APUS_SLOW_CONSUMER_CLOSE,   /* other senders wait, but no longer than the lag: then the connection is closed */
} apus_slow_consumer;

/* Outlives the connections. */
typedef struct apus_endpoint_config {
    apus_session_config session;
    apus_compression_config compression; /* permessage-deflate; off */
    apus_head_limits head;
    uint32_t handshake_timeout;  /* ms for a whole head, from the connection's start or the head's first byte */
    uint32_t keep_alive_timeout; /* ms from the end of an answer to the first byte of the next request */
    uint32_t upgrade_timeout;    /* ms for the application's decision on an upgrade; 0: any time */
    uint32_t departure_interval; /* ms between two looks at a client that is not read from while it waits */
    uint64_t body_limit;         /* bytes of a request's content */
    uint32_t body_timeout;       /* ms without content that is awaited, or without room for more of an answer */
    uint32_t body_rate;          /* bytes a second that a client must send of awaited content on average; 0: any rate */
    uint32_t ping_interval;      /* ms without a byte from the peer before a Ping; 0: never */
    uint32_t pings_missed;       /* unanswered Pings in a row that end the connection */
    uint32_t close_timeout;      /* ms for the closing handshake */
    uint32_t lifetime;           /* ms of an open connection, after which it is closed with 1001; 0: no end */
    size_t inbound_limit;        /* bytes of messages not taken yet, past which reading stops */
    size_t outbound_limit;       /* bytes of memory that wait for a peer, past which the policy applies */
    size_t burst_limit;          /* the same, past which a peer whose socket is full is ended, or misses messages */
    uint32_t slow_consumer_lag;  /* ms that a peer may be past outbound_limit without catching up */
    uint32_t least_rate;         /* bytes/s that a peer must acknowledge while more waits for it; 0: any */
    uint32_t stall_timeout;      /* ms over which that is measured */
    apus_slow_consumer slow_consumer;
    /* Whether the answer to the peer's Close waits until the application has taken the messages that came before it and
     * asks for another, or closes; at most for close_timeout. Messages can be sent until then, and what is queued is
     * sent before the answer. */
    bool answers_first;
    uint16_t stop_code; /* of the Close when the endpoint stops, and its reason */
    uint8_t stop_reason_len;
    uint8_t stop_reason[APUS_CLOSE_REASON_SIZE];
    /* Retained by each endpoint. A server's connections speak TLS unless it is NULL, a client's where the destination
     * says so. */
    apus_tls_context *_Nullable tls;
    apus_connection_callbacks callbacks;
} apus_endpoint_config;

/* Fills in every limit and timeout with its default for the role; callbacks are the caller's to set. */
void apus_endpoint_config_init(apus_endpoint_config *config, apus_role role);

APUS_ASSUME_NONNULL_END

#endif
