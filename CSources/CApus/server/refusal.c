/* Refusals of our own: what the client is told, and what the application is. */
#include "server/connection.h"

static apus_text text(const char *data, size_t len)
{
    return (apus_text){.data = data, .len = len};
}

/* The most fields that `hint` sets. */
#define MOST_HINTS 3

/* Fields that tell a client what would have been right. */
static size_t hint(int error, apus_field fields[MOST_HINTS])
{
    fields[0] = (apus_field){.name = text("content-type", 12), .value = text("text/plain; charset=utf-8", 25)};
    switch (error) {
    case APUS_EVERSION: /* RFC 6455 §4.4; RFC 9110 §15.5.22: a 426 names what to upgrade to */
        fields[1] = (apus_field){.name = text("sec-websocket-version", 21), .value = text("13", 2)};
        fields[2] = (apus_field){.name = text("upgrade", 7), .value = text("websocket", 9)};
        return 3;
    case APUS_EMETHOD: /* RFC 9110 §15.5.6 */
        fields[1] = (apus_field){.name = text("allow", 5), .value = text("GET", 3)};
        return 2;
    default:
        return 1;
    }
}

void apus__refusal_tell(apus_connection *connection, int error, apus_text detail)
{
    const apus_endpoint_config *config = connection->endpoint->config;
    if (config->callbacks.on_refused == NULL || config->session.role != APUS_ROLE_SERVER)
        return;
    apus_refusal refusal = {.error = error, .detail = detail};
    if (apus_connection_peer(connection, &refusal.address) != APUS_OK)
        refusal.address = (apus_address){0};
    config->callbacks.on_refused(connection->endpoint->context, &refusal);
}

void apus__request_refuse(apus_connection *connection, int error)
{
    apus_request *request = connection->request;
    apus_field fields[MOST_HINTS];
    size_t count = hint(error, fields);
    apus_bytes body = {0};
    request->keep_alive = false;
    request->framing = APUS_FRAMING_NONE;
    connection->phase = PHASE_REQUEST;
    int failure = apus_bytes_append_text(&body, apus_error_message(error));
    if (failure == APUS_OK)
        failure = apus_bytes_append_text(&body, "\n");
    if (failure == APUS_OK)
        failure = apus_connection_respond(connection, apus_error_code(error), fields, count, body.data, body.len);
    apus_bytes_deinit(&body);
    if (failure != APUS_OK)
        apus__connection_drop(connection, failure);
}
