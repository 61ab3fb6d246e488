/* Outgoing messages, the limit on what waits for a slow peer, and the closing handshake from this side. */
#include "server/connection.h"

#include <string.h>

#include "apus/copy.h"
#include "server/backlog.h"
#include "server/closing.h"
#include "server/fragments.h"
#include "server/keepalive.h"

/* The headers of frames with at most 125 and at most 65,535 bytes, as a server sends them (RFC 6455 §5.2). */
#define SMALL_HEADER_SIZE 2
#define MEDIUM_HEADER_SIZE 4

/* How much of a large message a client masks at a time. */
#define MASKED_CHUNK_SIZE ((size_t)16 * 1024)

static bool is_full(const apus_connection *connection, size_t queued, size_t more)
{
    return queued != 0 && queued + more > connection->endpoint->config->outbound_limit;
}

static bool may_send(const apus_connection *connection)
{
    return connection->phase == PHASE_OPEN && apus_session_is_open(&connection->session);
}

/* Whether the application may send: to a socket that has not failed, for its end is told when the loop flushes, which a
 * sender that never has to wait would never let it do; and while the answer to the peer's Close waits. */
static bool is_writable(const apus_connection *connection)
{
    return (may_send(connection) || connection->peer_close != NULL) && connection->stream.error == 0;
}

/* The Close stands behind what the socket has begun to take, not behind what still waits for it: that is dropped. The
 * close timeout bounds how long it may take. */
static int close_slow(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.slow_consumers_closed, 1);
    apus__backlog_drop(connection);
    apus_connection_close(connection, apus_error_code(APUS_ESLOW), NULL, 0);
    return APUS_ESLOW;
}

static int drop_message(apus_connection *connection)
{
    APUS_COUNT(connection->endpoint->statistics.messages_dropped, 1);
    return APUS_EDROPPED;
}

/* What the policy says of one message that does not fit and whose sender can wait. */
static int refuse_message(apus_connection *connection)
{
    switch (connection->endpoint->config->slow_consumer) {
    case APUS_SLOW_CONSUMER_SUSPEND:
        return APUS_EFULL;
    case APUS_SLOW_CONSUMER_DROP:
        return drop_message(connection);
    case APUS_SLOW_CONSUMER_CLOSE:
        return close_slow(connection);
    }
    return APUS_EFULL;
}

/* Masks a frame into pieces, each of which is copied on: for one that has to wait, or does not fit into the cork. */
static APUS_NOINLINE int write_masked_chunks(apus_connection *connection, const uint8_t *header, size_t header_len,
                                             apus_masking_key key, const uint8_t *data, size_t len)
{
    uint8_t chunk[MASKED_CHUNK_SIZE]; /* a multiple of a key's size: every chunk meets the key's first byte */
    bool is_held = connection->is_sending_parts;
    bool waits = apus__backlog_is_needed(connection);
    do {
        size_t chunk_len = len < sizeof chunk ? len : sizeof chunk;
        if (chunk_len != 0)
            apus_mask(chunk, data, chunk_len, key);
        int error;
        if (is_held)
            error = apus__backlog_hold_copy(connection, header, header_len, chunk, chunk_len);
        else if (waits)
            error = apus__backlog_copy(connection, header, header_len, chunk, chunk_len);
        else
            error = apus__stream_write(&connection->stream, header, header_len, chunk, chunk_len);
        if (error != APUS_OK)
            return error;
        header_len = 0;
        data += chunk_len;
        len -= chunk_len;
    } while (len != 0);
    return APUS_OK;
}

/* A client's frame (RFC 6455 §5.3): masked on its one way from the caller's bytes to the cork. */
static int write_masked_frame(apus_connection *connection, apus_opcode opcode, bool rsv1, bool fin, const uint8_t *data,
                              size_t len)
{
    const apus_session_config *config = &connection->endpoint->config->session;
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    apus_masking_key key = config->make_key(config->context);
    size_t header_len = apus_frame_encode_masked(header, opcode, fin, len, key);
    if (rsv1)
        header[0] |= APUS_FRAME_RSV1;
    uint8_t *place = NULL;
    if (!connection->is_sending_parts && !apus__backlog_is_needed(connection))
        place = apus__stream_reserve(&connection->stream, header_len + len);
    if (place == NULL)
        return write_masked_chunks(connection, header, header_len, key, data, len);
    memcpy(place, header, header_len);
    if (len != 0)
        apus_mask(place + header_len, data, len, key);
    return APUS_OK;
}

static int write_frame(apus_connection *connection, apus_opcode opcode, bool rsv1, bool fin, const uint8_t *data,
                       size_t len)
{
    if (connection->endpoint->config->session.role == APUS_ROLE_CLIENT)
        return write_masked_frame(connection, opcode, rsv1, fin, data, len);
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    size_t header_len = apus_frame_encode(header, opcode, fin, len);
    if (rsv1)
        header[0] |= APUS_FRAME_RSV1;
    if (APUS_UNLIKELY(connection->is_sending_parts))
        return apus__backlog_hold_copy(connection, header, header_len, data, len);
    if (apus__backlog_is_needed(connection))
        return apus__backlog_copy(connection, header, header_len, data, len);
    return apus__stream_write(&connection->stream, header, header_len, data, len);
}

/* Writes what is left of a fragment after `gone` bytes, which are not all of it, have left. */
static int write_rest(apus_connection *connection, const apus__fragment *fragment, size_t gone)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    size_t header_len = apus__fragment_encode(fragment, header);
    size_t header_gone = gone < header_len ? gone : header_len;
    size_t data_gone = gone - header_gone;
    return apus__stream_write(&connection->stream, header + header_gone, header_len - header_gone,
                              fragment->data + data_gone, fragment->len - data_gone);
}

/* Whether fragments may go past everything that holds frames back. */
static bool may_offer(const apus_connection *connection)
{
    return connection->endpoint->config->session.role == APUS_ROLE_SERVER && !connection->is_sending_parts &&
           connection->backlog == NULL && connection->stream.outbound.bytes == 0;
}

/* A large message goes in fragments (RFC 6455 §5.4), so that control frames get in between where they have to wait; a
 * socket that takes them all is given them in one call. */
static APUS_NOINLINE int write_fragments(apus_connection *connection, apus__fragments rest)
{
    size_t gone = 0;
    int error = APUS_OK;
    while (error == APUS_OK && rest.len != 0) {
        if (gone == 0 && may_offer(connection))
            gone = apus__fragments_offer(&rest, &connection->stream);
        apus__fragment next = apus__fragments_next(&rest);
        size_t size = apus__fragment_size(&next);
        if (gone == 0)
            error = write_frame(connection, next.opcode, next.rsv1, next.fin, next.data, next.len);
        else if (gone < size)
            error = write_rest(connection, &next, gone);
        gone -= gone < size ? gone : size;
    }
    return error;
}

static int write_message(apus_connection *connection, apus_opcode opcode, bool rsv1, bool fin, const uint8_t *data,
                         size_t len)
{
    if (APUS_LIKELY(len <= APUS_BACKLOG_WINDOW))
        return write_frame(connection, opcode, rsv1, fin, data, len);
    return write_fragments(connection,
                           (apus__fragments){.opcode = opcode, .rsv1 = rsv1, .fin = fin, .data = data, .len = len});
}

/* What is compressed is sent here and now, so the peer inflates in the order in which it was compressed. */
static int send_one(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len)
{
    apus_compression *compression = connection->session.compression;
    bool is_compressed = compression != NULL && apus_compression_deflate(compression, &data, &len);
    APUS_COUNT(connection->endpoint->statistics.messages_sent, 1);
    return write_message(connection, opcode, is_compressed, true, data, len);
}

/* A server's message with 16 bits of length, straight into the cork, where nothing is in the way; false where it has to
 * go another way. */
static inline bool send_medium(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len)
{
    if (len < APUS__SMALL_END || len > UINT16_MAX || connection->small_end != APUS__SMALL_END ||
        connection->session.compression != NULL || !may_send(connection))
        return false;
    uint8_t *frame = apus__stream_claim(&connection->stream, MEDIUM_HEADER_SIZE + len);
    if (frame == NULL)
        return false;
    memcpy(frame + apus_frame_encode(frame, opcode, true, len), data, len);
    APUS_COUNT(connection->endpoint->statistics.messages_sent, 1);
    return true;
}

/* Anything but the usual case: a queue, a large message, one to compress, a client, a connection that is not open. */
static APUS_NOINLINE int send_any(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len)
{
    if (send_medium(connection, opcode, data, len))
        return APUS_OK;
    if (APUS_UNLIKELY(!is_writable(connection)))
        return APUS_ECLOSED;
    if (APUS_UNLIKELY(is_full(connection, apus__backlog_queued(connection), len)))
        return refuse_message(connection);
    return send_one(connection, opcode, data, len);
}

int apus_connection_send_all(apus_connection *connection, const apus_outgoing *messages, size_t count)
{
    if (!is_writable(connection))
        return APUS_ECLOSED;
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = messages[i].len < SIZE_MAX - sum ? sum + messages[i].len : SIZE_MAX;
    size_t queued = apus__backlog_queued(connection);
    if (sum > SIZE_MAX - queued || is_full(connection, queued, sum))
        return refuse_message(connection);
    for (size_t i = 0; i < count; i++) {
        int error = send_one(connection, messages[i].opcode, messages[i].data, messages[i].len);
        if (error == APUS_OK)
            continue;
        if (i != 0)
            apus_connection_abort(connection);
        return error;
    }
    return APUS_OK;
}

int apus_connection_send(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len)
{
    /* A server's small message from a handler that answers what was just read: straight into the cork. */
    uint8_t *frame = NULL;
    if (APUS_LIKELY(len < connection->small_end && may_send(connection)))
        frame = apus__stream_claim(&connection->stream, SMALL_HEADER_SIZE + len);
    if (APUS_UNLIKELY(frame == NULL))
        return send_any(connection, opcode, data, len);
    frame[0] = (uint8_t)(APUS_FRAME_FIN | opcode);
    frame[1] = (uint8_t)len;
    apus_copy_small(frame + SMALL_HEADER_SIZE, data, len);
    APUS_COUNT(connection->endpoint->statistics.messages_sent, 1);
    return APUS_OK;
}

/* A large message of a topic: its fragments follow one another through the backlog. */
static void share_fragments(apus_connection *connection, apus_buffer *frames)
{
    if (apus__backlog_share(connection, frames) == APUS_OK)
        apus__backlog_move(connection);
}

void apus__connection_share(apus_connection *connection, apus_buffer *frames, size_t count)
{
    if (APUS_UNLIKELY(!may_send(connection) || connection->stream.error != 0))
        return;
    if (APUS_UNLIKELY(is_full(connection, apus__backlog_queued(connection), frames->len))) {
        if (connection->endpoint->config->slow_consumer == APUS_SLOW_CONSUMER_DROP)
            drop_message(connection);
        else
            close_slow(connection);
        return;
    }
    APUS_COUNT(connection->endpoint->statistics.messages_sent, count);
    if (APUS_UNLIKELY(connection->is_sending_parts))
        apus__backlog_hold_share(connection, frames);
    else if (APUS_UNLIKELY(apus__backlog_is_needed(connection)))
        apus__backlog_share(connection, frames);
    else if (APUS_UNLIKELY(frames->len > APUS_BACKLOG_WINDOW + APUS_FRAME_HEADER_SIZE))
        share_fragments(connection, frames);
    else
        apus__stream_share(&connection->stream, frames);
}

/* Other messages go the long way round while there is one in parts. */
static void set_sending_parts(apus_connection *connection, bool is_sending_parts)
{
    if (is_sending_parts == connection->is_sending_parts)
        return;
    connection->is_sending_parts = is_sending_parts;
    if (is_sending_parts)
        connection->small_end_between = connection->small_end;
    connection->small_end = is_sending_parts ? 0 : connection->small_end_between;
}

int apus_connection_send_part(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len,
                              bool is_last)
{
    if (!is_writable(connection))
        return APUS_ECLOSED;
    /* What is kept aside waits for this message, so it cannot wait for that. */
    if (is_full(connection, apus__backlog_moving(connection), len))
        return APUS_EFULL;
    bool is_first = !connection->is_sending_parts;
    set_sending_parts(connection, false);
    int error = write_message(connection, is_first ? opcode : APUS_OPCODE_CONTINUATION, false, is_last, data, len);
    set_sending_parts(connection, !is_last);
    if (!is_last || error != APUS_OK)
        return error;
    APUS_COUNT(connection->endpoint->statistics.messages_sent, 1);
    return apus__backlog_release(connection);
}

bool apus_connection_is_sending_parts(const apus_connection *connection)
{
    return connection->is_sending_parts;
}

bool apus_connection_want_drain(apus_connection *connection)
{
    bool is_answering = connection->phase == PHASE_REQUEST && connection->stream.error == 0;
    /* Half of the limit is not enough for every message that was refused; an empty queue is. */
    if (!(is_answering || is_writable(connection)) || apus__backlog_queued(connection) == 0)
        return false;
    connection->wants_drain = true;
    if (is_answering)
        apus__exchange_set_timeout(connection);
    return true;
}

size_t apus_connection_outbound(const apus_connection *connection)
{
    return apus__backlog_queued(connection);
}

int apus_connection_ping(apus_connection *connection, const uint8_t *data, size_t len)
{
    if (connection->phase != PHASE_OPEN)
        return APUS_ECLOSED;
    uint8_t frame[APUS_CONTROL_FRAME_SIZE];
    ptrdiff_t size = apus_session_control(&connection->session, APUS_OPCODE_PING, data, len, frame);
    if (size < 0)
        return (int)size;
    apus__keepalive_application_pings(connection);
    return apus__stream_write(&connection->stream, frame, (size_t)size, NULL, 0);
}

int apus_connection_close(apus_connection *connection, uint16_t code, const uint8_t *reason, size_t reason_len)
{
    if (connection->phase != PHASE_OPEN)
        return APUS_ECLOSED;
    if (connection->peer_close != NULL) {
        apus__closing_answer(connection);
        return APUS_OK;
    }
    uint8_t frame[APUS_CONTROL_FRAME_SIZE];
    ptrdiff_t size = apus_session_close(&connection->session, code, reason, reason_len, frame);
    if (size < 0)
        return (int)size;
    /* Only the peer's Close is awaited now; reading goes on even if nobody takes messages. */
    apus__stream_set_reading(&connection->stream, true);
    apus__connection_set_timeout(connection, connection->endpoint->config->close_timeout);
    apus__connection_resume_rest(connection);
    /* What was sent before is to arrive before. */
    if (connection->backlog != NULL)
        return apus__backlog_copy(connection, frame, (size_t)size, NULL, 0);
    return apus__stream_write(&connection->stream, frame, (size_t)size, NULL, 0);
}

int apus_connection_go_away(apus_connection *connection)
{
    const apus_endpoint_config *config = connection->endpoint->config;
    return apus_connection_close(connection, config->stop_code, config->stop_reason, config->stop_reason_len);
}
