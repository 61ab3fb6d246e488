/* The frame header of RFC 6455 §5.2:
 *
 *     byte 0   FIN RSV1 RSV2 RSV3 opcode(4)
 *     byte 1   MASK length(7): 0...125 itself, 126: 16 bits follow, 127: 64 bits follow
 *     then     the extended length, in network byte order
 *     then     the masking key, where MASK is set
 */
#include "apus/frame.h"

#include <string.h>

#define RESERVED_BITS 0x70
#define OPCODE_BITS 0x0F
#define KEY_SIZE 4

/* One bit for each opcode that RFC 6455 §11.8 registers. */
static const uint16_t known_opcodes = 1 << APUS_OPCODE_CONTINUATION | 1 << APUS_OPCODE_TEXT | 1 << APUS_OPCODE_BINARY |
                                      1 << APUS_OPCODE_CLOSE | 1 << APUS_OPCODE_PING | 1 << APUS_OPCODE_PONG;

static uint64_t read_be(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

static void write_be(uint8_t *data, size_t size, uint64_t value)
{
    for (size_t i = size; i > 0; i--, value >>= 8)
        data[i - 1] = (uint8_t)value;
}

/* One bit for each opcode that begins a message. */
static const uint16_t first_opcodes = 1 << APUS_OPCODE_TEXT | 1 << APUS_OPCODE_BINARY;

/* What the first two bytes alone can break. */
static inline bool is_allowed(uint8_t first, uint8_t second, apus_role receiver, bool allows_rsv1)
{
    uint8_t opcode = first & OPCODE_BITS;
    bool is_masked = (second & APUS_FRAME_MASK) != 0;
    if (allows_rsv1 && (first_opcodes >> opcode & 1) != 0)
        first &= (uint8_t)~APUS_FRAME_RSV1;
    if ((first & RESERVED_BITS) != 0 || (known_opcodes >> opcode & 1) == 0)
        return false;
    if (is_masked != (receiver == APUS_ROLE_SERVER))
        return false;
    if (!apus_opcode_is_control(opcode))
        return true;
    return (first & APUS_FRAME_FIN) != 0 && (second & APUS_FRAME_LENGTH) <= APUS_CONTROL_PAYLOAD_SIZE;
}

static inline ptrdiff_t parse(const uint8_t *data, size_t len, apus_role receiver, bool allows_rsv1, apus_frame *out)
{
    if (len < 2)
        return 0;
    if (APUS_UNLIKELY(!is_allowed(data[0], data[1], receiver, allows_rsv1)))
        return APUS_EPROTO;

    uint64_t payload_len = data[1] & APUS_FRAME_LENGTH;
    size_t length_size = payload_len < APUS_FRAME_LENGTH_16 ? 0 : payload_len == APUS_FRAME_LENGTH_16 ? 2 : 8;
    size_t key_size = receiver == APUS_ROLE_SERVER ? KEY_SIZE : 0;
    size_t header_size = 2 + length_size + key_size;
    if (len < header_size)
        return 0;
    if (length_size != 0) {
        payload_len = read_be(data + 2, length_size);
        /* "the minimal number of bytes MUST be used", and "the most significant bit MUST be 0". */
        if (payload_len < (length_size == 2 ? (uint64_t)APUS_FRAME_LENGTH_16 : (uint64_t)UINT16_MAX + 1) ||
            payload_len >> 63 != 0)
            return APUS_EPROTO;
    }

    out->payload_len = payload_len;
    out->opcode = data[0] & OPCODE_BITS;
    out->fin = (data[0] & APUS_FRAME_FIN) != 0;
    out->rsv1 = (data[0] & APUS_FRAME_RSV1) != 0;
    out->masking_key = 0;
    if (key_size != 0)
        memcpy(&out->masking_key, data + 2 + length_size, KEY_SIZE);
    return (ptrdiff_t)header_size;
}

ptrdiff_t apus_frame_parse(const uint8_t *data, size_t len, apus_role receiver, apus_frame *out)
{
    return parse(data, len, receiver, false, out);
}

ptrdiff_t apus_frame_parse_deflated(const uint8_t *data, size_t len, apus_role receiver, apus_frame *out)
{
    return parse(data, len, receiver, true, out);
}

size_t apus_frame_encode(uint8_t out[APUS_FRAME_HEADER_SIZE], apus_opcode opcode, bool fin, uint64_t payload_len)
{
    out[0] = (uint8_t)((fin ? APUS_FRAME_FIN : 0) | opcode);
    if (APUS_LIKELY(payload_len < APUS_FRAME_LENGTH_16)) {
        out[1] = (uint8_t)payload_len;
        return 2;
    }
    if (payload_len <= UINT16_MAX) {
        out[1] = APUS_FRAME_LENGTH_16;
        write_be(out + 2, 2, payload_len);
        return 4;
    }
    out[1] = APUS_FRAME_LENGTH_64;
    write_be(out + 2, 8, payload_len);
    return 10;
}

size_t apus_frame_encode_masked(uint8_t out[APUS_FRAME_HEADER_SIZE], apus_opcode opcode, bool fin, uint64_t payload_len,
                                apus_masking_key key)
{
    size_t size = apus_frame_encode(out, opcode, fin, payload_len);
    out[1] |= APUS_FRAME_MASK;
    memcpy(out + size, &key, KEY_SIZE);
    return size + KEY_SIZE;
}
