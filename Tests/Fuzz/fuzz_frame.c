/* Checks frame headers and the payload of a Close, with any bytes as the one and as the other:
 *
 * - a header, and a refusal, is known with the same byte however many more have come, and never by less than two;
 * - what is read from a header is what RFC 6455 §5.2 draws, found here by plainer means, and encodes to the same bytes;
 * - what one end encodes, the other parses as the same, and who has sent it would refuse;
 * - a Close payload that is read can be written, and is the same. */
#include "apus/frame.h"

#include "apus/close.h"
#include "require.h"

#define MOST_READ (APUS_FRAME_HEADER_SIZE + 2) /* more bytes change nothing */
#define ENCODE_SIZE (2 + 8 + sizeof(apus_masking_key))

static bool is_same(const apus_frame *one, const apus_frame *other)
{
    return one->payload_len == other->payload_len && one->masking_key == other->masking_key &&
           one->opcode == other->opcode && one->fin == other->fin;
}

/* Parses `len` bytes where the next byte cannot be read. */
static ptrdiff_t parse(const uint8_t *data, size_t len, apus_role receiver, apus_frame *out)
{
    uint8_t *copy = copy_of(data, len);
    ptrdiff_t size = apus_frame_parse(copy, len, receiver, out);
    free(copy);
    return size;
}

static size_t encode(uint8_t out[APUS_FRAME_HEADER_SIZE], const apus_frame *frame, apus_role receiver)
{
    if (receiver == APUS_ROLE_CLIENT)
        return apus_frame_encode(out, (apus_opcode)frame->opcode, frame->fin, frame->payload_len);
    return apus_frame_encode_masked(out, (apus_opcode)frame->opcode, frame->fin, frame->payload_len,
                                    frame->masking_key);
}

/* Reads the `size` bytes of a header that passed, field by field. */
static apus_frame read_plainly(const uint8_t *data, size_t size)
{
    bool is_masked = data[1] >= 128;
    size_t length_size = size - 2 - (is_masked ? 4 : 0);
    apus_frame frame = {.opcode = data[0] % 16, .fin = data[0] >= 128, .payload_len = data[1] % 128};
    require(length_size == (frame.payload_len < 126 ? 0 : frame.payload_len == 126 ? 2 : 8), "the length has its size");
    if (length_size != 0)
        frame.payload_len = 0;
    for (size_t i = 0; i < length_size; i++)
        frame.payload_len = frame.payload_len * 256 + data[2 + i];
    if (is_masked)
        memcpy(&frame.masking_key, data + 2 + length_size, sizeof frame.masking_key);
    return frame;
}

static void check_header(const uint8_t *data, size_t size, apus_role receiver, const apus_frame *frame)
{
    uint8_t again[APUS_FRAME_HEADER_SIZE];
    apus_frame plain = read_plainly(data, size);
    require(is_same(frame, &plain), "a header is read as it is drawn");
    require((data[1] >= 128) == (receiver == APUS_ROLE_SERVER), "masked to a server, and only to a server");
    require((data[0] & 0x70) == 0 && frame->payload_len >> 63 == 0, "no reserved bit is set");
    require(frame->opcode <= 2 || (frame->opcode >= 8 && frame->opcode <= 10), "the opcode is known");
    require(frame->opcode <= 2 || (frame->fin && frame->payload_len <= 125), "a control frame is short and whole");
    require(encode(again, frame, receiver) == size && memcmp(again, data, size) == 0, "it encodes to the same bytes");
}

/* Parses every beginning of the bytes. */
static void check_parse(const uint8_t *data, size_t len, apus_role receiver)
{
    ptrdiff_t known = 0;
    for (size_t count = 0; count <= len && count <= MOST_READ; count++) {
        apus_frame frame;
        ptrdiff_t size = parse(data, count, receiver, &frame);
        require(known == 0 || size == known, "more bytes change nothing");
        require(size <= 0 || known != 0 || (size_t)size == count, "a header is known with its last byte");
        require(size == 0 || count >= 2, "nothing is known by one byte");
        require(size >= 0 || size == APUS_EPROTO, "a header can break the protocol only");
        if (size > 0)
            check_header(data, (size_t)size, receiver, &frame);
        known = size;
    }
    require(known != 0 || len < APUS_FRAME_HEADER_SIZE, "no header is longer");
}

/* Encodes what the bytes describe: opcode, FIN and how many bits of the length count; the length; the key. */
static void check_encode(const uint8_t *data, size_t len, apus_role receiver)
{
    static const apus_opcode opcodes[] = {APUS_OPCODE_CONTINUATION, APUS_OPCODE_TEXT, APUS_OPCODE_BINARY,
                                          APUS_OPCODE_CLOSE,        APUS_OPCODE_PING, APUS_OPCODE_PONG};
    if (len < ENCODE_SIZE)
        return;
    apus_frame frame = {.opcode = (uint8_t)opcodes[data[0] % 6], .fin = data[0] >= 128}, again;
    memcpy(&frame.payload_len, data + 2, sizeof frame.payload_len);
    frame.payload_len >>= 1 + data[1] % 63;
    if (apus_opcode_is_control(frame.opcode)) {
        frame.fin = true;
        frame.payload_len %= APUS_CONTROL_PAYLOAD_SIZE + 1;
    }
    if (receiver == APUS_ROLE_SERVER)
        memcpy(&frame.masking_key, data + 10, sizeof frame.masking_key);
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    size_t size = encode(header, &frame, receiver);
    require(parse(header, size, receiver, &again) == (ptrdiff_t)size, "what was encoded is parsed");
    require(is_same(&frame, &again), "and is the same");
    apus_role sender = receiver == APUS_ROLE_SERVER ? APUS_ROLE_CLIENT : APUS_ROLE_SERVER;
    require(parse(header, size, sender, &again) == APUS_EPROTO, "it goes one way only");
}

static void check_close(const uint8_t *data, size_t len)
{
    if (len > APUS_CONTROL_PAYLOAD_SIZE)
        return;
    apus_close close;
    uint8_t payload[APUS_CONTROL_PAYLOAD_SIZE];
    uint8_t *copy = copy_of(data, len);
    if (apus_close_parse(copy, len, &close) == APUS_OK) {
        require(close.reason_len <= APUS_CLOSE_REASON_SIZE, "a reason has its limit");
        require((close.code == APUS_CLOSE_NO_STATUS) == (len == 0), "only an empty Close has no code");
        require(apus_close_encode(payload, close.code, close.reason, close.reason_len) == (ptrdiff_t)len,
                "a Close that is read can be written");
        require(memcmp(payload, copy, len) == 0, "and is the same");
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (int receiver = APUS_ROLE_SERVER; receiver <= APUS_ROLE_CLIENT; receiver++) {
        check_parse(data, len, (apus_role)receiver);
        check_encode(data, len, (apus_role)receiver);
    }
    check_close(data, len);
    return 0;
}
