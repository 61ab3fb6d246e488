/* Answers: whole, or in pieces as the peer takes them. */
#include "server/connection.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* The longest line before a chunk: 16 digits of its size, and CRLF. */
#define CHUNK_LINE_SIZE 18

static apus_text text(const char *data, size_t len)
{
    return (apus_text){.data = data, .len = len};
}

static int write_content_length(apus_bytes *out, uint64_t len)
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

/* Whether a field is ours to write: it says where the answer ends, or whether the connection does. */
static bool is_ours(apus_text name)
{
    return apus_text_equals(name, "content-length") || apus_text_equals(name, "transfer-encoding") ||
           apus_text_equals(name, "connection") || apus_text_equals(name, "date");
}

/* An application that wants the connection to end says so in a field. */
static bool asks_for_close(const apus_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (apus_text_equals(fields[i].name, "connection") && apus_text_equals(fields[i].value, "close"))
            return true;
    }
    return false;
}

/* RFC 9110 §8.6: neither 204 nor 304 has content, and 205 has none of any length. */
static bool has_content(const apus_request *request, unsigned status)
{
    return !request->is_head && status != 204 && status != 205 && status != 304;
}

static uint8_t choose_framing(const apus_request *request, unsigned status, uint64_t len)
{
    if (!has_content(request, status))
        return APUS_FRAMING_BARE;
    if (len != APUS_LENGTH_UNKNOWN)
        return APUS_FRAMING_LENGTH;
    return request->minor_version == 0 ? APUS_FRAMING_CLOSE : APUS_FRAMING_CHUNKED;
}

/* How long the content is, or would be for another method than HEAD. A 304 may tell, but a server need not. */
static int write_framing(apus_bytes *out, const apus_request *request, unsigned status, uint64_t len)
{
    if (status == 204 || status == 304)
        return APUS_OK;
    if (status == 205)
        return write_content_length(out, 0);
    if (len != APUS_LENGTH_UNKNOWN)
        return write_content_length(out, len);
    return request->minor_version == 0 ? APUS_OK : apus_bytes_append_text(out, "transfer-encoding: chunked\r\n");
}

static int write_head(apus_bytes *out, const apus_request *request, unsigned status, const apus_field *fields,
                      size_t count, uint64_t len)
{
    int error = apus_head_write_status(out, status);
    for (size_t i = 0; i < count && error == APUS_OK; i++) {
        if (!is_ours(fields[i].name))
            error = apus_head_write_field(out, fields[i].name, fields[i].value);
    }
    if (error == APUS_OK)
        error = apus_head_write_date(out, time(NULL)); /* RFC 9110 §6.6.1: an origin server with a clock sends it */
    if (error == APUS_OK)
        error = write_framing(out, request, status, len);
    if (error == APUS_OK)
        error = write_connection(out, request->keep_alive, has_field(fields, count, "upgrade"));
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, "\r\n");
    return error;
}

/* Sends a head and what content there is already. */
static int send_head(apus_connection *connection, unsigned status, const apus_field *fields, size_t count, uint64_t len,
                     const uint8_t *body, size_t body_len)
{
    apus_request *request = connection->request;
    if (connection->phase != PHASE_REQUEST || request->framing != APUS_FRAMING_NONE)
        return APUS_EINVAL;
    if (status < 200) /* an interim response is no answer */
        return APUS_EFIELD;
    uint8_t framing = choose_framing(request, status, len);
    /* The client of a refused upgrade will not speak HTTP on; one that waits for 100 may send content or not. */
    if (request->is_upgrade || request->content.awaits_continue || framing == APUS_FRAMING_CLOSE ||
        asks_for_close(fields, count))
        request->keep_alive = false;
    apus_bytes out = {0};
    int error = write_head(&out, request, status, fields, count, len);
    if (error == APUS_OK)
        error = apus__stream_write(&connection->stream, out.data, out.len, body,
                                   framing == APUS_FRAMING_BARE ? 0 : body_len);
    apus_bytes_deinit(&out);
    if (error == APUS_OK)
        request->framing = framing;
    return error;
}

int apus_connection_respond(apus_connection *connection, unsigned status, const apus_field *fields, size_t count,
                            const uint8_t *body, size_t body_len)
{
    int error = send_head(connection, status, fields, count, body_len, body, body_len);
    if (error == APUS_OK)
        apus__request_end(connection);
    return error;
}

int apus_connection_begin(apus_connection *connection, unsigned status, const apus_field *fields, size_t count,
                          uint64_t len)
{
    int error = send_head(connection, status, fields, count, len, NULL, 0);
    if (error == APUS_OK)
        connection->request->answer_left = len;
    return error;
}

static bool is_answering(const apus_connection *connection)
{
    return connection->phase == PHASE_REQUEST && connection->request->framing != APUS_FRAMING_NONE;
}

void apus_connection_pull(apus_connection *connection)
{
    if (!is_answering(connection))
        return;
    connection->request->is_pulling = true;
    apus__exchange_set_timeout(connection);
    apus__stream_mark_dirty(&connection->stream);
}

void apus__response_pull(apus_connection *connection)
{
    apus_stream *stream = &connection->stream;
    if (!connection->request->is_pulling || stream->outbox.bytes != 0 || stream->error != 0)
        return;
    connection->endpoint->config->callbacks.on_pull(connection);
    /* The socket took all that was written; other connections come first, though. */
    if (connection->phase == PHASE_REQUEST && connection->request->is_pulling && stream->outbox.bytes == 0)
        apus__stream_mark_dirty(stream);
}

/* The line before a chunk (RFC 9112 §7.1); returns its length. */
static size_t write_chunk_line(char out[CHUNK_LINE_SIZE], size_t len)
{
    char digits[16];
    size_t at = sizeof digits;
    do
        digits[--at] = "0123456789abcdef"[len % 16];
    while ((len /= 16) != 0);
    size_t count = sizeof digits - at;
    memcpy(out, digits + at, count);
    memcpy(out + count, "\r\n", 2);
    return count + 2;
}

static int write_chunk(apus_connection *connection, const uint8_t *data, size_t len)
{
    char line[CHUNK_LINE_SIZE];
    size_t line_len = write_chunk_line(line, len);
    int error = apus__stream_write(&connection->stream, (const uint8_t *)line, line_len, data, len);
    if (error == APUS_OK)
        error = apus__stream_write(&connection->stream, (const uint8_t *)"\r\n", 2, NULL, 0);
    return error;
}

int apus_connection_write(apus_connection *connection, const uint8_t *data, size_t len)
{
    if (!is_answering(connection) || connection->stream.error != 0)
        return APUS_ECLOSED;
    apus_request *request = connection->request;
    if (len == 0 || request->framing == APUS_FRAMING_BARE)
        return APUS_OK;
    if (request->framing == APUS_FRAMING_LENGTH && len > request->answer_left)
        return APUS_EINVAL;
    size_t queued = connection->stream.outbox.bytes;
    if (queued != 0 && queued + len > connection->endpoint->config->outbound_limit)
        return APUS_EFULL;
    if (request->framing == APUS_FRAMING_CHUNKED)
        return write_chunk(connection, data, len);
    request->answer_left -= len;
    return apus__stream_write(&connection->stream, data, len, NULL, 0);
}

void apus__response_break(apus_connection *connection)
{
    if (connection->request->framing != APUS_FRAMING_CLOSE)
        return;
    /* With RST; where that cannot be had, nothing better can. */
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->stream.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int apus_connection_end(apus_connection *connection)
{
    if (!is_answering(connection))
        return APUS_ECLOSED;
    apus_request *request = connection->request;
    if (request->framing == APUS_FRAMING_LENGTH && request->answer_left != 0) {
        apus__connection_drop(connection, APUS_EINVAL);
        return APUS_EINVAL;
    }
    int error = APUS_OK;
    if (request->framing == APUS_FRAMING_CHUNKED)
        error = apus__stream_write(&connection->stream, (const uint8_t *)"0\r\n\r\n", 5, NULL, 0);
    if (error == APUS_OK)
        apus__request_end(connection);
    return error;
}
