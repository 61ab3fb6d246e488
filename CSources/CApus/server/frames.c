/* The fragments are as large as those of a message to one connection alone. */
#include "server/frames.h"

#include <string.h>

#include "server/backlog.h"

static size_t header_size(size_t payload_len)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    return apus_frame_encode(header, APUS_OPCODE_CONTINUATION, true, payload_len);
}

/* How many fragments come before the last frame. */
static size_t count_fragments(size_t len)
{
    return len == 0 ? 0 : (len - 1) / APUS_BACKLOG_WINDOW;
}

apus_buffer *apus__frames_new(apus_opcode opcode, bool rsv1, const uint8_t *data, size_t len)
{
    size_t fragments = count_fragments(len);
    size_t last_len = len - fragments * APUS_BACKLOG_WINDOW;
    size_t headers_len = fragments * header_size(APUS_BACKLOG_WINDOW) + header_size(last_len);
    apus_buffer *buffer = len <= SIZE_MAX - headers_len ? apus_buffer_new(headers_len + len) : NULL;
    if (buffer == NULL)
        return NULL;
    uint8_t *out = buffer->data;
    for (size_t i = 0; i <= fragments; i++) {
        size_t part = i < fragments ? APUS_BACKLOG_WINDOW : last_len;
        uint8_t header[APUS_FRAME_HEADER_SIZE];
        size_t size = apus_frame_encode(header, i == 0 ? opcode : APUS_OPCODE_CONTINUATION, i == fragments, part);
        if (rsv1 && i == 0)
            header[0] |= APUS_FRAME_RSV1;
        memcpy(out, header, size);
        out += size;
        if (part == 0) /* where `data` may be NULL */
            break;
        memcpy(out, data, part);
        out += part;
        data += part;
    }
    return buffer;
}
