/* The answer to the peer's Close (RFC 6455 §5.5.1): "it SHOULD do so as soon as practical", and an endpoint "MAY delay
 * sending a Close frame until its current message is sent". Here it may wait for the answers to all messages that came
 * before the Close, for as long as the close timeout. */
#include "server/closing.h"

#include <string.h>

#include "apus/alloc.h"

struct apus_peer_close {
    uint16_t code;
    uint8_t reason_len;
    uint8_t reply_len;
    uint8_t reason[APUS_CONTROL_PAYLOAD_SIZE];
    uint8_t reply[APUS_CONTROL_FRAME_SIZE];
};

/* Whether the application has messages to work on: some that it has not taken, or one that it has taken, and has not
 * asked for another since. */
static bool is_working(const apus_connection *connection)
{
    bool has_messages = connection->first_waiting != NULL || connection->taken != NULL || connection->left != NULL;
    return connection->demand == APUS_DEMAND_NONE && (has_messages || connection->has_given);
}

/* Keeps the Close and its answer; false where memory is out. */
static bool keep(apus_connection *connection, const apus_event *event)
{
    apus_peer_close *close = apus_malloc(sizeof *close);
    if (close == NULL)
        return false;
    close->code = event->code;
    close->reason_len = (uint8_t)event->len;
    close->reply_len = event->reply_len;
    if (event->len != 0)
        memcpy(close->reason, event->data, event->len);
    memcpy(close->reply, event->reply, event->reply_len);
    connection->peer_close = close;
    return true;
}

/* Nothing may follow a Close (RFC 6455 §5.5.1). What was queued before it is sent first where answers are to arrive. */
static void send_answer(apus_connection *connection, const uint8_t *reply, size_t reply_len)
{
    if (reply_len == 0)
        return;
    if (!connection->endpoint->config->answers_first)
        apus__connection_drop_waiting(connection);
    apus__stream_write(&connection->stream, reply, reply_len, NULL, 0);
}

static void end(apus_connection *connection, const apus_ending *ending)
{
    apus__connection_end_handshake(connection);
    apus__connection_tell_end(connection, ending);
}

void apus__closing_receive(apus_connection *connection, const apus_event *event)
{
    const apus_endpoint_config *config = connection->endpoint->config;
    bool may_wait = config->answers_first && event->reply_len != 0 && connection->stream.error == 0;
    if (may_wait && is_working(connection) && keep(connection, event)) {
        apus__connection_set_timeout(connection, config->close_timeout);
        return;
    }
    send_answer(connection, event->reply, event->reply_len);
    end(connection, &(apus_ending){.code = event->code, .reason = event->data, .reason_len = event->len});
}

void apus__closing_answer(apus_connection *connection)
{
    apus_peer_close *close = connection->peer_close;
    if (close == NULL)
        return;
    connection->peer_close = NULL;
    send_answer(connection, close->reply, close->reply_len);
    end(connection, &(apus_ending){.code = close->code, .reason = close->reason, .reason_len = close->reason_len});
    apus_free(close);
}

apus_ending apus__closing_ending(const apus_connection *connection, const apus_ending *ending)
{
    const apus_peer_close *close = connection->peer_close;
    if (close == NULL)
        return *ending;
    return (apus_ending){.code = close->code, .reason = close->reason, .reason_len = close->reason_len};
}
