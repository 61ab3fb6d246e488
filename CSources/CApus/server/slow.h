/* Peers that do not take what they are sent: what the slow-consumer policy says of a message, and who is ended.
 *
 * Nobody is judged before the peer's transport has been full over a poll of the loop. From then on a watch looks at two
 * things: whether the peer acknowledges at the least rate, in any phase of the connection, and, once a message came on
 * top of the soft limit, whether it is still catching up. */
#ifndef APUS_SERVER_SLOW_H
#define APUS_SERVER_SLOW_H

#include "server/connection.h"

/* Whether so many bytes more would pass the soft limit. One message always fits. */
static inline bool apus__slow_is_over(const apus_connection *connection, size_t more)
{
    size_t charge = connection->stream.outbox.charge;
    return charge != 0 && charge + more > connection->endpoint->config->outbound_limit;
}

/* What becomes of a message of `len` bytes that would pass the soft limit, and whose sender can wait: APUS_OK (send
 * it), APUS_EFULL, or APUS_EDROPPED, which is counted. */
int apus__slow_admit(apus_connection *connection, size_t len);

/* The same for a message whose sender cannot wait: APUS_OK, APUS_EDROPPED, or APUS_ESLOW: it is not to be sent, and the
 * connection will be closed. */
int apus__slow_admit_delivery(apus_connection *connection, size_t len);

/* The transport has become full. */
void apus__slow_watch(apus_connection *connection);

/* A part of what was queued has left. */
void apus__slow_note_sent(apus_connection *connection);

/* Ends the watch, before the connection is freed, or once nothing waits. */
void apus__slow_forget(apus_connection *connection);

/* Whether the peer has acknowledged something since it was asked last, and has more to acknowledge. */
bool apus__slow_is_taking(apus_connection *connection);

#endif
