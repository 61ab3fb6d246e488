/* A message grows by what arrives; its limits are checked against what is announced. */
#include "apus/message.h"

#include <string.h>

#include "apus/alloc.h"

#define SMALLEST_PAYLOAD_CAPACITY 256

void apus_message_deinit(apus_message *message)
{
    apus_bytes_deinit(&message->payload);
    *message = (apus_message){0};
}

int apus_message_begin_frame(apus_message *message, const apus_frame *frame, const apus_message_limits *limits)
{
    bool is_continuation = frame->opcode == APUS_OPCODE_CONTINUATION;
    bool is_under_way = message->opcode != 0;
    if (is_continuation != is_under_way)
        return APUS_EPROTO;
    bool is_compressed = is_continuation ? message->is_compressed : frame->rsv1;
    uint64_t size = message->payload.len;
    if (!is_compressed && !message->is_in_parts &&
        (frame->payload_len > limits->size || size > limits->size - frame->payload_len))
        return APUS_ETOOBIG;
    if (!message->is_in_parts && message->fragments >= limits->fragments)
        return APUS_EFRAGMENTS;
    message->fragments += message->is_in_parts ? 0 : 1;
    if (!is_continuation) {
        message->opcode = frame->opcode;
        message->is_compressed = is_compressed;
        apus_utf8_init(&message->utf8);
    }
    return APUS_OK;
}

/* Memory for all that a frame announces is not allocated before it has come; but what lies idle may serve at once. */
static bool use_spare(apus_bytes *payload, uint64_t announced)
{
    uint8_t *spare = announced <= SIZE_MAX ? apus_alloc_spare((size_t)announced) : NULL;
    if (spare == NULL)
        return false;
    if (payload->len != 0)
        memcpy(spare, payload->data, payload->len);
    apus_free(payload->data);
    payload->data = spare;
    payload->capacity = (size_t)announced;
    return true;
}

/* Room for `len` more bytes: doubled, but never beyond what the frame announces, so that the last step of a large
 * message ends exactly at its size. */
static int make_room(apus_bytes *payload, size_t len, uint64_t remaining)
{
    if (len <= payload->capacity - payload->len)
        return APUS_OK;
    size_t needed = payload->len + len;
    uint64_t announced = needed + remaining;
    if (use_spare(payload, announced))
        return APUS_OK;
    uint64_t capacity = (uint64_t)payload->capacity * 2;
    if (capacity < SMALLEST_PAYLOAD_CAPACITY)
        capacity = SMALLEST_PAYLOAD_CAPACITY;
    if (capacity < needed + len) /* the next read brings as much again */
        capacity = needed + len;
    if (remaining != 0 && capacity > announced)
        capacity = announced;
    uint8_t *data = apus_realloc(payload->data, (size_t)capacity);
    if (data == NULL)
        return APUS_ENOMEM;
    payload->data = data;
    payload->capacity = (size_t)capacity;
    return APUS_OK;
}

int apus_message_append(apus_message *message, const uint8_t *data, size_t len, apus_masking_key key,
                        uint64_t remaining)
{
    if (len == 0)
        return APUS_OK;
    apus_bytes *payload = &message->payload;
    int error = make_room(payload, len, remaining);
    if (error != APUS_OK)
        return error;
    uint8_t *target = payload->data + payload->len;
    payload->len += len;
    if (message->opcode != APUS_OPCODE_TEXT) {
        apus_mask(target, data, len, key);
        return APUS_OK;
    }
    return apus_utf8_unmask(&message->utf8, target, data, len, key) == len ? APUS_OK : APUS_EUTF8;
}

int apus_message_check_inflated(apus_message *message, size_t start)
{
    size_t len = message->payload.len - start;
    if (message->opcode != APUS_OPCODE_TEXT || len == 0)
        return APUS_OK;
    return apus_utf8_validate(&message->utf8, message->payload.data + start, len) == len ? APUS_OK : APUS_EUTF8;
}

int apus_message_check_end(const apus_message *message)
{
    return apus_utf8_is_complete(&message->utf8) ? APUS_OK : APUS_EUTF8;
}
