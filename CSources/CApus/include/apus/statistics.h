/* What a listener has seen since it began: every limit and every ending has its counter. */
#ifndef APUS_STATISTICS_H
#define APUS_STATISTICS_H

#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* X(name, words): all are 64-bit counts that only grow, but for those named `…_now`. */
#define APUS_STATISTICS_MAP(X)                                                                        \
    X(connections_accepted, "connections taken from the listening socket")                            \
    X(connections_now, "connections open at present, before or after the opening handshake")          \
    X(connections_refused, "connections answered with 503, for there were as many as allowed")        \
    X(accept_failures, "times that no descriptor was left for a new connection")                      \
    X(requests, "request heads received")                                                             \
    X(requests_refused, "requests that broke HTTP or a limit on it")                                  \
    X(content_size_errors, "requests whose content passed the size limit")                            \
    X(content_errors, "requests whose content was malformed, or cut off")                             \
    X(content_timeouts, "requests whose content took too long, or that of their answers")             \
    X(content_rate_errors, "requests whose content came slower than the minimum rate")                \
    X(requests_abandoned, "requests whose client left before they were answered")                     \
    X(proxy_errors, "connections dropped because a trusted address sent no valid PROXY header")       \
    X(handshakes_accepted, "opening handshakes completed")                                            \
    X(handshakes_refused, "opening handshakes that broke RFC 6455, or came from another origin")      \
    X(handshake_timeouts, "connections whose request head took too long")                             \
    X(keep_alive_timeouts, "connections ended because no further request came")                       \
    X(upgrade_timeouts, "opening handshakes answered with 504: the application did not decide")       \
    X(origins_refused, "opening handshakes from a page of another origin")                            \
    X(messages_received, "whole messages from peers")                                                 \
    X(messages_sent, "messages given to the network or its queue")                                    \
    X(bytes_received, "bytes read from sockets")                                                      \
    X(bytes_sent, "bytes written to sockets")                                                         \
    X(messages_inflated, "compressed messages from peers")                                            \
    X(bytes_before_inflating, "bytes of their payloads as they came")                                 \
    X(bytes_inflated, "bytes of their payloads once inflated")                                        \
    X(messages_deflated, "messages compressed; one that is published, once per window size")          \
    X(bytes_before_deflating, "bytes of their payloads before")                                       \
    X(bytes_deflated, "bytes of their payloads compressed")                                           \
    X(protocol_errors, "connections failed with 1002")                                                \
    X(utf8_errors, "connections failed with 1007")                                                    \
    X(size_errors, "connections failed with 1009: a message passed the size limit")                   \
    X(fragment_errors, "connections failed with 1009: a message had too many fragments")              \
    X(inflate_errors, "connections failed with 1007: a compressed message did not inflate")           \
    X(memory_errors, "connections failed with 1011: memory was out")                                  \
    X(messages_dropped, "messages not sent because the outbound queue was full")                      \
    X(slow_consumers_closed, "connections closed with 1013 because their peer took too little")       \
    X(memory_budget_closed, "connections ended because the memory budget was used up")                \
    X(memory_budget_refused, "connections answered with 503 for the same reason")                     \
    X(publications_refused, "publications refused because a loop had no room, once for each attempt") \
    X(publications_delayed, "times that a task waited to publish")                                    \
    X(reads_paused, "times that reading stopped until messages were consumed")                        \
    X(pings_sent, "pings sent to idle connections")                                                   \
    X(ping_timeouts, "connections ended because no ping was answered")                                \
    X(connections_stalled, "connections ended because the peer acknowledged too little")              \
    X(close_timeouts, "connections ended because the closing handshake took too long")                \
    X(lifetimes_ended, "connections closed with 1001 because they had lived as long as they may")     \
    X(tls_handshakes, "TLS handshakes completed")                                                     \
    X(tls_resumptions, "TLS handshakes that took up an earlier session")                              \
    X(tls_failures, "connections that TLS failed, in the handshake or later")                         \
    X(tls_plain_refused, "connections that spoke HTTP without TLS to a port for TLS")                 \
    X(tls_truncations, "WebSocket connections that ended without TLS's close_notify")                 \
    X(connections_lost, "connections that ended without a closing handshake")

typedef struct apus_statistics {
#define X(name, words) uint64_t name;
    APUS_STATISTICS_MAP(X)
#undef X
} apus_statistics;

APUS_ASSUME_NONNULL_END

#endif
