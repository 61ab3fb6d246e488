/* HTTP before the upgrade: heads in, decisions of our own where RFC 9112 or RFC 6455 leaves none to the application,
 * requests out to it. Requests are answered one at a time, in order. */
#include "server/connection.h"

#include <string.h>

#include "apus/alloc.h"
#include "server/listener.h"

void apus__request_free(apus_request *request)
{
    if (request == NULL)
        return;
    apus_bytes_deinit(&request->bytes);
    apus_free(request->peer);
    apus_free(request);
}

/* Whether a page of this origin may open a WebSocket here. */
static bool is_origin_allowed(const apus_connection *connection, const apus_head *head, const apus_forwarded *forwarded)
{
    const apus_listener_config *config = apus__listener_of(connection)->config;
    if (config->origin_policy == APUS_ORIGIN_ANY)
        return true;
    /* Where no proxy tells the scheme, this connection does. */
    bool must_be_secure = connection->stream.secure != NULL && forwarded->scheme == APUS_SCHEME_UNKNOWN;
    if (apus_forwarded_is_same_origin(forwarded, head) && (!must_be_secure || apus_handshake_is_secure_origin(head)))
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
static int check_upgrade(apus_connection *connection, const apus_head *head, const apus_forwarded *forwarded)
{
    int error = apus_handshake_check(head);
    if (error == APUS_OK && !is_origin_allowed(connection, head, forwarded)) {
        APUS_COUNT(connection->endpoint->statistics.origins_refused, 1);
        error = APUS_EORIGIN;
    }
    if (error != APUS_OK)
        APUS_COUNT(connection->endpoint->statistics.handshakes_refused, 1);
    return error;
}

/* What of a request is decided here and not by the application. */
static int check_request(apus_connection *connection, const apus_head *head, apus_forwarded *forwarded)
{
    int error = apus__peer_read_fields(connection, head, forwarded);
    if (error == APUS_OK)
        error = apus__content_begin(connection, head);
    if (error != APUS_OK)
        APUS_COUNT(connection->endpoint->statistics.requests_refused, 1);
    if (error == APUS_OK && apus_handshake_is_asked(head))
        error = check_upgrade(connection, head, forwarded);
    return error;
}

/* Gives a request that has passed to the application. */
static void take_request(apus_connection *connection, const apus_head *head, const apus_forwarded *forwarded)
{
    apus_request *request = connection->request;
    request->is_upgrade = apus_handshake_is_asked(head);
    if (request->is_upgrade)
        apus_handshake_accept(apus_head_find(head, "sec-websocket-key")->value, request->accept);
    request->is_deflate = request->is_upgrade &&
                          apus_extension_choose(head, &connection->endpoint->config->compression, &request->deflate);
    request->minor_version = head->minor_version;
    /* An HTTP/1.0 client would need to be told that we keep the connection; it is as well served by a close. */
    request->keep_alive = head->keep_alive && head->minor_version == 1 && !connection->endpoint->is_stopping;
    request->framing = APUS_FRAMING_NONE;
    request->is_idle = false;
    request->is_pulling = false;
    request->has_probed = false;
    connection->phase = PHASE_REQUEST;
    apus__connection_set_timeout(connection, request->is_upgrade ? connection->endpoint->config->upgrade_timeout : 0);
    if (request->peer != NULL)
        request->peer->forwarded = forwarded;
    connection->endpoint->config->callbacks.on_request(connection, head, request->is_upgrade);
    if (request->peer != NULL)
        request->peer->forwarded = NULL;
}

/* Refuses a request; a foreign page's origin says most about it. */
static void refuse(apus_connection *connection, int error, const apus_head *head)
{
    const apus_field *origin = error == APUS_EORIGIN ? apus_head_find(head, "origin") : NULL;
    apus__refusal_tell(connection, error, origin == NULL ? (apus_text){"", 0} : origin->value);
    apus__request_refuse(connection, error);
}

/* Reads a whole head and gives the request to the application, or refuses it. */
static void handle_head(apus_connection *connection, const uint8_t *data, size_t len)
{
    apus_statistics *statistics = &connection->endpoint->statistics;
    apus_head head;
    apus_forwarded forwarded;
    APUS_COUNT(statistics->requests, 1);
    int error = apus_head_parse(&head, data, len);
    if (error != APUS_OK) {
        APUS_COUNT(statistics->requests_refused, 1);
    } else {
        connection->request->is_head = head.method.len == 4 && memcmp(head.method.data, "HEAD", 4) == 0;
        error = check_request(connection, &head, &forwarded);
    }
    if (error != APUS_OK)
        refuse(connection, error, &head);
    else
        take_request(connection, &head, &forwarded);
}

/* RFC 9112 §2.2: an empty line before a request line is ignored; one, so that nobody is kept busy with them. */
static bool may_skip_line(const apus_request *request, const uint8_t *data, size_t len)
{
    return request->scanner.scanned == 0 && !request->has_skipped && data[0] == '\r' && (len == 1 || data[1] == '\n');
}

/* Finds the end of a head, and handles it. Returns how many bytes were used up, 0 where more are needed. */
static size_t process_head(apus_connection *connection, const uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    if (may_skip_line(request, data, len)) {
        request->has_skipped = len > 1;
        return request->has_skipped ? 2 : 0;
    }
    ptrdiff_t size = apus_head_scan(&request->scanner, data, len, &connection->endpoint->config->head);
    if (size == 0)
        return 0;
    request->scanner = (apus_head_scanner){0};
    request->has_skipped = false;
    if (size < 0) {
        APUS_COUNT(connection->endpoint->statistics.requests_refused, 1);
        apus__refusal_tell(connection, (int)size, (apus_text){"", 0});
        apus__request_refuse(connection, (int)size);
        return len;
    }
    handle_head(connection, data, (size_t)size);
    return (size_t)size;
}

/* Whether the client has asked for more than it takes: then further requests wait, unread at last. */
static bool is_choked(const apus_connection *connection)
{
    return connection->stream.outbox.bytes > connection->endpoint->config->outbound_limit;
}

/* What the connection does with bytes, as they come or were kept. Returns how many were used up. */
static size_t process_next(apus_connection *connection, uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    if (connection->phase == PHASE_REQUEST)
        return request->content.is_demanded ? apus__content_deliver(connection, data, len) : 0;
    if (connection->phase != PHASE_HEAD || is_choked(connection))
        return 0;
    if (!request->content.is_whole)
        return apus__content_discard(connection, data, len);
    return process_head(connection, data, len);
}

/* Handles requests and content, one after the other, while each is taken at once. Returns how many bytes were used. */
static size_t process(apus_connection *connection, uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    size_t used = 0;
    request->is_processing = true;
    while (used < len) {
        size_t taken = process_next(connection, data + used, len - used);
        if (taken == 0)
            break;
        used += taken;
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

void apus__request_process_kept(apus_connection *connection)
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
    if (connection->phase == PHASE_REQUEST && connection->peer_has_ended && bytes->len == 0)
        apus__content_lose(connection);
}

void apus__request_sent(apus_connection *connection)
{
    apus_request *request = connection->request;
    bool is_all_sent = connection->stream.outbox.bytes == 0;
    if (connection->phase == PHASE_REQUEST)
        apus__response_pull(connection);
    else if (request->is_idle && is_all_sent)
        apus__exchange_await_request(connection);
    /* Further requests may have been held up by what was queued. */
    bool is_held_up = connection->phase == PHASE_HEAD && request->bytes.len != 0;
    if (!is_held_up || request->is_processing || is_choked(connection))
        return;
    apus__stream_set_reading(&connection->stream, true);
    apus__request_process_kept(connection);
}

/* Whether what comes next is to be looked at now. */
static bool is_ready(const apus_connection *connection)
{
    return (connection->phase == PHASE_HEAD && !is_choked(connection)) ||
           (connection->phase == PHASE_REQUEST && connection->request->content.is_demanded);
}

static void keep(apus_connection *connection, const uint8_t *data, size_t len)
{
    if (len != 0 && apus_bytes_append(&connection->request->bytes, data, len) != APUS_OK) {
        APUS_COUNT(connection->endpoint->statistics.memory_errors, 1);
        apus__connection_drop(connection, APUS_ENOMEM);
        return;
    }
    if (len != 0 && connection->phase == PHASE_HEAD && connection->request->is_idle)
        apus__exchange_begin_head(connection);
    /* A client that goes on sending while it awaits an answer is held back by TCP. */
    bool waits = connection->phase == PHASE_REQUEST || (connection->phase == PHASE_HEAD && is_choked(connection));
    if (waits && connection->stream.is_reading &&
        connection->request->bytes.len > connection->endpoint->config->head.size) {
        APUS_COUNT(connection->endpoint->statistics.reads_paused, 1);
        apus__stream_set_reading(&connection->stream, false);
        if (connection->phase == PHASE_REQUEST)
            apus__exchange_set_timeout(connection);
    }
}

/* Bytes of HTTP, behind whatever stands before it. */
static void receive(apus_connection *connection, uint8_t *data, size_t len)
{
    if (!is_ready(connection) || connection->request->bytes.len != 0) {
        keep(connection, data, len);
        if (is_ready(connection) && !connection->request->is_processing)
            apus__request_process_kept(connection);
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

static void drop_proxy(apus_connection *connection, int error)
{
    if (error == APUS_EPROXY)
        APUS_COUNT(connection->endpoint->statistics.proxy_errors, 1);
    apus__refusal_tell(connection, error, (apus_text){"", 0});
    apus__connection_drop(connection, error);
}

/* The header of the PROXY protocol, in one piece or several; what follows it is HTTP. */
static void receive_proxy_header(apus_connection *connection, const uint8_t *data, size_t len)
{
    keep(connection, data, len);
    if (connection->phase != PHASE_HEAD)
        return;
    apus_bytes *bytes = &connection->request->bytes;
    ptrdiff_t size = apus__peer_read_header(connection, bytes->data, bytes->len);
    if (size < 0)
        drop_proxy(connection, (int)size);
    if (size <= 0)
        return;
    bytes->len -= (size_t)size;
    memmove(bytes->data, bytes->data + size, bytes->len);
    if (bytes->len != 0)
        apus__request_process_kept(connection);
    else
        apus_bytes_deinit(bytes);
}

void apus__request_receive(apus_connection *connection, uint8_t *data, size_t len)
{
    apus_request *request = connection->request;
    int error = request->is_placed ? APUS_OK : apus__peer_place(connection);
    if (error != APUS_OK)
        drop_proxy(connection, error);
    else if (request->peer != NULL && request->peer->awaits_header)
        receive_proxy_header(connection, data, len);
    else
        receive(connection, data, len);
}

/* The field that accepts permessage-deflate, where it was offered in a way that suits. */
static int write_extension(apus_bytes *out, const apus_request *request)
{
    static const apus_text name = {.data = "sec-websocket-extensions", .len = 24};
    char answer[APUS_EXTENSION_SIZE];
    if (!request->is_deflate)
        return APUS_OK;
    size_t len = apus_extension_write_answer(&request->deflate, answer);
    return apus_head_write_field(out, name, (apus_text){.data = answer, .len = len});
}

int apus_connection_accept(apus_connection *connection, apus_text subprotocol, const apus_field *fields, size_t count)
{
    if (connection->phase != PHASE_REQUEST || !connection->request->is_upgrade)
        return APUS_EINVAL;
    apus_bytes out = {0};
    const apus_request *request = connection->request;
    int error = apus_handshake_write(&out, request->accept, subprotocol);
    if (error == APUS_OK)
        error = write_extension(&out, request);
    for (size_t i = 0; i < count && error == APUS_OK; i++)
        error = apus_head_write_field(&out, fields[i].name, fields[i].value);
    if (error == APUS_OK)
        error = apus_bytes_append_text(&out, "\r\n");
    if (error == APUS_OK && request->is_deflate && connection->session.compression == NULL)
        error = apus__connection_set_compression(connection, &request->deflate);
    if (error == APUS_OK)
        error = apus__stream_write(&connection->stream, out.data, out.len, NULL, 0);
    apus_bytes_deinit(&out);
    if (error != APUS_OK)
        return error;

    apus__connection_begin(connection);
    if (!connection->request->is_processing)
        receive_early_frames(connection, 0);
    if (connection->endpoint->is_stopping)
        apus__connection_stop(connection);
    return APUS_OK;
}

void apus__request_end(apus_connection *connection)
{
    apus_request *request = connection->request;
    if (!apus__content_abandon(connection) || !request->keep_alive) {
        apus__connection_finish(connection);
        return;
    }
    connection->phase = PHASE_HEAD;
    request->is_head = false;
    request->is_pulling = false;
    apus__exchange_await_request(connection);
    apus__stream_set_reading(&connection->stream, true);
    if (!request->is_processing && request->bytes.len != 0)
        apus__request_process_kept(connection);
}
