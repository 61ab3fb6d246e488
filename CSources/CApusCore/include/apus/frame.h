/* One frame's header (RFC 6455 §5.2), parsed and encoded. */
#ifndef APUS_FRAME_H
#define APUS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/macros.h"
#include "apus/mask.h"

APUS_ASSUME_NONNULL_BEGIN

/* Bytes of the longest header: two, eight of length, four of masking key. */
#define APUS_FRAME_HEADER_SIZE 14

/* Bytes of the longest payload of a control frame (§5.5). */
#define APUS_CONTROL_PAYLOAD_SIZE 125

/* Of a header's first byte: the frame is its message's last; the message is compressed (RFC 7692 §6). */
#define APUS_FRAME_FIN 0x80
#define APUS_FRAME_RSV1 0x40

/* Of its second: the payload is masked; the length, or one of two values that say that 16 or 64 bits of it follow. */
#define APUS_FRAME_MASK 0x80
#define APUS_FRAME_LENGTH 0x7F
#define APUS_FRAME_LENGTH_16 126
#define APUS_FRAME_LENGTH_64 127

typedef enum apus_opcode {
    APUS_OPCODE_CONTINUATION = 0x0,
    APUS_OPCODE_TEXT = 0x1,
    APUS_OPCODE_BINARY = 0x2,
    APUS_OPCODE_CLOSE = 0x8,
    APUS_OPCODE_PING = 0x9,
    APUS_OPCODE_PONG = 0xA,
} apus_opcode;

/* Which end of the connection: a client masks what it sends, a server does not (§5.1). */
typedef enum apus_role {
    APUS_ROLE_SERVER,
    APUS_ROLE_CLIENT,
} apus_role;

typedef struct apus_frame {
    uint64_t payload_len;
    apus_masking_key masking_key; /* 0 where the frame is not masked */
    uint8_t opcode;               /* an apus_opcode */
    bool fin;
    bool rsv1;
} apus_frame;

static inline bool apus_opcode_is_control(uint8_t opcode)
{
    return (opcode & 0x8) != 0;
}

/* Decodes one frame header that has come to the end of `receiver` from the `len` bytes at `data`.
 *
 * Returns the header's size, 0 when `data` ends inside the header, or APUS_EPROTO: a reserved bit or opcode, a frame
 * that is masked or not against §5.1, a length not in its shortest form or with its top bit set, a control frame that
 * is fragmented or longer than 125 bytes. What is wrong in the first two bytes is refused as soon as they are there.
 * Keeps nothing: call again from the same byte once more have come. */
ptrdiff_t apus_frame_parse(const uint8_t *data, size_t len, apus_role receiver, apus_frame *out);

/* The same where permessage-deflate was agreed on, and RSV1 may be set in the first frame of a message, that is in a
 * text or binary frame (RFC 7692 §6.1). */
ptrdiff_t apus_frame_parse_deflated(const uint8_t *data, size_t len, apus_role receiver, apus_frame *out);

/* Encodes the header of a frame without masking key; returns its size, 2, 4 or 10. */
size_t apus_frame_encode(uint8_t out[APUS_FRAME_HEADER_SIZE], apus_opcode opcode, bool fin, uint64_t payload_len);

/* The same for a masked frame, as a client sends it; returns 6, 8 or 14. */
size_t apus_frame_encode_masked(uint8_t out[APUS_FRAME_HEADER_SIZE], apus_opcode opcode, bool fin, uint64_t payload_len,
                                apus_masking_key key);

APUS_ASSUME_NONNULL_END

#endif
