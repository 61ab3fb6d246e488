/* Puts messages together from any fragments in any reads, beside a plain list of the bytes that came:
 *
 * - a frame is refused where RFC 6455 §5.4 or a limit says so, and then nothing has changed;
 * - the payload is what came, unmasked, and a text is refused with the read that brings its first invalid byte;
 * - memory stays in proportion to what came;
 * - an allocation that fails loses nothing: the same bytes can be given again.
 *
 * Input: the limits (two bytes, one byte), which allocation fails, the key, then steps. A step is one byte, whose low
 * bits say what to do and whose others how much comes in one read, and for a fragment its length and its payload. */
#include "apus/message.h"

#include "apus/alloc.h"
#include "require.h"
#include "simd/kernels.h"

#define START_SIZE (2 + 1 + 1 + sizeof(apus_masking_key))
#define SMALLEST_CAPACITY 256

enum step {
    FRAGMENT,       /* the next of the message under way; if none is, the first of a text */
    BINARY,         /* the same, but a binary message */
    WRONG_FRAGMENT, /* what must not come now */
    FORGET,
};

typedef struct input {
    const uint8_t *data;
    size_t len;
    apus_message_limits limits;
    apus_masking_key key;
} input;

typedef struct model {
    uint8_t *payload;
    size_t len;
    uint32_t fragments;
    uint8_t opcode;
} model;

static uint8_t take(input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

static void check_message(const apus_message *message, const model *model)
{
    const apus_bytes *payload = &message->payload;
    require(message->opcode == model->opcode && message->fragments == model->fragments, "the frames are counted");
    require(payload->len == model->len, "the payload is as long as what came");
    require(model->len == 0 || memcmp(payload->data, model->payload, model->len) == 0, "the payload is what came");
    require(payload->len <= payload->capacity, "the payload has room");
    require(payload->capacity <= SMALLEST_CAPACITY || payload->capacity <= 2 * payload->len, "memory is in proportion");
}

static void forget(apus_message *message, model *model)
{
    apus_message_deinit(message);
    free(model->payload);
    *model = (struct model){0};
    check_message(message, model);
}

/* The index of the first byte that cannot be right, and whether a character may end behind the last. */
static size_t judge(const model *model, bool *is_complete)
{
    apus_utf8 utf8;
    apus_utf8_init(&utf8);
    size_t index = apus__utf8_validate_scalar(&utf8, model->payload, model->len);
    *is_complete = apus_utf8_is_complete(&utf8);
    return index;
}

/* Gives the next bytes, masked and in memory of their own, again if memory was out; false where the text is wrong. */
static bool append(apus_message *message, model *model, const uint8_t *plain, size_t len, apus_masking_key key,
                   uint64_t remaining)
{
    uint8_t *masked = copy_of(plain, len);
    apus_mask(masked, masked, len, key);
    int error = apus_message_append(message, masked, len, key, remaining);
    if (error == APUS_ENOMEM) {
        check_message(message, model);
        error = apus_message_append(message, masked, len, key, remaining);
    }
    free(masked);
    model->payload = realloc(model->payload, model->len + len + 1);
    require(model->payload != NULL, "there is memory for the model");
    memcpy(model->payload + model->len, plain, len);
    model->len += len;
    bool is_complete;
    bool is_valid = model->opcode != APUS_OPCODE_TEXT || judge(model, &is_complete) == model->len;
    require(error == (is_valid ? APUS_OK : APUS_EUTF8), "a text is refused as soon as it cannot become right");
    return is_valid;
}

/* What must come of a frame's header. */
static int expect(const apus_frame *frame, const model *model, const apus_message_limits *limits)
{
    if ((frame->opcode == APUS_OPCODE_CONTINUATION) != (model->opcode != 0))
        return APUS_EPROTO;
    if (model->len + frame->payload_len > limits->size)
        return APUS_ETOOBIG;
    return model->fragments + 1 > limits->fragments ? APUS_EFRAGMENTS : APUS_OK;
}

static bool begin(apus_message *message, model *model, const apus_frame *frame, const apus_message_limits *limits)
{
    int error = apus_message_begin_frame(message, frame, limits);
    require(error == expect(frame, model, limits), "a frame is let in or refused by the rules");
    if (error == APUS_OK) {
        model->fragments++;
        model->opcode = model->opcode == 0 ? frame->opcode : model->opcode;
    }
    check_message(message, model);
    return error == APUS_OK;
}

/* Gives a frame of `len` bytes, `step` of them a read. */
static bool give_fragment(input *in, apus_message *message, model *model, apus_opcode opcode, size_t step)
{
    apus_frame frame = {.opcode = (uint8_t)opcode, .payload_len = take(in), .masking_key = in->key};
    if (!begin(message, model, &frame, &in->limits))
        return true;
    apus_masking_key key = in->key;
    for (uint64_t remaining = frame.payload_len; remaining != 0 && in->len != 0;) {
        size_t len = remaining < step ? (size_t)remaining : step;
        len = len < in->len ? len : in->len;
        remaining -= len;
        if (!append(message, model, in->data, len, key, remaining))
            return false;
        key = apus_masking_key_advance(key, len);
        in->data += len;
        in->len -= len;
        check_message(message, model);
    }
    return true;
}

static void check_end(const apus_message *message, const model *model)
{
    bool is_complete = true;
    if (model->opcode == APUS_OPCODE_TEXT)
        judge(model, &is_complete);
    require(apus_message_check_end(message) == (is_complete ? APUS_OK : APUS_EUTF8), "a text ends behind a character");
}

/* Does one step; false where the message is spent. */
static bool do_step(input *in, apus_message *message, model *model)
{
    uint8_t byte = take(in);
    apus_opcode first = byte % 4 == BINARY ? APUS_OPCODE_BINARY : APUS_OPCODE_TEXT;
    switch ((enum step)(byte % 4)) {
    case FRAGMENT:
    case BINARY:
        return give_fragment(in, message, model, model->opcode == 0 ? first : APUS_OPCODE_CONTINUATION,
                             (size_t)byte / 4 + 1);
    case WRONG_FRAGMENT: {
        apus_frame frame = {.opcode = model->opcode == 0 ? APUS_OPCODE_CONTINUATION : (uint8_t)first, .fin = true};
        require(!begin(message, model, &frame, &in->limits), "this frame cannot come now");
        return true;
    }
    case FORGET:
        forget(message, model);
        return true;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < START_SIZE)
        return 0;
    input in = {.data = data + START_SIZE, .len = len - START_SIZE};
    in.limits = (apus_message_limits){.size = (uint64_t)data[0] << 8 | data[1], .fragments = data[2]};
    memcpy(&in.key, data + 4, sizeof in.key);
    apus_message message = {0};
    model model = {0};
    apus_alloc_fail(data[3]);
    bool is_valid = true;
    while (is_valid && in.len != 0) {
        is_valid = do_step(&in, &message, &model);
        if (is_valid)
            check_end(&message, &model);
    }
    apus_alloc_fail(0);
    forget(&message, &model);
    return 0;
}
