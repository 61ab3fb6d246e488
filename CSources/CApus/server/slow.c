/* A connection that has nothing to wait for has no watch, and no memory for one. */
#include "server/slow.h"

#include "apus/alloc.h"
#include "net/stream.h"

/* A peer that acknowledges so many bytes in the lag catches up, whatever its limit. */
#define ENOUGH_TAKEN ((size_t)64 * 1024)

/* The least that is pushed to make room for a delivery: fewer bytes would not be worth the call. */
#define PUSHED_FOR_DELIVERY ((size_t)32 * 1024)

typedef struct apus_watch {
    apus_timer timer;
    apus_connection *connection;
    uint64_t taken;     /* acknowledged when the present span began */
    uint64_t span_end;  /* in the wheel's ticks */
    uint64_t lag_end;   /* in the wheel's ticks; 0: no message came on top of the soft limit */
    uint64_t lag_taken; /* acknowledged when the lag began */
    size_t lag_charge;  /* of the outbox then */
    bool is_condemned;  /* it passed the hard limit, and is to be closed */
} apus_watch;

static const apus_endpoint_config *config_of(const apus_connection *connection)
{
    return connection->endpoint->config;
}

static uint64_t now(const apus_connection *connection)
{
    return connection->stream.loop->wheel.now;
}

/* The tick that is `time` milliseconds away. */
static uint64_t ticks_from_now(const apus_connection *connection, uint32_t time)
{
    return now(connection) + 1 + time / APUS_WHEEL_TICK;
}

static void arm(apus_watch *watch)
{
    apus_connection *connection = watch->connection;
    uint64_t end = watch->lag_end != 0 && watch->lag_end < watch->span_end ? watch->lag_end : watch->span_end;
    uint64_t ticks = end > now(connection) ? end - now(connection) : 1;
    apus__loop_arm(connection->stream.loop, &watch->timer, watch->is_condemned ? 0 : (ticks - 1) * APUS_WHEEL_TICK);
}

static void begin_span(apus_watch *watch)
{
    apus_connection *connection = watch->connection;
    watch->taken = apus__stream_taken(&connection->stream);
    watch->span_end = ticks_from_now(connection, config_of(connection)->stall_timeout);
}

static void begin_lag(apus_watch *watch)
{
    apus_connection *connection = watch->connection;
    watch->lag_end = ticks_from_now(connection, config_of(connection)->slow_consumer_lag);
    watch->lag_taken = apus__stream_taken(&connection->stream);
    watch->lag_charge = connection->stream.outbox.charge;
}

void apus__slow_forget(apus_connection *connection)
{
    apus_watch *watch = connection->watch;
    if (watch == NULL)
        return;
    connection->watch = NULL;
    apus__loop_disarm(connection->stream.loop, &watch->timer);
    apus_free(watch);
}

/* Senders that wait try again, and learn why they cannot send. */
static void wake_senders(apus_connection *connection)
{
    if (!connection->wants_drain)
        return;
    connection->wants_drain = false;
    config_of(connection)->callbacks.on_drain(connection);
}

/* Closes the connection with 1013; what waits is dropped. */
static void close_slow(apus_connection *connection)
{
    if (connection->phase != PHASE_OPEN || !apus_session_is_open(&connection->session))
        return;
    APUS_COUNT(connection->endpoint->statistics.slow_consumers_closed, 1);
    connection->was_slow = true;
    /* The Close stands behind what the transport has begun to take; the close timeout bounds how long that may last. */
    apus__outbox_drop_waiting(&connection->stream.outbox);
    apus_connection_close(connection, apus_error_code(APUS_ESLOW), NULL, 0);
    wake_senders(connection);
}

/* The peer is slow if it has been over its limit all the time, and neither does less wait for it than then, nor has it
 * acknowledged much. So one burst may take as long as it takes, and a peer that keeps up with a constant stream may
 * stay behind by the same amount. What our socket accepts says less: it has room again only once a good part of what
 * may be megabytes was acknowledged. */
static bool is_slow(const apus_watch *watch)
{
    const apus_stream *stream = &watch->connection->stream;
    if (!stream->is_full || stream->outbox.charge < watch->lag_charge)
        return false;
    size_t limit = config_of(watch->connection)->outbound_limit;
    return apus__stream_taken(stream) - watch->lag_taken < (limit < ENOUGH_TAKEN ? limit : ENOUGH_TAKEN);
}

/* Whether the peer has acknowledged as much as it should in a span; what it is not sent it cannot acknowledge. */
static bool is_taking(const apus_watch *watch)
{
    const apus_connection *connection = watch->connection;
    const apus_endpoint_config *config = config_of(connection);
    if (!apus__stream_is_outstanding(&connection->stream) || config->least_rate == 0)
        return true;
    uint64_t taken = apus__stream_taken(&connection->stream) - watch->taken;
    return taken >= (uint64_t)config->least_rate * config->stall_timeout / 1000;
}

static void on_timer(apus_timer *timer)
{
    apus_watch *watch = APUS_QUEUE_MEMBER(timer, apus_watch, timer);
    apus_connection *connection = watch->connection;
    bool is_lag_over = watch->lag_end != 0 && now(connection) >= watch->lag_end;
    /* A stream whose turn was cut short does not count as full, though its socket may never tell again of the little
     * room that was left: what it takes now is sent before the peer is judged. */
    if (is_lag_over)
        apus__stream_push(&connection->stream, SIZE_MAX);
    if (watch->is_condemned || (is_lag_over && is_slow(watch))) {
        watch->is_condemned = false;
        watch->lag_end = 0;
        arm(watch);
        close_slow(connection);
        return;
    }
    if (is_lag_over)
        begin_lag(watch);
    if (now(connection) >= watch->span_end) {
        if (!is_taking(watch)) {
            APUS_COUNT(connection->endpoint->statistics.connections_stalled, 1);
            apus__connection_drop(connection, APUS_ETIMEDOUT);
            return;
        }
        begin_span(watch);
    }
    arm(watch);
}

void apus__slow_watch(apus_connection *connection)
{
    if (connection->watch != NULL || connection->phase == PHASE_GONE)
        return;
    apus_watch *watch = apus_calloc(1, sizeof *watch);
    if (watch == NULL) { /* a peer that nobody watches could hold what waits for it for ever */
        APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
        apus__stream_fail(&connection->stream, APUS_ENOMEM);
        return;
    }
    connection->watch = watch;
    watch->connection = connection;
    apus__timer_init(&watch->timer, on_timer);
    begin_span(watch);
    if (connection->phase == PHASE_REQUEST)
        connection->acknowledged = watch->taken;
    arm(watch);
}

/* A message that could not wait came on top of the soft limit, or one that could had to. */
static void note_over(apus_connection *connection)
{
    apus__slow_watch(connection);
    apus_watch *watch = connection->watch;
    if (watch == NULL || watch->lag_end != 0)
        return;
    begin_lag(watch);
    arm(watch);
}

void apus__slow_note_sent(apus_connection *connection)
{
    apus_watch *watch = connection->watch;
    if (watch == NULL)
        return;
    /* Of TLS only ciphertext may be left. The stream is full then, and will not tell so again. */
    if (connection->stream.outbox.charge == 0 && !connection->stream.is_full)
        apus__slow_forget(connection);
    else if (connection->stream.outbox.charge <= config_of(connection)->outbound_limit)
        watch->lag_end = 0;
}

bool apus__slow_is_taking(apus_connection *connection)
{
    uint64_t taken = apus__stream_taken(&connection->stream);
    bool has_taken = taken != connection->acknowledged;
    connection->acknowledged = taken;
    return has_taken && apus__stream_is_outstanding(&connection->stream);
}

/* Whether so many bytes more would pass the hard limit. */
static bool is_far_over(const apus_connection *connection, size_t more)
{
    const apus_endpoint_config *config = config_of(connection);
    size_t limit = config->burst_limit > config->outbound_limit ? config->burst_limit : config->outbound_limit;
    size_t charge = connection->stream.outbox.charge;
    return charge != 0 && charge + more > limit;
}

static int drop_message(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.messages_dropped, 1);
    return APUS_EDROPPED;
}

/* Whether the transport is full, and was so before the loop polled last; or all that waits is held back by the
 * application itself. */
static bool is_proven_full(const apus_connection *connection)
{
    return apus__stream_is_stuck(&connection->stream) || connection->stream.outbox.bytes == 0;
}

int apus__slow_admit(apus_connection *connection, size_t len)
{
    apus__stream_push(&connection->stream, SIZE_MAX);
    if (!apus__slow_is_over(connection, len))
        return APUS_OK;
    switch (config_of(connection)->slow_consumer) {
    case APUS_SLOW_CONSUMER_SUSPEND:
        return APUS_EFULL;
    case APUS_SLOW_CONSUMER_DROP:
        return is_proven_full(connection) || is_far_over(connection, len) ? drop_message(connection) : APUS_OK;
    case APUS_SLOW_CONSUMER_CLOSE:
        note_over(connection);
        return APUS_EFULL;
    }
    return APUS_EFULL;
}

/* Makes room for a delivery and does no more work than that: all subscribers of a topic may reach their limits with the
 * same message. */
static void make_room(apus_connection *connection, size_t len)
{
    size_t wanted = connection->stream.outbox.charge + len;
    size_t limit = config_of(connection)->outbound_limit;
    size_t over = wanted > limit ? wanted - limit : 0;
    apus__stream_push(&connection->stream, over > PUSHED_FOR_DELIVERY ? over : PUSHED_FOR_DELIVERY);
}

int apus__slow_admit_delivery(apus_connection *connection, size_t len)
{
    make_room(connection, len);
    if (!apus__slow_is_over(connection, len))
        return APUS_OK;
    if (config_of(connection)->slow_consumer == APUS_SLOW_CONSUMER_DROP)
        return is_proven_full(connection) || is_far_over(connection, len) ? drop_message(connection) : APUS_OK;
    note_over(connection);
    apus_watch *watch = connection->watch;
    if (watch == NULL)
        return APUS_OK; /* the stream has failed */
    if (!watch->is_condemned && is_far_over(connection, len) && is_proven_full(connection)) {
        watch->is_condemned = true;
        arm(watch);
    }
    return watch->is_condemned ? APUS_ESLOW : APUS_OK;
}
