/* The queue itself is one of the net floor's, of bytes; the frames in it are told by their own headers. */
#include "server/backlog.h"

#include <string.h>

#include "apus/alloc.h"

#define MASK_BIT 0x80
#define LENGTH_BITS 0x7F
#define LENGTH_16 126
#define LENGTH_64 127

static int begin(apus_connection *connection)
{
    if (connection->backlog != NULL)
        return APUS_OK;
    connection->backlog = apus_malloc(sizeof *connection->backlog);
    if (connection->backlog == NULL)
        return APUS_ENOMEM;
    apus__outbound_init(connection->backlog);
    return APUS_OK;
}

/* A frame that is queued in part would garble all that follows. */
static int settle(apus_connection *connection, int error)
{
    if (error != APUS_OK)
        apus__stream_fail(&connection->stream, error);
    return error;
}

int apus__backlog_copy(apus_connection *connection, const uint8_t *header, size_t header_len, const uint8_t *data,
                       size_t len)
{
    int error = begin(connection);
    if (error == APUS_OK)
        error = apus__outbound_copy(connection->backlog, header, header_len);
    if (error == APUS_OK)
        error = apus__outbound_copy(connection->backlog, data, len);
    return settle(connection, error);
}

int apus__backlog_share(apus_connection *connection, apus_buffer *buffer)
{
    int error = begin(connection);
    if (error == APUS_OK)
        error = apus__outbound_share(connection->backlog, buffer);
    return settle(connection, error);
}

/* The size of the frame at the front, header included; all in it is ours, so it is whole and right. */
static size_t first_frame_size(apus_outbound *backlog)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE] = {0};
    apus__outbound_read(backlog, header, sizeof header);
    size_t masking_key_size = (header[1] & MASK_BIT) != 0 ? sizeof(apus_masking_key) : 0;
    uint64_t payload_len = header[1] & LENGTH_BITS;
    size_t length_size = payload_len < LENGTH_16 ? 0 : payload_len == LENGTH_16 ? 2 : 8;
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
        apus__backlog_drop(connection);
}

void apus__backlog_drop(apus_connection *connection)
{
    if (connection->backlog == NULL)
        return;
    apus__outbound_clear(connection->backlog);
    apus_free(connection->backlog);
    connection->backlog = NULL;
}
