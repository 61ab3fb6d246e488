/* HTTP before the upgrade: heads in, decisions of our own where RFC 9112 or RFC 6455 leaves none to the application,
 * requests out to it, answers back. Requests are answered one at a time, in order. */
#include "server/connection.h"

#include <string.h>
#include <time.h>

#include "apus/alloc.h"
#include "server/keepalive.h"
#include "server/listener.h"

void apus__request_free(apus_request *request)
{
    if (request == NULL)
        return;
    apus_bytes_deinit(&request->bytes);
    apus_free(request);
}

static apus_text text(const char *data, size_t len)
{
    return (apus_text){.data = data, .len = len};
}

/* Whether a page of this origin may open a WebSocket here. */
static bool is_origin_allowed(const apus_connection *connection, const apus_head *head)
{
    const apus_listener_config *config = apus__listener_of(connection)->config;
    bool is_secure = connection->stream.secure != NULL;
    if (config->origin_policy == APUS_ORIGIN_ANY)
        return true;
    if (apus_handshake_is_same_origin(head) && (!is_secure || apus_handshake_is_secure_origin(head)))
        return true;
    const apus_field *origin = apus_head_find(head, "origin");
    if (origin == NULL || apus_head_count(head, "origin") != 1)
        return false;
    for (size_t i = 0; i < config->origin_count; i++) {
        if (apus_text_equals(origin->value, config->origins[i].data))
            return true;
    }
    return false;
}

/* What an opening handshake may break (RFC 6455 §4.2.1), and the origin of its page. */
static int check_upgrade(apus_connection *connection, const apus_head *head)
{
    int error = apus_handshake_check(head);
    if (error == APUS_OK && !is_origin_allowed(connection, head)) {
        APUS_COUNT(connection->endpoint->statistics.origins_refused, 1);
        error = APUS_EORIGIN;
    }
    if (error != APUS_OK)
        APUS_COUNT(connection->endpoint->statistics.handshakes_refused, 1);
    return error;
}

/* Reads a whole head and gives the request to the application, or refuses it. */
static void handle_head(apus_connection *connection, const uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    apus_statistics *statistics = &connection->endpoint->statistics;
    apus_head head;
    APUS_COUNT(statistics->requests, 1);
    int error = apus_head_parse(&head, data, len);
    if (error == APUS_OK && head.has_content)
        error = APUS_EBODY;
    if (error != APUS_OK)
        APUS_COUNT(statistics->requests_refused, 1);
    bool is_upgrade = error == APUS_OK && apus_handshake_is_asked(&head);
    if (is_upgrade)
        error = check_upgrade(connection, &head);
    if (error != APUS_OK) {
        apus__request_refuse(connection, error);
        return;
    }
    if (is_upgrade)
        apus_handshake_accept(apus_head_find(&head, "sec-websocket-key")->value, request->accept);
    request->is_upgrade = is_upgrade;
    request->is_head = head.method.len == 4 && apus_text_equals(head.method, "head");
    /* An HTTP/1.0 client would need to be told that we keep the connection; it is as well served by a close. */
    request->keep_alive = head.keep_alive && head.minor_version == 1 && !connection->endpoint->is_stopping;
    connection->phase = PHASE_REQUEST;
    apus__connection_set_timeout(connection, 0);
    connection->endpoint->config->callbacks.on_request(connection, &head, is_upgrade);
}

/* Handles heads, one after the other, while each is answered at once. Returns how many bytes were used up. */
static size_t process(apus_connection *connection, const uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    size_t used = 0;
    request->is_processing = true;
    while (connection->phase == PHASE_HEAD && used < len) {
        ptrdiff_t size =
            apus_head_scan(&request->scanner, data + used, len - used, &connection->endpoint->config->head);
        if (size == 0)
            break;
        request->scanner = (apus_head_scanner){0};
        if (size < 0) {
            APUS_COUNT(connection->endpoint->statistics.requests_refused, 1);
            apus__request_refuse(connection, (int)size);
            break;
        }
        handle_head(connection, data + used, (size_t)size);
        used += (size_t)size;
    }
    request->is_processing = false;
    return used;
}

/* The handshake is done: what came behind the head are frames already. */
static void receive_early_frames(apus_connection *connection, size_t used)
{
    apus_request *request = connection->request;
    connection->request = NULL;
    if (request->bytes.len > used)
        apus__connection_receive(connection, request->bytes.data + used, request->bytes.len - used);
    apus__request_free(request);
}

/* Goes on with the bytes that were kept, now that no answer is awaited. */
static void process_kept(apus_connection *connection)
{
    apus_bytes *bytes = &connection->request->bytes;
    size_t used = process(connection, bytes->data, bytes->len);
    if (connection->phase == PHASE_OPEN) {
        receive_early_frames(connection, used);
        return;
    }
    if (used == bytes->len) {
        apus_bytes_deinit(bytes);
    } else if (used != 0) {
        bytes->len -= used;
        memmove(bytes->data, bytes->data + used, bytes->len);
    }
}

static void keep(apus_connection *connection, const uint8_t *data, size_t len)
{
    if (len != 0 && apus_bytes_append(&connection->request->bytes, data, len) != APUS_OK) {
        APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
        apus__connection_drop(connection, APUS_ENOMEM);
        return;
    }
    /* A client that goes on sending while it awaits an answer is held back by TCP. */
    if (connection->phase == PHASE_REQUEST && connection->request->bytes.len > connection->endpoint->config->head.size)
        apus__stream_set_reading(&connection->stream, false);
}

void apus__request_receive(apus_connection *connection, uint8_t *data, size_t len)
{
    if (connection->phase == PHASE_REQUEST || connection->request->bytes.len != 0) {
        keep(connection, data, len);
        if (connection->phase == PHASE_HEAD)
            process_kept(connection);
        return;
    }
    size_t used = process(connection, data, len);
    if (connection->phase == PHASE_OPEN) {
        receive_early_frames(connection, 0);
        if (used < len)
            apus__connection_receive(connection, data + used, len - used);
    } else if (connection->phase <= PHASE_REQUEST) {
        keep(connection, data + used, len - used);
    }
}

int apus_connection_accept(apus_connection *connection, apus_text subprotocol, const apus_field *fields, size_t count)
{
    if (connection->phase != PHASE_REQUEST || !connection->request->is_upgrade)
        return APUS_EINVAL;
    apus_bytes out = {0};
    int error = apus_handshake_write(&out, connection->request->accept, subprotocol);
    for (size_t i = 0; i < count && error == APUS_OK; i++)
        error = apus_head_write_field(&out, fields[i].name, fields[i].value);
    if (error == APUS_OK)
        error = apus_bytes_append_text(&out, "\r\n");
    if (error == APUS_OK)
        error = apus__stream_write(&connection->stream, out.data, out.len, NULL, 0);
    apus_bytes_deinit(&out);
    if (error != APUS_OK)
        return error;

    APUS_COUNT(connection->endpoint->statistics.handshakes_accepted, 1);
    connection->phase = PHASE_OPEN;
    apus_session_open(&connection->session);
    apus__keepalive_begin(connection);
    apus__stream_set_reading(&connection->stream, true);
    if (!connection->request->is_processing)
        receive_early_frames(connection, 0);
    if (connection->endpoint->is_stopping)
        apus__connection_stop(connection);
    return APUS_OK;
}

/* RFC 9110 §6.6.1: an origin server with a clock sends Date, in this one form. */
static int write_date(apus_bytes *out)
{
    char date[40];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    size_t len = strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    return apus_head_write_field(out, text("date", 4), text(date, len));
}

static int write_content_length(apus_bytes *out, size_t len)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + len % 10);
    while ((len /= 10) != 0);
    return apus_head_write_field(out, text("content-length", 14), text(digits + at, sizeof digits - at));
}

static bool has_field(const apus_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (apus_text_equals(fields[i].name, name))
            return true;
    }
    return false;
}

/* The one Connection field: whether it ends here, and, RFC 9110 §7.8, that Upgrade is for this hop only. */
static int write_connection(apus_bytes *out, bool keep_alive, bool has_upgrade)
{
    if (keep_alive && !has_upgrade)
        return APUS_OK;
    if (keep_alive)
        return apus_bytes_append_text(out, "connection: upgrade\r\n");
    return apus_bytes_append_text(out, has_upgrade ? "connection: upgrade, close\r\n" : "connection: close\r\n");
}

static int write_head(apus_bytes *out, const apus_request *request, unsigned status, const apus_field *fields,
                      size_t count, size_t body_len)
{
    int error = apus_head_write_status(out, status);
    for (size_t i = 0; i < count && error == APUS_OK; i++)
        error = apus_head_write_field(out, fields[i].name, fields[i].value);
    if (error == APUS_OK)
        error = write_date(out);
    /* RFC 9110 §8.6: none with 1xx and 204. A 304 may tell the length, but a server need not. */
    if (error == APUS_OK && status >= 200 && status != 204 && status != 304)
        error = write_content_length(out, body_len);
    if (error == APUS_OK)
        error = write_connection(out, request->keep_alive, has_field(fields, count, "upgrade"));
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, "\r\n");
    return error;
}

/* The answer is on its way: the next request, or the end. */
static void end_request(apus_connection *connection)
{
    apus_request *request = connection->request;
    if (!request->keep_alive) {
        apus__connection_finish(connection);
        return;
    }
    connection->phase = PHASE_HEAD;
    apus__connection_set_timeout(connection, connection->endpoint->config->handshake_timeout);
    apus__stream_set_reading(&connection->stream, true);
    if (!request->is_processing && request->bytes.len != 0)
        process_kept(connection);
}

int apus_connection_respond(apus_connection *connection, unsigned status, const apus_field *fields, size_t count,
                            const uint8_t *body, size_t body_len)
{
    if (connection->phase != PHASE_REQUEST)
        return APUS_EINVAL;
    apus_request *request = connection->request;
    if (request->is_upgrade) /* a refused upgrade: the client will not speak HTTP on */
        request->keep_alive = false;
    apus_bytes out = {0};
    int error = write_head(&out, request, status, fields, count, body_len);
    bool has_body = !request->is_head && status >= 200 && status != 204 && status != 304;
    if (error == APUS_OK)
        error = apus__stream_write(&connection->stream, out.data, out.len, body, has_body ? body_len : 0);
    apus_bytes_deinit(&out);
    if (error == APUS_OK)
        end_request(connection);
    return error;
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

void apus__request_refuse(apus_connection *connection, int error)
{
    apus_request *request = connection->request;
    apus_field fields[MOST_HINTS];
    size_t count = hint(error, fields);
    apus_bytes body = {0};
    request->keep_alive = false;
    request->is_head = false;
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
