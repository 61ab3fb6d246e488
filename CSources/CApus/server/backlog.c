/* The queue itself is one of the net floor's, of bytes; the frames in it are told by their own headers. */
#include "server/backlog.h"

#include <string.h>

#include "apus/alloc.h"

/* The queue, made where there is none yet; NULL when memory is out. */
static apus_outbound *begin(apus_outbound **queue)
{
    if (*queue == NULL) {
        *queue = apus_malloc(sizeof **queue);
        if (*queue != NULL)
            apus__outbound_init(*queue);
    }
    return *queue;
}

static void end(apus_outbound **queue)
{
    if (*queue == NULL)
        return;
    apus__outbound_clear(*queue);
    apus_free(*queue);
    *queue = NULL;
}

/* A frame that is queued in part would garble all that follows. */
static int settle(apus_connection *connection, int error)
{
    if (error != APUS_OK)
        apus__stream_fail(&connection->stream, error);
    return error;
}

static int copy(apus_connection *connection, apus_outbound **queue, const uint8_t *header, size_t header_len,
                const uint8_t *data, size_t len)
{
    int error = begin(queue) == NULL ? APUS_ENOMEM : APUS_OK;
    if (error == APUS_OK)
        error = apus__outbound_copy(*queue, header, header_len);
    if (error == APUS_OK)
        error = apus__outbound_copy(*queue, data, len);
    return settle(connection, error);
}

static int share(apus_connection *connection, apus_outbound **queue, apus_buffer *buffer)
{
    int error = begin(queue) == NULL ? APUS_ENOMEM : APUS_OK;
    if (error == APUS_OK)
        error = apus__outbound_share(*queue, buffer);
    return settle(connection, error);
}

int apus__backlog_copy(apus_connection *connection, const uint8_t *header, size_t header_len, const uint8_t *data,
                       size_t len)
{
    return copy(connection, &connection->backlog, header, header_len, data, len);
}

int apus__backlog_share(apus_connection *connection, apus_buffer *buffer)
{
    return share(connection, &connection->backlog, buffer);
}

int apus__backlog_hold_copy(apus_connection *connection, const uint8_t *header, size_t header_len, const uint8_t *data,
                            size_t len)
{
    return copy(connection, &connection->held, header, header_len, data, len);
}

int apus__backlog_hold_share(apus_connection *connection, apus_buffer *buffer)
{
    return share(connection, &connection->held, buffer);
}

int apus__backlog_release(apus_connection *connection)
{
    apus_outbound *held = connection->held;
    if (held == NULL)
        return APUS_OK;
    int error = begin(&connection->backlog) == NULL ? APUS_ENOMEM : APUS_OK;
    if (error == APUS_OK)
        error = apus__outbound_move(held, connection->backlog, held->bytes);
    end(&connection->held);
    if (error == APUS_OK)
        apus__backlog_move(connection);
    return settle(connection, error);
}

/* The size of the frame at the front, header included; all in it is ours, so it is whole and right. */
static size_t first_frame_size(apus_outbound *backlog)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE] = {0};
    apus__outbound_read(backlog, header, sizeof header);
    size_t masking_key_size = (header[1] & APUS_FRAME_MASK) != 0 ? sizeof(apus_masking_key) : 0;
    uint64_t payload_len = header[1] & APUS_FRAME_LENGTH;
    size_t length_size = payload_len < APUS_FRAME_LENGTH_16 ? 0 : payload_len == APUS_FRAME_LENGTH_16 ? 2 : 8;
    if (length_size != 0) {
        payload_len = 0;
        for (size_t i = 0; i < length_size; i++)
            payload_len = payload_len << 8 | header[2 + i];
    }
    return 2 + length_size + masking_key_size + (size_t)payload_len;
}

void apus__backlog_move(apus_connection *connection)
{
    apus_outbound *backlog = connection->backlog;
    if (backlog == NULL)
        return;
    while (backlog->bytes != 0 && connection->stream.outbound.bytes <= APUS_BACKLOG_WINDOW) {
        int error = apus__stream_take(&connection->stream, backlog, first_frame_size(backlog));
        if (error != APUS_OK)
            return; /* the stream has failed, and says so */
    }
    if (backlog->bytes == 0)
        end(&connection->backlog);
}

void apus__backlog_drop(apus_connection *connection)
{
    end(&connection->backlog);
    end(&connection->held);
}
