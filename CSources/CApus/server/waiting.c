/* Messages that nobody has taken so far, in the order in which they came. */
#include "server/waiting.h"

#include <string.h>

#include "apus/alloc.h"
#include "server/connection.h"

static void free_waiting(apus_waiting *waiting)
{
    if (waiting->owns_data)
        apus_free(waiting->data);
    apus_free(waiting);
}

void apus__waiting_forget_taken(apus_connection *connection)
{
    if (connection->taken == NULL)
        return;
    free_waiting(connection->taken);
    connection->taken = NULL;
}

bool apus__waiting_take(apus_connection *connection, apus_incoming *out)
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
    return true;
}

void apus__waiting_put_back(apus_connection *connection)
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

void apus__waiting_keep(apus_connection *connection, const apus_incoming *message)
{
    if (keep(connection, message))
        return;
    APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
    apus__connection_drop(connection, APUS_ENOMEM);
}

void apus__waiting_forget(apus_connection *connection)
{
    apus__waiting_forget_taken(connection);
    while (connection->first_waiting != NULL) {
        apus_waiting *waiting = connection->first_waiting;
        connection->first_waiting = waiting->next;
        free_waiting(waiting);
    }
    connection->last_waiting = NULL;
    connection->waiting_bytes = 0;
}
