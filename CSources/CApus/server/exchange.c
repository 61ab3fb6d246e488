/* How long a request and its answer may take: every wait of an exchange has an end, and this file has the clock of
 * each.
 *
 * Where the application is awaited there is no limit, but for an upgrade. Then a client that is not read from, because
 * it has sent its last byte or more than is looked at, is looked at now and then: it may have gone. */
#include "server/connection.h"

#include "server/slow.h"

/* RFC 9110 §15.2: any HTTP/1.1 client skips an interim response. Nobody but a client that is gone answers it, with a
 * reset; nothing else tells a client that has only ended its sending direction from one that has gone. */
static const char probe[] = "HTTP/1.1 100 Continue\r\n\r\n";

static const apus_endpoint_config *config_of(const apus_connection *connection)
{
    return connection->endpoint->config;
}

static bool is_upgrade_undecided(const apus_request *request)
{
    return request->is_upgrade && request->framing == APUS_FRAMING_NONE;
}

/* Whether the client has to take something for the exchange to go on. */
static bool is_sending(const apus_connection *connection)
{
    return connection->request->is_pulling || (connection->wants_drain && connection->stream.outbox.bytes != 0);
}

/* Bytes of the answer that the socket has not taken, as far as they are known. */
static uint64_t unsent(const apus_connection *connection)
{
    const apus_request *request = connection->request;
    return connection->stream.outbox.bytes + (request->is_pulling ? request->answer_left : 0);
}

/* How far the content may be behind the minimum rate: what would have come in the body timeout. */
static uint64_t most_debt(const apus_endpoint_config *config)
{
    return (uint64_t)config->body_rate * config->body_timeout;
}

/* The debt with the present wait; both it and its limit are in bytes times 1000. */
static uint64_t debt(const apus_connection *connection)
{
    const apus_content *content = &connection->request->content;
    uint64_t waited = apus__loop_now(connection->stream.loop) - content->demanded_at;
    return content->debt + waited * config_of(connection)->body_rate;
}

static bool is_too_slow(const apus_connection *connection)
{
    return config_of(connection)->body_rate != 0 && debt(connection) > most_debt(config_of(connection));
}

/* Until the content is late: by the silence, or by the rate. */
static uint32_t content_delay(const apus_connection *connection)
{
    const apus_endpoint_config *config = config_of(connection);
    if (config->body_rate == 0)
        return config->body_timeout;
    uint64_t most = most_debt(config), present = debt(connection);
    uint64_t left = present < most ? (most - present) / config->body_rate + 1 : 1;
    return left < config->body_timeout ? (uint32_t)left : config->body_timeout;
}

void apus__exchange_set_timeout(apus_connection *connection)
{
    apus_request *request = connection->request;
    const apus_endpoint_config *config = config_of(connection);
    request->unsent_mark = unsent(connection);
    if (request->content.is_demanded)
        apus__connection_set_timeout(connection, content_delay(connection));
    else if (connection->wants_drain || request->is_pulling)
        apus__connection_set_timeout(connection, config->body_timeout);
    else if (is_upgrade_undecided(request) && config->upgrade_timeout != 0)
        return; /* its time runs on */
    else
        apus__connection_set_timeout(connection, connection->stream.is_reading ? 0 : config->departure_interval);
}

static void fail_content(apus_connection *connection)
{
    if (is_too_slow(connection))
        APUS_COUNT(connection->endpoint->statistics.content_rate_errors, 1);
    apus__content_fail(connection, APUS_EBODYTIME);
    apus__content_tell_end(connection);
}

bool apus__exchange_begin_wait(apus_connection *connection)
{
    connection->request->content.demanded_at = apus__loop_now(connection->stream.loop);
    if (is_too_slow(connection)) {
        fail_content(connection);
        return false;
    }
    apus__exchange_set_timeout(connection);
    return true;
}

void apus__exchange_end_wait(apus_connection *connection, size_t content_len)
{
    apus_content *content = &connection->request->content;
    if (content_len != 0) {
        uint64_t present = debt(connection), paid = (uint64_t)content_len * 1000;
        content->debt = present > paid ? present - paid : 0;
    }
    content->is_demanded = false;
    apus__exchange_set_timeout(connection);
}

/* The application is told as if the client had gone, so that it decides no more. */
static void end_upgrade(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.upgrade_timeouts, 1);
    apus__refusal_tell(connection, APUS_EUPGRADETIME, (apus_text){"", 0});
    apus__request_refuse(connection, APUS_EUPGRADETIME);
    apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = APUS_EUPGRADETIME});
}

/* Looks whether the client is still there. */
static void look_for_client(apus_connection *connection)
{
    apus_request *request = connection->request;
    apus_peer_state state = apus_socket_look(connection->stream.fd);
    if (state == APUS_PEER_GONE) {
        APUS_COUNT(connection->endpoint->statistics.requests_abandoned, 1);
        apus__connection_drop(connection, APUS_ELOST);
        return;
    }
    bool may_probe = request->minor_version == 1 && request->framing == APUS_FRAMING_NONE && !request->has_probed;
    if (state == APUS_PEER_ENDED && may_probe) {
        request->has_probed = true;
        apus__stream_write(&connection->stream, (const uint8_t *)probe, sizeof probe - 1, NULL, 0);
    }
}

void apus__exchange_time_out(apus_connection *connection)
{
    apus_request *request = connection->request;
    bool is_active = connection->is_active;
    /* What our socket has taken says little: see is_slow in slow.c. */
    bool is_stalled = is_sending(connection) && unsent(connection) >= request->unsent_mark;
    if (is_stalled && !apus__slow_is_taking(connection)) {
        APUS_COUNT(connection->endpoint->statistics.content_timeouts, 1);
        apus__connection_drop(connection, APUS_ETIMEDOUT);
        return;
    }
    if (request->content.is_demanded && (!is_active || is_too_slow(connection)))
        fail_content(connection);
    else if (is_upgrade_undecided(request) && config_of(connection)->upgrade_timeout != 0)
        end_upgrade(connection);
    else if (!connection->stream.is_reading && !is_sending(connection))
        look_for_client(connection);
    if (connection->phase == PHASE_REQUEST)
        apus__exchange_set_timeout(connection);
}

bool apus__exchange_may_still_read(const apus_connection *connection)
{
    bool is_finishing = connection->phase == PHASE_ENDING && connection->stream.is_finishing;
    return (connection->phase == PHASE_HEAD || is_finishing) && apus__stream_has_unsent(&connection->stream);
}

bool apus__exchange_sent(apus_connection *connection)
{
    if (connection->phase <= PHASE_REQUEST)
        apus__request_sent(connection);
    /* The end of a peer that had sent its last byte was waited with. */
    else if (connection->phase == PHASE_ENDING && connection->peer_has_ended && connection->stream.is_finished)
        apus__connection_drop(connection, APUS_ELOST);
    return connection->phase != PHASE_GONE;
}

/* Whether the next request has its time from its first byte on: nothing of it, and of the last one, is left. */
static bool is_idle(const apus_request *request)
{
    return request->bytes.len == 0 && request->content.is_whole;
}

void apus__exchange_await_request(apus_connection *connection)
{
    apus_request *request = connection->request;
    const apus_endpoint_config *config = config_of(connection);
    request->is_idle = is_idle(request);
    uint32_t delay = request->is_idle ? config->keep_alive_timeout : config->handshake_timeout;
    /* A client that takes nothing of the answer is not idle. */
    if (request->is_idle && connection->stream.outbox.bytes != 0 && config->body_timeout < delay)
        delay = config->body_timeout;
    apus__connection_set_timeout(connection, delay);
}

void apus__exchange_begin_head(apus_connection *connection)
{
    connection->request->is_idle = false;
    apus__connection_set_timeout(connection, config_of(connection)->handshake_timeout);
}

void apus__request_time_out(apus_connection *connection)
{
    const apus_request *request = connection->request;
    if (apus__slow_is_taking(connection)) {
        if (request->is_idle)
            apus__exchange_await_request(connection);
        else
            apus__connection_set_timeout(connection, config_of(connection)->handshake_timeout);
        return;
    }
    if (request->is_idle) {
        APUS_COUNT(connection->endpoint->statistics.keep_alive_timeouts, 1);
        apus__connection_finish(connection);
        return;
    }
    APUS_COUNT(connection->endpoint->statistics.handshake_timeouts, 1);
    bool awaits_header = request->peer != NULL && request->peer->awaits_header;
    if (request->bytes.len == 0 || !request->content.is_whole || awaits_header) {
        apus__connection_finish(connection);
        return;
    }
    apus__refusal_tell(connection, APUS_ETIMEDOUT, (apus_text){"", 0});
    apus__request_refuse(connection, APUS_ETIMEDOUT);
}
