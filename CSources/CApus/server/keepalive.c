/* One timer a connection: it fires when the next Ping is due, or the connection's time is over. */
#include "server/keepalive.h"

#include <string.h>

#include "server/closing.h"
#include "server/slow.h"

/* Bytes of a Ping's payload: the connection's number, so that a Pong tells which Ping it answers. */
#define PING_SIZE 8

static void write_payload(const apus_connection *connection, uint8_t payload[PING_SIZE])
{
    for (size_t i = 0; i < PING_SIZE; i++)
        payload[i] = (uint8_t)(connection->id >> 8 * (PING_SIZE - 1 - i));
}

/* The wheel's time; a connection's life is far shorter than it takes to come round. */
static uint32_t now(const apus_connection *connection)
{
    return (uint32_t)connection->stream.loop->wheel.now;
}

/* Milliseconds left to live; 0 when the time is over. */
static uint32_t time_left(const apus_connection *connection)
{
    int32_t ticks = (int32_t)(connection->expires - now(connection));
    int64_t left = (int64_t)ticks * APUS_WHEEL_TICK;
    if (left <= 0)
        return 0;
    return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

static void arm(apus_connection *connection)
{
    uint32_t delay = connection->endpoint->config->ping_interval;
    if (connection->expires != 0) {
        uint32_t left = time_left(connection);
        if (delay == 0 || left < delay)
            delay = left == 0 ? APUS_WHEEL_TICK : left;
    }
    apus__connection_set_timeout(connection, delay);
}

void apus__keepalive_begin(apus_connection *connection)
{
    uint32_t lifetime = connection->endpoint->config->lifetime;
    if (lifetime != 0) {
        uint32_t end = now(connection) + lifetime / APUS_WHEEL_TICK + 1;
        connection->expires = end != 0 ? end : 1;
    }
    arm(connection);
}

static void ping(apus_connection *connection)
{
    uint8_t payload[PING_SIZE];
    uint8_t frame[APUS_CONTROL_FRAME_SIZE];
    write_payload(connection, payload);
    ptrdiff_t size = apus_session_control(&connection->session, APUS_OPCODE_PING, payload, sizeof payload, frame);
    if (size < 0)
        return;
    APUS_COUNT(connection->endpoint->statistics.pings_sent, 1);
    apus__stream_control(&connection->stream, frame, (size_t)size, APUS_SEGMENT_PING);
}

static void give_up(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.ping_timeouts, 1);
    apus_connection_close(connection, apus_error_code(APUS_ESILENT), NULL, 0);
    apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = APUS_ESILENT});
    apus__connection_finish(connection);
}

/* Whether the peer has given a sign of life since the last check: something came, or it has acknowledged something.
 * While nothing is read, because the application does not take messages or memory is short, a Pong stays unseen; then a
 * peer that has nothing to acknowledge is in order as well. */
static bool is_alive(apus_connection *connection)
{
    if (connection->is_active || apus__slow_is_taking(connection))
        return true;
    return !apus__stream_is_read(&connection->stream) && !apus__stream_is_outstanding(&connection->stream);
}

void apus__keepalive_check(apus_connection *connection)
{
    apus_statistics *statistics = &connection->endpoint->statistics;
    if (connection->peer_close != NULL) {
        APUS_COUNT(statistics->close_timeouts, 1);
        apus__closing_answer(connection);
        return;
    }
    if (connection->session.state == APUS_STATE_CLOSING) {
        if (apus__slow_is_taking(connection)) {
            apus__connection_set_timeout(connection, connection->endpoint->config->close_timeout);
            return;
        }
        APUS_COUNT(statistics->close_timeouts, 1);
        apus__connection_drop(connection, APUS_ETIMEDOUT);
        return;
    }
    if (connection->expires != 0 && time_left(connection) == 0) {
        APUS_COUNT(statistics->lifetimes_ended, 1);
        apus_connection_close(connection, APUS_CLOSE_GOING_AWAY, NULL, 0);
        return;
    }
    if (is_alive(connection)) {
        connection->pings_missed = 0;
        if (!apus__stream_is_read(&connection->stream)) /* for its acknowledgement */
            ping(connection);
    } else if (connection->pings_missed < connection->endpoint->config->pings_missed) {
        connection->pings_missed++;
        ping(connection);
    } else {
        give_up(connection);
        return;
    }
    connection->application_pings = false;
    arm(connection);
}

void apus__keepalive_answer(apus_connection *connection, const apus_event *ping)
{
    if (ping->reply_len != 0)
        apus__stream_control(&connection->stream, ping->reply, ping->reply_len, APUS_SEGMENT_PONG);
}

void apus__keepalive_pong(apus_connection *connection, const uint8_t *data, size_t len)
{
    if (connection->pings_missed == 0 || connection->application_pings)
        return;
    uint8_t payload[PING_SIZE];
    write_payload(connection, payload);
    if (len != sizeof payload || memcmp(data, payload, sizeof payload) != 0)
        connection->is_active = false;
}

void apus__keepalive_application_pings(apus_connection *connection)
{
    connection->application_pings = true;
}
