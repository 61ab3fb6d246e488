/* Incoming messages: given out as they are demanded, in place while their bytes stand in the read buffer, and kept
 * aside where nobody takes them. Pings and closes are answered in any case. */
#include "server/connection.h"

#include <string.h>

#include "apus/alloc.h"
#include "server/backlog.h"
#include "server/keepalive.h"

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
    if (event->reply_len != 0) {
        /* Nothing may follow a Close (RFC 6455 §5.5.1), and this one waits for nothing: the peer has ended already. */
        if (event->kind != APUS_EVENT_PING)
            apus__backlog_drop(connection);
        apus__stream_write(&connection->stream, event->reply, event->reply_len, NULL, 0);
    }
    switch (event->kind) {
    case APUS_EVENT_PONG:
        apus__keepalive_pong(connection, event->data, event->len);
        connection->endpoint->config->callbacks.on_pong(connection, event->data, event->len);
        return;
    case APUS_EVENT_CLOSE: {
        apus_ending ending = {.code = event->code, .reason = event->data, .reason_len = event->len};
        apus__connection_end_handshake(connection);
        apus__connection_tell_end(connection, &ending);
        return;
    }
    case APUS_EVENT_FAIL:
        count_failure(&connection->endpoint->statistics, event->error);
        apus__connection_finish(connection);
        apus__connection_tell_end(connection, &(apus_ending){.code = APUS_CLOSE_ABNORMAL, .error = event->error});
        return;
    case APUS_EVENT_PING: /* the reply was all */
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

/* Goes on with the bytes of the present read up to the next message. */
static APUS_NOINLINE bool parse_next(apus_connection *connection, apus_incoming *out)
{
    while (connection->input_len != 0) {
        apus_event event;
        size_t taken = apus_session_receive(&connection->session, connection->input, connection->input_len, &event);
        connection->input += taken;
        connection->input_len -= taken;
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

static void free_waiting(apus_waiting *waiting)
{
    if (waiting->owns_data)
        apus_free(waiting->data);
    apus_free(waiting);
}

static void forget_taken(apus_connection *connection)
{
    if (connection->taken == NULL)
        return;
    free_waiting(connection->taken);
    connection->taken = NULL;
}

static bool take_waiting(apus_connection *connection, apus_incoming *out)
{
    apus_waiting *waiting = connection->first_waiting;
    if (waiting == NULL)
        return false;
    connection->first_waiting = waiting->next;
    if (connection->first_waiting == NULL)
        connection->last_waiting = NULL;
    connection->waiting_bytes -= waiting->len + sizeof *waiting;
    connection->taken = waiting;
    *out = (apus_incoming){
        .opcode = waiting->opcode, .data = waiting->data, .len = waiting->len, .is_part = waiting->is_part};
    if (connection->waiting_bytes <= connection->endpoint->config->inbound_limit / 2)
        apus__stream_set_reading(&connection->stream, true);
    return true;
}

/* Whether the next message, if there is one, is to be looked for in what is being read. */
static inline bool keeps_nothing(const apus_connection *connection)
{
    return ((uintptr_t)connection->left | (uintptr_t)connection->taken | (uintptr_t)connection->first_waiting) == 0;
}

/* A message that does not come from what is being read, if there is one. */
static APUS_NOINLINE bool take_kept(apus_connection *connection, apus_incoming *out)
{
    if (connection->left != NULL) {
        *out = *connection->left;
        connection->left = NULL;
        return true;
    }
    forget_taken(connection);
    return take_waiting(connection, out);
}

bool apus_connection_next(apus_connection *connection, apus_incoming *out)
{
    if (!keeps_nothing(connection) && take_kept(connection, out))
        return true;
    return take_small(connection, out) || parse_next(connection, out);
}

/* Undoes take_waiting. */
static void put_back(apus_connection *connection)
{
    apus_waiting *waiting = connection->taken;
    connection->taken = NULL;
    waiting->next = connection->first_waiting;
    connection->first_waiting = waiting;
    if (connection->last_waiting == NULL)
        connection->last_waiting = waiting;
    connection->waiting_bytes += waiting->len + sizeof *waiting;
}

/* Keeps a message: the session's own memory where it came in pieces, else a copy. */
static bool keep(apus_connection *connection, const apus_incoming *message)
{
    uint8_t *owned = apus_session_take_payload(&connection->session);
    apus_waiting *waiting = apus_malloc(sizeof *waiting + (owned == NULL ? message->len : 0));
    if (waiting == NULL) {
        apus_free(owned);
        return false;
    }
    *waiting = (apus_waiting){
        .opcode = message->opcode, .is_part = message->is_part, .len = message->len, .owns_data = owned != NULL};
    waiting->data = owned != NULL ? owned : (uint8_t *)(waiting + 1);
    if (owned == NULL && message->len != 0)
        memcpy(waiting->data, message->data, message->len);
    if (connection->last_waiting != NULL)
        connection->last_waiting->next = waiting;
    else
        connection->first_waiting = waiting;
    connection->last_waiting = waiting;
    connection->waiting_bytes += message->len + sizeof *waiting;
    return true;
}

static void keep_or_drop(apus_connection *connection, const apus_incoming *message)
{
    if (keep(connection, message))
        return;
    APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
    apus__connection_drop(connection, APUS_ENOMEM);
}

/* A message whose taker has not run so far, or does not want it any more. */
static APUS_NOINLINE void keep_left(apus_connection *connection)
{
    const apus_incoming *message = connection->left;
    connection->left = NULL;
    if (connection->taken != NULL)
        put_back(connection);
    else
        keep_or_drop(connection, message);
}

void apus_connection_leave(apus_connection *connection, const apus_incoming *message)
{
    connection->left = message;
}

/* What nobody took in this read goes aside; too much of it stops the reading, and TCP holds the peer back. */
static void keep_rest(apus_connection *connection)
{
    apus_incoming message;
    while (parse_next(connection, &message))
        keep_or_drop(connection, &message);
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
    if (connection->first_waiting != NULL)
        deliver(connection, false);
}

void apus__connection_receive(apus_connection *connection, uint8_t *data, size_t len)
{
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
    forget_taken(connection);
    while (connection->first_waiting != NULL) {
        apus_waiting *waiting = connection->first_waiting;
        connection->first_waiting = waiting->next;
        free_waiting(waiting);
    }
    connection->last_waiting = NULL;
}
