/* Control frames (RFC 6455 §5.5), incoming and outgoing. */
#include "session/control.h"

#include <assert.h>

#include "session/lifecycle.h"

/* Writes a control frame, masked where this end is the client; returns its size. */
static size_t write_frame(const apus_session *session, apus_opcode opcode, const uint8_t *payload, size_t len,
                          uint8_t frame[APUS_CONTROL_FRAME_SIZE])
{
    const apus_session_config *config = session->config;
    size_t header_size;
    apus_masking_key key = 0;
    if (config->role == APUS_ROLE_CLIENT) {
        key = config->make_key(config->context);
        header_size = apus_frame_encode_masked(frame, opcode, true, len, key);
    } else {
        header_size = apus_frame_encode(frame, opcode, true, len);
    }
    if (len != 0)
        apus_mask(frame + header_size, payload, len, key);
    return header_size + len;
}

/* Writes a Close with a code that may be sent: the peer's, which was checked, or one from the table of errors. */
static size_t write_close(const apus_session *session, uint16_t code, uint8_t frame[APUS_CONTROL_FRAME_SIZE])
{
    uint8_t payload[APUS_CONTROL_PAYLOAD_SIZE];
    ptrdiff_t len = apus_close_encode(payload, code, NULL, 0);
    assert(len >= 0);
    return write_frame(session, APUS_OPCODE_CLOSE, payload, (size_t)len, frame);
}

void apus__session_fail(apus_session *session, int error, apus_event *out)
{
    out->kind = APUS_EVENT_FAIL;
    out->error = error;
    if (session->state == APUS_STATE_OPEN)
        out->reply_len = (uint8_t)write_close(session, apus_error_code(error), out->reply);
    apus__session_set_state(session, APUS_STATE_CLOSED);
}

static void handle_ping(apus_session *session, uint8_t *payload, size_t len, apus_event *out)
{
    if (session->state != APUS_STATE_OPEN)
        return;
    out->kind = APUS_EVENT_PING;
    out->data = payload;
    out->len = len;
    out->reply_len = (uint8_t)write_frame(session, APUS_OPCODE_PONG, payload, len, out->reply);
}

static void handle_close(apus_session *session, uint8_t *payload, size_t len, apus_event *out)
{
    apus_close close;
    int error = apus_close_parse(payload, len, &close);
    if (error != APUS_OK) {
        apus__session_fail(session, error, out);
        return;
    }
    out->kind = APUS_EVENT_CLOSE;
    out->code = close.code;
    out->data = payload + (len - close.reason_len);
    out->len = close.reason_len;
    /* §5.5.1: "the endpoint typically echos the status code it received". */
    if (session->state == APUS_STATE_OPEN)
        out->reply_len = (uint8_t)write_close(session, close.code, out->reply);
    apus__session_set_state(session, APUS_STATE_CLOSED);
}

void apus__session_handle_control(apus_session *session, apus_opcode opcode, uint8_t *payload, size_t len,
                                  apus_event *out)
{
    switch (opcode) {
    case APUS_OPCODE_PING:
        handle_ping(session, payload, len, out);
        return;
    case APUS_OPCODE_PONG:
        out->kind = APUS_EVENT_PONG;
        out->data = payload;
        out->len = len;
        return;
    case APUS_OPCODE_CLOSE:
        handle_close(session, payload, len, out);
        return;
    case APUS_OPCODE_CONTINUATION:
    case APUS_OPCODE_TEXT:
    case APUS_OPCODE_BINARY:
        return;
    }
}

ptrdiff_t apus_session_close(apus_session *session, uint16_t code, const uint8_t *reason, size_t reason_len,
                             uint8_t frame[APUS_CONTROL_FRAME_SIZE])
{
    if (session->state != APUS_STATE_OPEN)
        return APUS_ECLOSED;
    uint8_t payload[APUS_CONTROL_PAYLOAD_SIZE];
    ptrdiff_t len = apus_close_encode(payload, code, reason, reason_len);
    if (len < 0)
        return len;
    apus__session_set_state(session, APUS_STATE_CLOSING);
    return (ptrdiff_t)write_frame(session, APUS_OPCODE_CLOSE, payload, (size_t)len, frame);
}

ptrdiff_t apus_session_control(apus_session *session, apus_opcode opcode, const uint8_t *data, size_t len,
                               uint8_t frame[APUS_CONTROL_FRAME_SIZE])
{
    if (session->state != APUS_STATE_OPEN)
        return APUS_ECLOSED;
    if (len > APUS_CONTROL_PAYLOAD_SIZE || (opcode != APUS_OPCODE_PING && opcode != APUS_OPCODE_PONG))
        return APUS_EINVAL;
    return (ptrdiff_t)write_frame(session, opcode, data, len, frame);
}
