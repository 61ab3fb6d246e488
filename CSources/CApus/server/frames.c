/* The fragments are as large as those of a message to one connection alone. */
#include "server/frames.h"

#include <string.h>

#include "server/fragments.h"

static size_t header_size(size_t payload_len)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    return apus_frame_encode(header, APUS_OPCODE_CONTINUATION, true, payload_len);
}

/* How many fragments come before the last frame. */
static size_t count_fragments(size_t len)
{
    return len == 0 ? 0 : (len - 1) / APUS_FRAGMENT_SIZE;
}

/* How many bytes a message takes with its headers; SIZE_MAX where no buffer is so large. */
static size_t frames_size(size_t len)
{
    size_t fragments = count_fragments(len);
    size_t last_len = len - fragments * APUS_FRAGMENT_SIZE;
    size_t headers_len = fragments * header_size(APUS_FRAGMENT_SIZE) + header_size(last_len);
    return len <= SIZE_MAX - headers_len ? headers_len + len : SIZE_MAX;
}

/* Writes a message's frames; returns what is behind them. */
static uint8_t *write_frames(uint8_t *out, apus_opcode opcode, bool rsv1, const uint8_t *data, size_t len)
{
    size_t fragments = count_fragments(len);
    size_t last_len = len - fragments * APUS_FRAGMENT_SIZE;
    for (size_t i = 0; i <= fragments; i++) {
        size_t part = i < fragments ? APUS_FRAGMENT_SIZE : last_len;
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
    return out;
}

apus_buffer *apus__frames_new(apus_opcode opcode, bool rsv1, const uint8_t *data, size_t len)
{
    size_t size = frames_size(len);
    apus_buffer *buffer = size == SIZE_MAX ? NULL : apus_buffer_new(size);
    if (buffer != NULL)
        write_frames(buffer->data, opcode, rsv1, data, len);
    return buffer;
}

apus_buffer *apus__frames_new_all(const apus_outgoing *messages, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = frames_size(messages[i].len);
        if (size > SIZE_MAX - sum)
            return NULL;
        sum += size;
    }
    apus_buffer *buffer = sum == SIZE_MAX ? NULL : apus_buffer_new(sum);
    if (buffer == NULL)
        return NULL;
    uint8_t *out = buffer->data;
    for (size_t i = 0; i < count; i++)
        out = write_frames(out, messages[i].opcode, false, messages[i].data, messages[i].len);
    return buffer;
}
