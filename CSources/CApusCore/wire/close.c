/* Which status codes may be on the wire, and the payload that carries one. */
#include "apus/close.h"

#include <string.h>

#include "apus/utf8.h"

bool apus_close_code_is_sendable(uint16_t code)
{
    /* 1004 is reserved; 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame". */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static bool is_utf8(const uint8_t *data, size_t len)
{
    apus_utf8 utf8;
    apus_utf8_init(&utf8);
    return apus_utf8_validate(&utf8, data, len) == len && apus_utf8_is_complete(&utf8);
}

int apus_close_parse(const uint8_t *payload, size_t len, apus_close *out)
{
    *out = (apus_close){.code = APUS_CLOSE_NO_STATUS, .reason = payload, .reason_len = 0};
    if (len == 0)
        return APUS_OK;
    if (len == 1)
        return APUS_EPROTO;
    uint16_t code = (uint16_t)(payload[0] << 8 | payload[1]);
    if (!apus_close_code_is_sendable(code))
        return APUS_EPROTO;
    if (!is_utf8(payload + 2, len - 2))
        return APUS_EUTF8;
    *out = (apus_close){.code = code, .reason = payload + 2, .reason_len = len - 2};
    return APUS_OK;
}

ptrdiff_t apus_close_encode(uint8_t payload[APUS_CONTROL_PAYLOAD_SIZE], uint16_t code, const uint8_t *reason,
                            size_t reason_len)
{
    if (code == APUS_CLOSE_NO_STATUS && reason_len == 0)
        return 0;
    if (!apus_close_code_is_sendable(code) || reason_len > APUS_CLOSE_REASON_SIZE)
        return APUS_EINVAL;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason_len == 0)
        return 2;
    if (reason == NULL || !is_utf8(reason, reason_len))
        return APUS_EINVAL;
    memcpy(payload + 2, reason, reason_len);
    return (ptrdiff_t)(2 + reason_len);
}
