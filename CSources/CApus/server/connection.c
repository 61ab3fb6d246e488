/* A connection's life: opened by an endpoint, moved from phase to phase, ended and freed; and its one timer. */
#include "server/connection.h"

#include <assert.h>
#include <string.h>

#include "apus/alloc.h"
#include "apus/close.h"
#include "net/tcp.h"
#include "net/write.h"
#include "server/budget.h"
#include "server/client.h"
#include "server/closing.h"
#include "server/keepalive.h"
#include "server/slow.h"

static apus_connection *connection_of(apus_stream *stream)
{
    return APUS_QUEUE_MEMBER(stream, apus_connection, stream);
}

void *apus_connection_context(const apus_connection *connection)
{
    return connection->context;
}

void apus_connection_set_context(apus_connection *connection, void *context)
{
    connection->context = context;
}

void *apus_connection_endpoint_context(const apus_connection *connection)
{
    return connection->endpoint->context;
}

uint64_t apus_connection_id(const apus_connection *connection)
{
    return connection->id;
}

int apus__connection_set_compression(apus_connection *connection, const apus_deflate_parameters *parameters)
{
    apus_endpoint *endpoint = connection->endpoint;
    const apus_endpoint_config *config = endpoint->config;
    apus_compression *compression =
        apus_compression_new(config->session.role, &config->compression, parameters, &endpoint->pool);
    if (compression == NULL)
        return APUS_ENOMEM;
    apus_session_set_compression(&connection->session, compression);
    size_t threshold = apus_compression_threshold(compression);
    if (threshold < connection->small_end)
        connection->small_end = (uint8_t)threshold;
    return APUS_OK;
}

const apus_tls *apus_connection_tls(const apus_connection *connection)
{
    return connection->stream.secure == NULL ? NULL : connection->stream.secure->tls;
}

void apus__connection_set_timeout(apus_connection *connection, uint32_t delay)
{
    connection->is_active = false;
    if (delay == 0)
        apus__loop_disarm(connection->stream.loop, &connection->timer);
    else
        apus__loop_arm(connection->stream.loop, &connection->timer, delay);
}

void apus__connection_tell_end(apus_connection *connection, const apus_ending *ending)
{
    if (connection->has_ended)
        return;
    connection->has_ended = true;
    apus__topic_unsubscribe_all(connection);
    apus_ending told = apus__closing_ending(connection, ending);
    connection->endpoint->config->callbacks.on_end(connection, &told);
}

/* Waits for the peer's end, for a while. */
static void await_end(apus_connection *connection)
{
    connection->phase = PHASE_ENDING;
    connection->input_len = 0;
    connection->acknowledged = apus__stream_taken(&connection->stream);
    apus__stream_set_reading(&connection->stream, true);
    apus__stream_resume_large(&connection->stream);
    apus__connection_set_timeout(connection, connection->endpoint->config->close_timeout);
}

void apus__connection_finish(apus_connection *connection)
{
    if (connection->phase >= PHASE_ENDING)
        return;
    apus__stream_finish(&connection->stream);
    await_end(connection);
}

void apus__connection_end_handshake(apus_connection *connection)
{
    if (connection->endpoint->config->session.role == APUS_ROLE_SERVER)
        apus__connection_finish(connection);
    else
        await_end(connection);
}

/* Whether an answer is under way, or what was queued of it; a stream that has failed has dropped that. */
static bool is_answering(const apus_connection *connection)
{
    return connection->phase == PHASE_REQUEST ||
           (connection->phase == PHASE_ENDING && connection->request != NULL &&
            (apus__stream_has_unsent(&connection->stream) || connection->stream.error != 0));
}

void apus__connection_drop(apus_connection *connection, int error)
{
    if (connection->phase == PHASE_GONE)
        return;
    if (is_answering(connection))
        apus__response_break(connection);
    connection->phase = PHASE_GONE;
    connection->input_len = 0;
    apus_session_end(&connection->session);
    apus__slow_forget(connection);
    apus__connection_set_timeout(connection, 0);
    apus__stream_close(&connection->stream);
    apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = error});
}

void apus_connection_abort(apus_connection *connection)
{
    apus__connection_drop(connection, APUS_ECLOSED);
}

/* The application says its last words, if it may still send. */
static void go_away(apus_connection *connection)
{
    void (*on_stop)(apus_connection *) = connection->endpoint->config->callbacks.on_stop;
    bool may_send = apus_session_is_open(&connection->session) || connection->peer_close != NULL;
    if (on_stop != NULL && may_send)
        on_stop(connection);
    else
        apus_connection_go_away(connection);
}

void apus__connection_stop(apus_connection *connection)
{
    switch ((enum connection_phase)connection->phase) {
    case PHASE_HEAD:
        apus__connection_finish(connection);
        return;
    case PHASE_REQUEST:
        connection->request->keep_alive = false;
        return;
    case PHASE_OPEN:
        go_away(connection);
        return;
    case PHASE_OPENING: /* the client ends it (client.c) */
    case PHASE_ENDING:
    case PHASE_GONE:
        return;
    }
}

void apus__connection_drop_waiting(apus_connection *connection)
{
    apus__stream_push(&connection->stream, SIZE_MAX);
    apus__outbox_drop_waiting(&connection->stream.outbox);
}

/* Waits as long as the peer acknowledges what it was sent; otherwise drops the connection. */
static void end_in_time(apus_connection *connection)
{
    if (apus__slow_is_taking(connection)) {
        apus__connection_set_timeout(connection, connection->endpoint->config->close_timeout);
        return;
    }
    apus__connection_drop(connection, APUS_ETIMEDOUT);
}

static void on_timer(apus_timer *timer)
{
    apus_connection *connection = APUS_QUEUE_MEMBER(timer, apus_connection, timer);
    switch ((enum connection_phase)connection->phase) {
    case PHASE_HEAD:
        apus__request_time_out(connection);
        return;
    case PHASE_OPENING:
        apus__opening_end(connection, APUS_ETIMEDOUT);
        return;
    case PHASE_OPEN:
        apus__keepalive_check(connection);
        return;
    case PHASE_ENDING:
        end_in_time(connection);
        return;
    case PHASE_REQUEST: /* the application may take its time, but not the peer */
        apus__exchange_time_out(connection);
        return;
    case PHASE_GONE:
        return;
    }
}

static uint8_t *find_place(apus_stream *stream, size_t *size)
{
    return apus__connection_find_place(connection_of(stream), size);
}

static bool holds_large(apus_stream *stream)
{
    const apus_connection *connection = connection_of(stream);
    /* One that ends must see the peer's Close, or its end. */
    bool may_hold = connection->phase == PHASE_OPEN && apus_session_is_open(&connection->session);
    return may_hold && connection->endpoint->is_holding_large;
}

static void on_read(apus_stream *stream, uint8_t *data, size_t len)
{
    apus_connection *connection = connection_of(stream);
    connection->is_active = true;
    if (APUS_LIKELY(connection->phase == PHASE_OPEN))
        apus__connection_receive(connection, data, len);
    else if (connection->phase <= PHASE_REQUEST)
        apus__request_receive(connection, data, len);
    else if (connection->phase == PHASE_OPENING)
        apus__opening_receive(connection, data, len);
    /* While ENDING, what comes is read and forgotten, so that closing does not reset what we sent. */
}

/* A connection that ends behind the peer's Close is not lost. */
static void count_loss(apus_connection *connection)
{
    if (connection->phase == PHASE_OPEN && connection->peer_close == NULL)
        APUS_COUNT(connection->endpoint->statistics.connections_lost, 1);
}

static void on_end(apus_stream *stream, int error)
{
    apus_connection *connection = connection_of(stream);
    /* The end may come in the same event that made room for the last of an answer, which then stands in the cork. */
    if (error == 0 && apus__stream_owns_cork(stream))
        apus__stream_uncork(stream);
    /* A peer that has sent all it will may still read the answer. */
    if (error == 0 && connection->phase == PHASE_REQUEST && !connection->request->is_upgrade) {
        connection->request->keep_alive = false;
        apus__stream_set_reading(stream, false);
        apus__content_lose(connection);
        return;
    }
    if (error == 0 && apus__exchange_may_still_read(connection)) {
        connection->peer_has_ended = true;
        apus__connection_finish(connection);
        apus__stream_set_reading(stream, false);
        return;
    }
    /* The same holds for one that has sent its Close, while the answer to that waits for other answers. */
    if (error == 0 && connection->peer_close != NULL) {
        connection->peer_has_ended = true;
        apus__stream_set_reading(stream, false);
        return;
    }
    if (connection->phase == PHASE_OPENING) {
        apus__opening_end(connection, error == 0 && apus__stream_is_truncated(stream) ? APUS_ETRUNCATED : APUS_ELOST);
        return;
    }
    bool is_truncated = error == 0 && connection->phase == PHASE_OPEN && apus__stream_is_truncated(stream);
    count_loss(connection);
    if (connection->phase == PHASE_REQUEST)
        APUS_COUNT(connection->endpoint->statistics.requests_abandoned, 1);
    if (is_truncated)
        APUS_COUNT(connection->endpoint->statistics.tls_truncations, 1);
    apus__connection_drop(connection, is_truncated ? APUS_ETRUNCATED : APUS_ELOST);
}

static void on_fail(apus_stream *stream, int error)
{
    apus_connection *connection = connection_of(stream);
    if (connection->phase == PHASE_OPENING) {
        apus__opening_end(connection, error);
        return;
    }
    count_loss(connection);
    const char *words = stream->secure == NULL ? "" : apus_tls_words(stream->secure->tls);
    apus__refusal_tell(connection, error, (apus_text){words, strlen(words)});
    apus__connection_finish(connection);
    apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = error});
}

static void on_sent(apus_stream *stream)
{
    apus_connection *connection = connection_of(stream);
    if (connection->watch != NULL)
        apus__slow_note_sent(connection);
    if (APUS_UNLIKELY(connection->phase != PHASE_OPEN) && !apus__exchange_sent(connection))
        return;
    if (!connection->wants_drain || stream->outbox.bytes > connection->endpoint->config->outbound_limit / 2)
        return;
    connection->wants_drain = false;
    connection->endpoint->config->callbacks.on_drain(connection);
}

static void on_full(apus_stream *stream)
{
    apus__slow_watch(connection_of(stream));
}

static void on_close(apus_stream *stream)
{
    apus_connection *connection = connection_of(stream);
    apus_endpoint *endpoint = connection->endpoint;
    endpoint->config->callbacks.on_free(connection);
    apus__connection_forget_messages(connection);
    apus_session_deinit(&connection->session);
    apus__request_free(connection->request);
    apus_free(connection->peer_close);
    if (endpoint->budget != NULL)
        apus__budget_forget(endpoint->budget, connection);
    apus_queue_remove(&connection->node);
    apus_free(connection);
    if (apus_queue_is_empty(&endpoint->connections))
        apus_deflate_pool_clear(&endpoint->pool);
    endpoint->on_forget(endpoint);
}

static const apus_stream_callbacks stream_callbacks = {
    .find_place = find_place,
    .holds_large = holds_large,
    .on_read = on_read,
    .on_end = on_end,
    .on_fail = on_fail,
    .on_sent = on_sent,
    .on_full = on_full,
    .on_close = on_close,
};

void apus__connection_begin(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.handshakes_accepted, 1);
    connection->phase = PHASE_OPEN;
    apus_session_open(&connection->session);
    apus__keepalive_begin(connection);
    apus__stream_set_reading(&connection->stream, true);
}

apus_connection *apus__connection_new(apus_endpoint *endpoint)
{
    apus_connection *connection = apus_calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->endpoint = endpoint;
    connection->small_end = endpoint->config->session.role == APUS_ROLE_SERVER ? APUS__SMALL_END : 0;
    apus_session_init(&connection->session, &endpoint->config->session);
    return connection;
}

/* The stream is open: from here on the endpoint has the connection. */
static void join(apus_connection *connection, enum connection_phase phase)
{
    /* One for the process: a topic's publisher may exclude a connection of any server or client. */
    static uint64_t last_id;
    apus_endpoint *endpoint = connection->endpoint;
    connection->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    connection->phase = (uint8_t)phase;
    apus__timer_init(&connection->timer, on_timer);
    apus_queue_append(&endpoint->connections, &connection->node);
    APUS_COUNT(endpoint->statistics.connections_now, 1);
}

int apus__connection_open(apus_endpoint *endpoint, int fd, apus_opening *opening)
{
    apus_connection *connection = apus__connection_new(endpoint);
    if (connection == NULL)
        return APUS_ENOMEM;
    int error = APUS_ENOMEM;
    if (opening == NULL) {
        connection->request = apus_calloc(1, sizeof *connection->request);
        if (connection->request == NULL)
            goto free_connection;
        connection->request->content.is_whole = true;
    }
    error = apus__stream_open(&connection->stream, endpoint->loop, fd, &stream_callbacks, &endpoint->statistics);
    if (error != APUS_OK)
        goto free_request;

    if (opening != NULL) { /* a server's sockets have it from the one that listens */
        opening->connection = connection;
        apus__tcp_limit_silence(fd, endpoint->config->stall_timeout);
    }
    connection->opening = opening;
    join(connection, opening == NULL ? PHASE_HEAD : PHASE_OPENING);
    apus__connection_set_timeout(connection, endpoint->config->handshake_timeout);
    APUS_COUNT(endpoint->statistics.connections_accepted, opening == NULL ? 1 : 0);
    bool is_secure = opening == NULL && endpoint->tls != NULL; /* a client's may have to pass a proxy first */
    if (is_secure && apus__stream_secure(&connection->stream, endpoint->tls, NULL) != APUS_OK) {
        APUS_COUNT(endpoint->statistics.memory_errors, 1);
        apus__connection_drop(connection, APUS_ENOMEM);
    }
    return APUS_OK;

free_request:
    apus_free(connection->request);
free_connection:
    apus_free(connection);
    return error;
}

void apus__connection_open_pipe(apus_connection *connection, apus_pipe *pipe)
{
    apus_endpoint *endpoint = connection->endpoint;
    apus__stream_open_pipe(&connection->stream, endpoint->loop, pipe, &stream_callbacks, &endpoint->statistics);
    join(connection, PHASE_OPENING);
    apus__connection_begin(connection);
}
