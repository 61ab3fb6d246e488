/* Outgoing messages, the limit on what waits for a slow peer, and the closing handshake from this side. */
#include "server/connection.h"

#include <string.h>

#include "apus/copy.h"
#include "server/closing.h"
#include "server/fragments.h"
#include "server/keepalive.h"
#include "server/slow.h"

/* The headers of frames with at most 125 and at most 65,535 bytes, as a server sends them (RFC 6455 §5.2). */
#define SMALL_HEADER_SIZE 2
#define MEDIUM_HEADER_SIZE 4

/* A client's frame with so many bytes leaves at once. */
#define PUSHED_SIZE ((size_t)16 * 1024)

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

/* Why nothing can be sent any more. */
static int closed_error(const apus_connection *connection)
{
    return connection->was_slow ? APUS_ESLOW : APUS_ECLOSED;
}

/* Queues a client's frame, or holds it back, and masks it there. */
static APUS_NOINLINE int queue_masked(apus_connection *connection, const uint8_t *header, size_t header_len,
                                      apus_masking_key key, const uint8_t *data, size_t len)
{
    apus_stream *stream = &connection->stream;
    if (stream->error != 0) /* told to on_end */
        return APUS_OK;
    uint8_t *place = apus__stream_queue(stream, header_len + len, connection->is_sending_parts);
    if (place == NULL)
        return APUS_ENOMEM;
    memcpy(place, header, header_len);
    if (len != 0)
        apus_mask(place + header_len, data, len, key);
    /* A large message leaves frame by frame, so that it is not in memory as a whole once more. */
    if (len >= PUSHED_SIZE && !connection->is_sending_parts)
        apus__stream_push(stream, SIZE_MAX);
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
    if (!connection->is_sending_parts)
        place = apus__stream_reserve(&connection->stream, header_len + len);
    if (place == NULL)
        return queue_masked(connection, header, header_len, key, data, len);
    memcpy(place, header, header_len);
    if (len != 0)
        apus_mask(place + header_len, data, len, key);
    return APUS_OK;
}

/* Keeps a server's frame back until the message that is being sent in parts has ended. */
static APUS_NOINLINE int hold_frame(apus_connection *connection, const uint8_t *header, size_t header_len,
                                    const uint8_t *data, size_t len)
{
    uint8_t *place = apus__stream_queue(&connection->stream, header_len + len, true);
    if (place == NULL)
        return APUS_ENOMEM;
    memcpy(place, header, header_len);
    if (len != 0)
        memcpy(place + header_len, data, len);
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
        return hold_frame(connection, header, header_len, data, len);
    return apus__stream_write(&connection->stream, header, header_len, data, len);
}

/* Queues what is left of a fragment after `gone` bytes, which are not all of it, have left. */
static int queue_rest(apus_connection *connection, const apus__fragment *fragment, size_t gone)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    size_t header_len = apus__fragment_encode(fragment, header);
    size_t header_gone = gone < header_len ? gone : header_len;
    size_t data_gone = gone - header_gone;
    return apus__stream_queue_rest(&connection->stream, header + header_gone, header_len - header_gone,
                                   fragment->data + data_gone, fragment->len - data_gone);
}

/* Whether fragments may go past everything that holds frames back. */
static bool may_offer(const apus_connection *connection)
{
    return connection->endpoint->config->session.role == APUS_ROLE_SERVER && !connection->is_sending_parts &&
           connection->stream.outbox.bytes == 0;
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
            error = queue_rest(connection, &next, gone);
        gone -= gone < size ? gone : size;
    }
    return error;
}

static int write_message(apus_connection *connection, apus_opcode opcode, bool rsv1, bool fin, const uint8_t *data,
                         size_t len)
{
    if (APUS_LIKELY(len <= APUS_FRAGMENT_SIZE))
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
        return closed_error(connection);
    int error = APUS_UNLIKELY(apus__slow_is_over(connection, len)) ? apus__slow_admit(connection, len) : APUS_OK;
    return error == APUS_OK ? send_one(connection, opcode, data, len) : error;
}

int apus_connection_send_all(apus_connection *connection, const apus_outgoing *messages, size_t count)
{
    if (!is_writable(connection))
        return closed_error(connection);
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = messages[i].len < SIZE_MAX / 2 - sum ? sum + messages[i].len : SIZE_MAX / 2;
    int error = apus__slow_is_over(connection, sum) ? apus__slow_admit(connection, sum) : APUS_OK;
    if (error != APUS_OK)
        return error;
    for (size_t i = 0; i < count; i++) {
        error = send_one(connection, messages[i].opcode, messages[i].data, messages[i].len);
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

/* How many of the first bytes nothing may come between: a frame, or as many as there are in the size of a large one. */
static size_t find_unit(const uint8_t *data, size_t len)
{
    size_t unit = 0;
    while (unit < len) {
        apus_frame frame;
        ptrdiff_t header_len = apus_frame_parse_deflated(data + unit, len - unit, APUS_ROLE_CLIENT, &frame);
        size_t size = header_len > 0 ? (size_t)header_len + (size_t)frame.payload_len : len - unit;
        if (unit != 0 && unit + size > APUS_FRAGMENT_SIZE)
            break;
        unit += size;
    }
    return unit;
}

/* Frames that are held, or of which there is more than a large one: control frames may come between these. */
static APUS_NOINLINE void share_units(apus_connection *connection, apus_buffer *frames)
{
    const uint8_t *data = frames->data;
    int error = APUS_OK;
    for (size_t left = frames->len; left != 0 && error == APUS_OK;) {
        size_t len = find_unit(data, left);
        bool is_last = len == left;
        if (connection->is_sending_parts)
            error = apus__stream_hold(&connection->stream, frames, data, len, is_last);
        else
            error = apus__stream_share(&connection->stream, frames, data, len, is_last);
        data += len;
        left -= len;
    }
}

void apus__connection_share(apus_connection *connection, apus_buffer *frames, size_t count)
{
    if (APUS_UNLIKELY(!may_send(connection) || connection->stream.error != 0))
        return;
    if (APUS_UNLIKELY(apus__slow_is_over(connection, frames->len)) &&
        apus__slow_admit_delivery(connection, frames->len) != APUS_OK)
        return;
    APUS_COUNT(connection->endpoint->statistics.messages_sent, count);
    if (APUS_UNLIKELY(connection->is_sending_parts || frames->len > APUS_FRAGMENT_SIZE + APUS_FRAME_HEADER_SIZE))
        share_units(connection, frames);
    else if (APUS_UNLIKELY(!apus__stream_share_now(&connection->stream, frames)))
        apus__stream_share(&connection->stream, frames, frames->data, frames->len, true);
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

/* What is held waits for this message, so it cannot wait for that. */
static bool has_no_room_for_part(const apus_connection *connection, size_t len)
{
    size_t queued = connection->stream.outbox.bytes;
    return queued != 0 && queued + len > connection->endpoint->config->outbound_limit;
}

int apus_connection_send_part(apus_connection *connection, apus_opcode opcode, const uint8_t *data, size_t len,
                              bool is_last)
{
    if (!is_writable(connection))
        return closed_error(connection);
    if (has_no_room_for_part(connection, len)) {
        apus__stream_push(&connection->stream, SIZE_MAX);
        if (has_no_room_for_part(connection, len))
            return APUS_EFULL;
    }
    bool is_first = !connection->is_sending_parts;
    set_sending_parts(connection, false);
    int error = write_message(connection, is_first ? opcode : APUS_OPCODE_CONTINUATION, false, is_last, data, len);
    set_sending_parts(connection, !is_last);
    if (!is_last || error != APUS_OK)
        return error;
    APUS_COUNT(connection->endpoint->statistics.messages_sent, 1);
    return apus__stream_release(&connection->stream);
}

bool apus_connection_is_sending_parts(const apus_connection *connection)
{
    return connection->is_sending_parts;
}

bool apus_connection_want_drain(apus_connection *connection)
{
    bool is_answering = connection->phase == PHASE_REQUEST && connection->stream.error == 0;
    /* Half of the limit is not enough for every message that was refused; an empty queue is. */
    if (!(is_answering || is_writable(connection)) || apus_connection_outbound(connection) == 0)
        return false;
    connection->wants_drain = true;
    if (is_answering)
        apus__exchange_set_timeout(connection);
    return true;
}

size_t apus_connection_outbound(const apus_connection *connection)
{
    return connection->stream.outbox.bytes + apus__outbox_held(&connection->stream.outbox);
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
    return apus__stream_control(&connection->stream, frame, (size_t)size, 0);
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
    connection->acknowledged = apus__stream_taken(&connection->stream);
    /* Only the peer's Close is awaited now; reading goes on even if nobody takes messages. */
    apus__stream_set_reading(&connection->stream, true);
    apus__stream_resume_large(&connection->stream);
    apus__connection_set_timeout(connection, connection->endpoint->config->close_timeout);
    apus__connection_resume_rest(connection);
    /* What was sent before is to arrive before. */
    return apus__stream_write(&connection->stream, frame, (size_t)size, NULL, 0);
}

int apus_connection_go_away(apus_connection *connection)
{
    const apus_endpoint_config *config = connection->endpoint->config;
    return apus_connection_close(connection, config->stop_code, config->stop_reason, config->stop_reason_len);
}
