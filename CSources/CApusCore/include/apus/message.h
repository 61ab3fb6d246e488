/* From fragments to messages (RFC 6455 §5.4): which data frame may follow which, and the bytes of a message that
 * does not stand whole in one read. */
#ifndef APUS_MESSAGE_H
#define APUS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/error.h"
#include "apus/frame.h"
#include "apus/macros.h"
#include "apus/utf8.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_message_limits {
    uint64_t size;      /* bytes of a message's payload */
    uint32_t fragments; /* frames of a message, empty ones included; at least 1 */
} apus_message_limits;

/* A message under way. All zero: none is. */
typedef struct apus_message {
    apus_bytes payload; /* what came so far, unmasked; owned */
    uint32_t fragments; /* frames begun so far */
    bool is_in_parts;   /* given out as it comes, so that neither its size nor its fragments are limited */
    uint8_t opcode;     /* APUS_OPCODE_TEXT or _BINARY; 0 between messages */
    bool is_compressed; /* its first frame has RSV1 set; `payload` is what came so far, inflated */
    apus_utf8 utf8;
} apus_message;

/* Frees the payload and forgets the message. */
void apus_message_deinit(apus_message *message);

/* Takes note of a data frame's header.
 *
 * Returns APUS_OK, APUS_EPROTO (a continuation of nothing, or a new message inside another), APUS_ETOOBIG (by what the
 * header announces, before a byte of it is stored; for a compressed message that says nothing) or APUS_EFRAGMENTS. */
int apus_message_begin_frame(apus_message *message, const apus_frame *frame, const apus_message_limits *limits);

/* Unmasks, validates and keeps the next `len` bytes of the frame's payload; `remaining` more are announced behind
 * them. Memory grows with what has come, never with what is announced.
 *
 * Returns APUS_OK, APUS_EUTF8 as soon as a text cannot become right, or APUS_ENOMEM. */
int apus_message_append(apus_message *message, const uint8_t *data, size_t len, apus_masking_key key,
                        uint64_t remaining);

/* Validates what was inflated behind the first `start` bytes of the payload: APUS_OK, or APUS_EUTF8. */
int apus_message_check_inflated(apus_message *message, size_t start);

/* Whether the payload may end here: APUS_OK, or APUS_EUTF8 for a text that ends inside a character. */
int apus_message_check_end(const apus_message *message);

APUS_ASSUME_NONNULL_END

#endif
