/* The payload of a Close frame: a status code and a reason (RFC 6455 §5.5.1 and §7.4). */
#ifndef APUS_CLOSE_H
#define APUS_CLOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/frame.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Bytes of the longest reason: what a control frame leaves beside the code. */
#define APUS_CLOSE_REASON_SIZE (APUS_CONTROL_PAYLOAD_SIZE - 2)

/* The code of an endpoint that goes away (§7.4.1). */
#define APUS_CLOSE_GOING_AWAY 1001

/* Codes that say what was not on the wire (§7.4.1): a Close without code; no Close at all. */
#define APUS_CLOSE_NO_STATUS 1005
#define APUS_CLOSE_ABNORMAL 1006

typedef struct apus_close {
    uint16_t code;         /* APUS_CLOSE_NO_STATUS where the payload was empty */
    const uint8_t *reason; /* in place; UTF-8 */
    size_t reason_len;
} apus_close;

/* Whether an endpoint may send this code: 1000 to 1003, 1007 to 1014 as registered with IANA, 3000 to 4999 (§7.4.2). */
bool apus_close_code_is_sendable(uint16_t code);

/* Reads a Close frame's payload. APUS_OK, APUS_EPROTO (one byte, or a code that may not be sent), or APUS_EUTF8. */
int apus_close_parse(const uint8_t *payload, size_t len, apus_close *out);

/* Writes a Close frame's payload. A `code` of APUS_CLOSE_NO_STATUS writes an empty one.
 *
 * Returns its size, or APUS_EINVAL: a code that may not be sent, a reason longer than APUS_CLOSE_REASON_SIZE, not
 * UTF-8, or without a code. */
ptrdiff_t apus_close_encode(uint8_t payload[APUS_CONTROL_PAYLOAD_SIZE], uint16_t code, const uint8_t *_Nullable reason,
                            size_t reason_len);

APUS_ASSUME_NONNULL_END

#endif
