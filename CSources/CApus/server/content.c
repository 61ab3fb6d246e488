/* The content of requests: read as it is demanded, so that a slow application holds the peer back by TCP; limited;
 * skipped where nobody asks for it. */
#include "server/connection.h"

#include <string.h>

/* How much of the content that nobody asked for is read, to keep the connection; more costs less to close. */
#define MOST_DISCARDED (64 << 10)

/* RFC 9110 §10.1.1: 100-continue, from HTTP/1.1 on, is the only expectation there is. */
static int read_expectation(apus_content *content, const apus_head *head)
{
    const apus_field *field = apus_head_find(head, "expect");
    if (field == NULL || head->minor_version == 0)
        return APUS_OK;
    if (apus_head_count(head, "expect") > 1 || !apus_text_equals(field->value, "100-continue"))
        return APUS_EEXPECT;
    content->awaits_continue = head->has_content;
    return APUS_OK;
}

int apus__content_begin(apus_connection *connection, const apus_head *head)
{
    apus_content *content = &connection->request->content;
    uint64_t limit = connection->endpoint->config->body_limit;
    *content = (apus_content){.is_whole = !head->has_content, .is_chunked = head->is_chunked};
    content->left = head->is_chunked ? limit : head->content_length;
    if (head->has_content && !head->is_chunked &&
        head->content_length == 0) /* Transfer-Encoding, and not chunked alone */
        return APUS_ECODING;
    if (content->left <= limit)
        return read_expectation(content, head);
    APUS_COUNT(connection->endpoint->statistics.content_size_errors, 1);
    return APUS_EBODYSIZE;
}

void apus__content_fail(apus_connection *connection, int error)
{
    apus_statistics *statistics = &connection->endpoint->statistics;
    connection->request->content.error = error;
    connection->request->keep_alive = false;
    if (error == APUS_EBODYSIZE)
        APUS_COUNT(statistics->content_size_errors, 1);
    else if (error == APUS_EBODYTIME)
        APUS_COUNT(statistics->content_timeouts, 1);
    else
        APUS_COUNT(statistics->content_errors, 1);
}

/* Moves the content of all chunks at `data` together, to its start. Returns how many bytes were taken. */
static size_t read_chunks(apus_connection *connection, uint8_t *data, size_t len, size_t *content_len)
{
    apus_content *content = &connection->request->content;
    size_t used = 0;
    while (used < len && !content->is_whole) {
        apus_text piece;
        ptrdiff_t taken = apus_chunked_read(&content->chunked, data + used, len - used, &piece);
        if (taken < 0 || piece.len > content->left) {
            apus__content_fail(connection, taken < 0 ? (int)taken : APUS_EBODYSIZE);
            return len;
        }
        if (piece.len != 0)
            memmove(data + *content_len, piece.data, piece.len);
        *content_len += piece.len;
        content->left -= piece.len;
        used += (size_t)taken;
        content->is_whole = apus_chunked_is_finished(&content->chunked);
    }
    return used;
}

/* Takes content from `data`, and leaves `content_len` bytes of it at its start. */
static size_t read_content(apus_connection *connection, uint8_t *data, size_t len, size_t *content_len)
{
    apus_content *content = &connection->request->content;
    *content_len = 0;
    if (content->error != APUS_OK) /* nobody knows what these bytes are */
        return len;
    if (content->is_chunked)
        return read_chunks(connection, data, len, content_len);
    *content_len = len < content->left ? len : (size_t)content->left;
    content->left -= *content_len;
    content->is_whole = content->left == 0;
    return *content_len;
}

static bool is_over(const apus_content *content)
{
    return content->is_whole || content->error != APUS_OK;
}

void apus__content_tell_end(apus_connection *connection)
{
    apus__exchange_end_wait(connection, 0);
    connection->endpoint->config->callbacks.on_body_end(connection, connection->request->content.error);
}

size_t apus__content_deliver(apus_connection *connection, uint8_t *data, size_t len)
{
    apus_content *content = &connection->request->content;
    size_t content_len;
    size_t used = read_content(connection, data, len, &content_len);
    if (content_len != 0) {
        apus__exchange_end_wait(connection, content_len);
        connection->endpoint->config->callbacks.on_body(connection, data, content_len);
    } else if (is_over(content)) {
        apus__content_tell_end(connection);
    }
    return used;
}

int apus_connection_allow_content(apus_connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    apus_request *request = connection->request;
    if (connection->phase != PHASE_REQUEST)
        return APUS_EINVAL;
    if (!request->content.awaits_continue || request->framing != APUS_FRAMING_NONE)
        return APUS_OK;
    request->content.awaits_continue = false;
    if (request->bytes.len != 0) /* it has not waited */
        return APUS_OK;
    return apus__stream_write(&connection->stream, (const uint8_t *)interim, sizeof interim - 1, NULL, 0);
}

int apus_connection_demand_body(apus_connection *connection)
{
    if (connection->phase != PHASE_REQUEST || connection->request->content.is_demanded)
        return APUS_EINVAL;
    apus_request *request = connection->request;
    int error = apus_connection_allow_content(connection);
    if (error != APUS_OK)
        return error;
    request->content.is_demanded = true;
    if (request->bytes.len == 0 && connection->peer_has_ended && !is_over(&request->content))
        apus__content_fail(connection, APUS_ELOST);
    if (is_over(&request->content)) {
        apus__content_tell_end(connection);
        return APUS_OK;
    }
    if (!apus__exchange_begin_wait(connection))
        return APUS_OK;
    apus__stream_set_reading(&connection->stream, !connection->peer_has_ended);
    if (!request->is_processing && request->bytes.len != 0)
        apus__request_process_kept(connection);
    return APUS_OK;
}

void apus__content_lose(apus_connection *connection)
{
    apus_request *request = connection->request;
    connection->peer_has_ended = true;
    if (request->content.is_demanded && !is_over(&request->content)) {
        apus__content_fail(connection, APUS_ELOST);
        apus__content_tell_end(connection);
    }
    if (connection->phase == PHASE_REQUEST)
        connection->endpoint->config->callbacks.on_peer_end(connection);
    if (connection->phase == PHASE_REQUEST)
        apus__exchange_set_timeout(connection);
}

bool apus__content_abandon(apus_connection *connection)
{
    apus_content *content = &connection->request->content;
    content->is_demanded = false;
    if (content->is_whole)
        return true;
    /* A client that waits for 100 may now send its content or not, and nobody can tell it from a request. */
    if (content->error != APUS_OK || content->awaits_continue)
        return false;
    if (content->is_chunked && content->left > MOST_DISCARDED)
        content->left = MOST_DISCARDED;
    return content->left <= MOST_DISCARDED;
}

size_t apus__content_discard(apus_connection *connection, uint8_t *data, size_t len)
{
    size_t content_len;
    size_t used = read_content(connection, data, len, &content_len);
    if (connection->request->content.error != APUS_OK)
        apus__connection_finish(connection);
    return used;
}
