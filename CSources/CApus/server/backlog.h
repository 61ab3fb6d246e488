/* Frames that wait behind those which the stream already has, so that a Ping, a Pong or a Close has to wait for a
 * bounded number of bytes only, however much is queued: control frames go to the stream at once, between two frames
 * of a message (RFC 6455 §5.4), and data follows from here frame by frame as the stream empties. */
#ifndef APUS_SERVER_BACKLOG_H
#define APUS_SERVER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/connection.h"

/* With more than this the stream gets no further data frame; and the largest frame that we send. */
#define APUS_BACKLOG_WINDOW ((size_t)128 * 1024)

/* Whether a data frame has to wait here. */
static inline bool apus__backlog_is_needed(const apus_connection *connection)
{
    return connection->backlog != NULL || connection->stream.outbound.bytes > APUS_BACKLOG_WINDOW;
}

/* Bytes on their way to the peer, here and in the stream. */
static inline size_t apus__backlog_moving(const apus_connection *connection)
{
    return connection->stream.outbound.bytes + (connection->backlog == NULL ? 0 : connection->backlog->bytes);
}

/* These, and what is kept aside meanwhile. */
static inline size_t apus__backlog_queued(const apus_connection *connection)
{
    return apus__backlog_moving(connection) + (connection->held == NULL ? 0 : connection->held->bytes);
}

/* Queues a copy of one whole frame. APUS_OK, or APUS_ENOMEM, which ends the connection: a part may be queued. */
int apus__backlog_copy(apus_connection *connection, const uint8_t *header, size_t header_len, const uint8_t *data,
                       size_t len);

/* Queues a shared buffer of whole frames; else as apus__backlog_copy. */
int apus__backlog_share(apus_connection *connection, apus_buffer *buffer);

/* Keep a frame aside until a message that is being sent in parts has ended; else as the two above. */
int apus__backlog_hold_copy(apus_connection *connection, const uint8_t *header, size_t header_len, const uint8_t *data,
                            size_t len);
int apus__backlog_hold_share(apus_connection *connection, apus_buffer *buffer);

/* Queues what was kept aside, now that the message has ended. APUS_OK, or APUS_ENOMEM, which ends the connection. */
int apus__backlog_release(apus_connection *connection);

/* Gives the stream what it may have, now that it has sent something. */
void apus__backlog_move(apus_connection *connection);

/* Forgets what waits: nothing may follow the Close that was sent. */
void apus__backlog_drop(apus_connection *connection);

#endif
