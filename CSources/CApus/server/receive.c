/* Incoming messages: given out as they are demanded, in place while their bytes stand where they were read to, and kept
 * aside where nobody takes them. Pings and closes are answered in any case. */
#include "server/connection.h"

#include <string.h>

#include "apus/alloc.h"
#include "server/closing.h"
#include "server/keepalive.h"
#include "server/waiting.h"

/* What is read at once to where it is kept: no less, for what comes behind the message then takes a read of its own;
 * and no more, so that what is then unmasked is still in the processor's cache. */
#define LEAST_IN_PLACE ((size_t)64 * 1024)
#define MOST_IN_PLACE ((size_t)256 * 1024)

static void count_failure(apus_statistics *statistics, int error)
{
    switch (error) {
    case APUS_EUTF8:
        APUS_COUNT(statistics->utf8_errors, 1);
        return;
    case APUS_ETOOBIG:
        APUS_COUNT(statistics->size_errors, 1);
        return;
    case APUS_EFRAGMENTS:
        APUS_COUNT(statistics->fragment_errors, 1);
        return;
    case APUS_EINFLATE:
        APUS_COUNT(statistics->inflate_errors, 1);
        return;
    case APUS_ENOMEM:
        APUS_COUNT(statistics->memory_errors, 1);
        return;
    default:
        APUS_COUNT(statistics->protocol_errors, 1);
        return;
    }
}

static void handle_control(apus_connection *connection, const apus_event *event)
{
    if (event->kind == APUS_EVENT_PING) {
        apus__keepalive_answer(connection, event);
        return;
    }
    switch (event->kind) {
    case APUS_EVENT_PONG:
        apus__keepalive_pong(connection, event->data, event->len);
        connection->endpoint->config->callbacks.on_pong(connection, event->data, event->len);
        return;
    case APUS_EVENT_CLOSE:
        apus__closing_receive(connection, event);
        return;
    case APUS_EVENT_FAIL:
        if (event->reply_len != 0) {
            /* Nothing may follow a Close (RFC 6455 §5.5.1), and this one waits for nothing. */
            apus__connection_drop_waiting(connection);
            apus__stream_write(&connection->stream, event->reply, event->reply_len, NULL, 0);
        }
        count_failure(&connection->endpoint->statistics, event->error);
        apus__connection_finish(connection);
        apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = event->error});
        return;
    case APUS_EVENT_PING:
    case APUS_EVENT_NONE:
    case APUS_EVENT_MESSAGE:
    case APUS_EVENT_PART:
    case APUS_EVENT_LAST_PART:
        return;
    }
}

static void take_part(apus_connection *connection, const apus_event *event, apus_incoming *out)
{
    bool is_part = event->kind == APUS_EVENT_PART;
    if (!is_part)
        APUS_COUNT(connection->endpoint->statistics.messages_received, 1);
    *out = (apus_incoming){.opcode = event->opcode, .data = event->data, .len = event->len, .is_part = is_part};
}

void apus_connection_give_parts(apus_connection *connection)
{
    apus_session_give_parts(&connection->session);
}

/* The next message of the present read, if it is a small one. */
static inline bool take_small(apus_connection *connection, apus_incoming *out)
{
    apus_opcode opcode;
    size_t len,
        taken = apus_session_take_small(&connection->session, connection->input, connection->input_len, &opcode, &len);
    if (APUS_UNLIKELY(taken == 0))
        return false;
    connection->input += taken;
    connection->input_len -= taken;
    APUS_COUNT(connection->endpoint->statistics.messages_received, 1);
    *out = (apus_incoming){.opcode = opcode, .data = connection->input - len, .len = len};
    return true;
}

uint8_t *apus__connection_find_place(apus_connection *connection, size_t *size)
{
    if (connection->phase != PHASE_OPEN || connection->rest != NULL)
        return NULL;
    uint8_t *place = apus_session_find_place(&connection->session, size);
    if (place == NULL || *size < LEAST_IN_PLACE)
        return NULL;
    if (*size > MOST_IN_PLACE)
        *size = MOST_IN_PLACE;
    return place;
}

/* Goes on with the bytes of the present read up to the next message. */
static APUS_NOINLINE bool parse_next(apus_connection *connection, apus_incoming *out)
{
    while (connection->input_len != 0) {
        apus_event event;
        size_t taken = apus_session_receive(&connection->session, connection->input, connection->input_len, &event);
        connection->input += taken;
        connection->input_len -= taken;
        size_t size;
        connection->stream.has_place = apus__connection_find_place(connection, &size) != NULL;
        if (event.kind == APUS_EVENT_MESSAGE) {
            APUS_COUNT(connection->endpoint->statistics.messages_received, 1);
            *out = (apus_incoming){.opcode = event.opcode, .data = event.data, .len = event.len};
            return true;
        }
        if (event.kind == APUS_EVENT_PART || event.kind == APUS_EVENT_LAST_PART) {
            take_part(connection, &event, out);
            return true;
        }
        if (event.kind != APUS_EVENT_NONE)
            handle_control(connection, &event);
    }
    return false;
}

/* Keeps what is left of the present read, which begins anywhere in a frame, for later. */
static void set_aside(apus_connection *connection)
{
    if (connection->rest == NULL)
        connection->rest = apus_calloc(1, sizeof *connection->rest);
    if (connection->rest == NULL ||
        apus_bytes_append(&connection->rest->bytes, connection->input, connection->input_len) != APUS_OK) {
        APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
        apus__connection_drop(connection, APUS_ENOMEM);
    }
    connection->input_len = 0;
}

static void free_rest(apus_connection *connection)
{
    if (connection->rest == NULL)
        return;
    apus_bytes_deinit(&connection->rest->bytes);
    apus_free(connection->rest);
    connection->rest = NULL;
}

/* While closing no message comes any more, and only the peer's Close is looked for. */
static bool has_room(const apus_connection *connection)
{
    return connection->waiting_bytes <= connection->endpoint->config->inbound_limit ||
           !apus_session_is_open(&connection->session);
}

/* Keeps the messages of the input while there is room for them. */
static void keep_messages(apus_connection *connection)
{
    apus_incoming message;
    while (has_room(connection) && parse_next(connection, &message))
        apus__waiting_keep(connection, &message);
}

void apus__connection_resume_rest(apus_connection *connection)
{
    apus_rest *rest = connection->rest;
    if (rest == NULL || rest->is_resumed)
        return;
    rest->is_resumed = true;
    connection->input = rest->bytes.data + rest->start;
    connection->input_len = rest->bytes.len - rest->start;
    keep_messages(connection);
    rest->start = rest->bytes.len - connection->input_len;
    connection->input_len = 0;
    rest->is_resumed = false;
    if (rest->start != rest->bytes.len)
        return;
    free_rest(connection);
    if (connection->waiting_bytes <= connection->endpoint->config->inbound_limit)
        apus__stream_set_reading(&connection->stream, true);
}

/* Whether the next message, if there is one, is to be looked for in what is being read. */
static inline bool keeps_nothing(const apus_connection *connection)
{
    return ((uintptr_t)connection->left | (uintptr_t)connection->taken | (uintptr_t)connection->first_waiting) == 0;
}

/* There is room for messages again. */
static void read_on(apus_connection *connection)
{
    if (connection->rest != NULL)
        apus__connection_resume_rest(connection);
    else
        apus__stream_set_reading(&connection->stream, true);
}

/* A message that does not come from what is being read, if there is one. */
static APUS_NOINLINE bool take_kept(apus_connection *connection, apus_incoming *out)
{
    if (connection->left != NULL) {
        *out = *connection->left;
        connection->left = NULL;
        return true;
    }
    apus__waiting_forget_taken(connection);
    bool is_taken = apus__waiting_take(connection, out);
    if (is_taken && connection->waiting_bytes <= connection->endpoint->config->inbound_limit / 2)
        read_on(connection);
    return is_taken;
}

bool apus_connection_next(apus_connection *connection, apus_incoming *out)
{
    if (!keeps_nothing(connection) && take_kept(connection, out))
        return true;
    return take_small(connection, out) || parse_next(connection, out);
}

/* A message whose taker has not run so far, or does not want it any more. */
static APUS_NOINLINE void keep_left(apus_connection *connection)
{
    const apus_incoming *message = connection->left;
    connection->left = NULL;
    if (connection->taken != NULL)
        apus__waiting_put_back(connection);
    else
        apus__waiting_keep(connection, message);
}

void apus_connection_leave(apus_connection *connection, const apus_incoming *message)
{
    connection->left = message;
}

/* What nobody took in this read goes aside; too much of it stops the reading, and TCP holds the peer back. What is over
 * the limit is not even looked at, for compressed messages are larger than they come. */
static void keep_rest(apus_connection *connection)
{
    keep_messages(connection);
    if (connection->input_len != 0)
        set_aside(connection);
    if (connection->waiting_bytes > connection->endpoint->config->inbound_limit && connection->phase == PHASE_OPEN &&
        connection->stream.is_reading) {
        APUS_COUNT(connection->endpoint->statistics.reads_paused, 1);
        apus__stream_set_reading(&connection->stream, false);
    }
}

/* Gives out what is demanded. While bytes are read, a handler that is resumed runs at once: the next message still
 * stands in the read buffer, and it takes it with apus_connection_next. */
static void deliver(apus_connection *connection, bool is_reading)
{
    if (connection->is_delivering)
        return;
    connection->is_delivering = true;
    apus_incoming message;
    while (connection->demand != APUS_DEMAND_NONE && apus_connection_next(connection, &message)) {
        connection->has_given = true;
        if (connection->demand == APUS_DEMAND_ONE)
            connection->demand = APUS_DEMAND_NONE;
        connection->endpoint->config->callbacks.on_message(connection, &message);
        if (is_reading && connection->stream.loop->jobs.count != 0)
            apus__loop_drain(connection->stream.loop);
    }
    if (APUS_UNLIKELY(connection->left != NULL))
        keep_left(connection);
    connection->is_delivering = false;
}

void apus_connection_demand(apus_connection *connection, apus_demand demand)
{
    connection->demand = (uint8_t)demand;
    connection->has_given = false;
    if (connection->first_waiting != NULL)
        deliver(connection, false);
    /* An application that asks for another message, where there is none, has answered all of them. */
    if (APUS_UNLIKELY(connection->peer_close != NULL) && connection->demand != APUS_DEMAND_NONE)
        apus__closing_answer(connection);
}

/* Bytes behind those that are kept, as of TLS, which had them already; or because the connection is about to close. */
static APUS_NOINLINE void receive_behind_rest(apus_connection *connection, uint8_t *data, size_t len)
{
    connection->input = data;
    connection->input_len = len;
    set_aside(connection);
    if (!apus_session_is_open(&connection->session))
        apus__connection_resume_rest(connection);
}

void apus__connection_receive(apus_connection *connection, uint8_t *data, size_t len)
{
    if (APUS_UNLIKELY(connection->rest != NULL)) {
        receive_behind_rest(connection, data, len);
        return;
    }
    connection->input = data;
    connection->input_len = len;
    deliver(connection, true);
    if (connection->input_len != 0)
        keep_rest(connection);
    /* An idle connection owns no buffer. */
    apus_session_forget_message(&connection->session);
}

void apus__connection_forget_messages(apus_connection *connection)
{
    free_rest(connection);
    apus__waiting_forget(connection);
}
