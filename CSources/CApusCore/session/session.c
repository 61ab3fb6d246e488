/* The way of incoming bytes: header, then payload of a data or a control frame, then an event. Whatever a read cuts
 * is kept here (a header's bytes, a control payload, a message), so that the caller never has to keep any. */
#include "apus/session.h"

#include <string.h>

#include "apus/alloc.h"
#include "session/control.h"
#include "session/inflate.h"
#include "session/lifecycle.h"
#include "session/parts.h"

enum phase {
    PHASE_HEADER,  /* between frames or inside a header */
    PHASE_DATA,    /* inside a data frame's payload */
    PHASE_CONTROL, /* inside a control frame's payload */
};

void apus_session_init(apus_session *session, const apus_session_config *config)
{
    *session = (apus_session){.config = config, .state = APUS_STATE_CONNECTING, .phase = PHASE_HEADER};
}

void apus_session_deinit(apus_session *session)
{
    apus_message_deinit(&session->message);
    apus_compression_free(session->compression);
    session->compression = NULL;
    apus_free(session->control);
    session->control = NULL;
}

void apus_session_set_compression(apus_session *session, apus_compression *compression)
{
    session->compression = compression;
}

/* Messages may go the short way to a server, between frames, while the session is open and keeps nothing, not even what
 * it has just delivered: that goes at the next call, and the short way does not look. */
static void update_small_end(apus_session *session)
{
    const apus_session_config *config = session->config;
    bool is_ready = config->role == APUS_ROLE_SERVER && session->state == APUS_STATE_OPEN &&
                    session->phase == PHASE_HEADER && session->header_len == 0 && session->message.opcode == 0 &&
                    !session->is_delivered;
    uint64_t most =
        config->limits.size < APUS_CONTROL_PAYLOAD_SIZE ? config->limits.size : (uint64_t)APUS_CONTROL_PAYLOAD_SIZE;
    session->small_end = is_ready ? (uint8_t)(most + 1) : 0;
}

void apus_session_open(apus_session *session)
{
    apus__session_set_state(session, APUS_STATE_OPEN);
    update_small_end(session);
}

void apus_session_end(apus_session *session)
{
    if (session->state != APUS_STATE_CLOSED)
        apus__session_set_state(session, APUS_STATE_CLOSED);
}

void apus_session_forget_message(apus_session *session)
{
    if (APUS_LIKELY(!session->is_delivered))
        return;
    session->is_delivered = false;
    if (session->message.is_in_parts)
        apus_bytes_deinit(&session->message.payload);
    else
        apus_message_deinit(&session->message);
}

static inline void deliver(apus_session *session, apus_opcode opcode, uint8_t *data, size_t len, apus_event *out)
{
    /* §5.5.1: having sent a Close, an endpoint waits for the other and discards data. */
    if (session->state != APUS_STATE_OPEN)
        return;
    out->kind = APUS_EVENT_MESSAGE;
    out->opcode = opcode;
    out->data = data;
    out->len = len;
}

/* A message that stands whole in one frame and one read: the usual case, done in place without keeping anything. */
static inline void receive_whole(apus_session *session, const apus_frame *frame, uint8_t *payload, apus_event *out)
{
    size_t len = (size_t)frame->payload_len;
    if (frame->opcode == APUS_OPCODE_TEXT) {
        apus_utf8 utf8;
        apus_utf8_init(&utf8);
        if (apus_utf8_unmask(&utf8, payload, payload, len, frame->masking_key) != len ||
            !apus_utf8_is_complete(&utf8)) {
            apus__session_fail(session, APUS_EUTF8, out);
            return;
        }
    } else {
        apus_mask(payload, payload, len, frame->masking_key);
    }
    deliver(session, (apus_opcode)frame->opcode, payload, len, out);
}

/* The last byte of a data frame that is kept has come. */
static void end_data_frame(apus_session *session, apus_event *out)
{
    session->phase = PHASE_HEADER;
    if (!session->fin)
        return;
    apus_message *message = &session->message;
    int error = message->is_compressed ? apus__session_end_inflating(session) : APUS_OK;
    if (error == APUS_OK)
        error = apus_message_check_end(message);
    if (error != APUS_OK) {
        apus__session_fail(session, error, out);
        return;
    }
    session->is_delivered = true;
    deliver(session, (apus_opcode)message->opcode, message->payload.data, message->payload.len, out);
}

/* Keeps what is there of the payload under way; returns the number of bytes taken. */
static size_t receive_data(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    if (APUS_UNLIKELY(session->message.is_in_parts)) {
        size_t taken = apus__session_receive_part(session, data, len, out);
        session->phase = session->remaining == 0 ? PHASE_HEADER : PHASE_DATA;
        return taken;
    }
    size_t taken = session->remaining < len ? (size_t)session->remaining : len;
    session->remaining -= taken;
    int error;
    if (session->message.is_compressed)
        error = apus__session_inflate(session, data, taken);
    else
        error = apus_message_append(&session->message, data, taken, session->masking_key, session->remaining);
    if (error != APUS_OK) {
        apus__session_fail(session, error, out);
        return taken;
    }
    session->masking_key = apus_masking_key_advance(session->masking_key, taken);
    if (session->remaining == 0)
        end_data_frame(session, out);
    return taken;
}

/* The same for a control frame that a read cut. */
static size_t receive_control(apus_session *session, const uint8_t *data, size_t len, apus_event *out)
{
    size_t taken = session->remaining < len ? (size_t)session->remaining : len;
    apus_mask(session->control + session->control_len, data, taken, session->masking_key);
    session->masking_key = apus_masking_key_advance(session->masking_key, taken);
    session->control_len += (uint8_t)taken;
    session->remaining -= taken;
    if (session->remaining == 0) {
        session->phase = PHASE_HEADER;
        apus__session_handle_control(session, (apus_opcode)session->opcode, session->control, session->control_len,
                                     out);
    }
    return taken;
}

static void remember_frame(apus_session *session, const apus_frame *frame, enum phase phase)
{
    session->phase = (uint8_t)phase;
    session->opcode = frame->opcode;
    session->fin = frame->fin;
    session->remaining = frame->payload_len;
    session->masking_key = frame->masking_key;
}

static size_t begin_control_frame(apus_session *session, const apus_frame *frame, uint8_t *payload, size_t len,
                                  apus_event *out)
{
    if (frame->payload_len <= len) {
        size_t payload_len = (size_t)frame->payload_len;
        apus_mask(payload, payload, payload_len, frame->masking_key);
        apus__session_handle_control(session, (apus_opcode)frame->opcode, payload, payload_len, out);
        return payload_len;
    }
    if (session->control == NULL)
        session->control = apus_malloc(APUS_CONTROL_PAYLOAD_SIZE);
    if (session->control == NULL) {
        apus__session_fail(session, APUS_ENOMEM, out);
        return 0;
    }
    session->control_len = 0;
    remember_frame(session, frame, PHASE_CONTROL);
    return receive_control(session, payload, len, out);
}

static size_t begin_data_frame(apus_session *session, const apus_frame *frame, uint8_t *payload, size_t len,
                               apus_event *out)
{
    bool is_whole = frame->fin && frame->payload_len <= len && frame->opcode != APUS_OPCODE_CONTINUATION &&
                    session->message.opcode == 0 && !frame->rsv1;
    if (APUS_LIKELY(is_whole) && frame->payload_len <= session->config->limits.size) {
        receive_whole(session, frame, payload, out);
        return (size_t)frame->payload_len;
    }
    if (session->message.opcode == 0)
        session->message.is_in_parts = session->gives_parts;
    int error = apus_message_begin_frame(&session->message, frame, &session->config->limits);
    if (error != APUS_OK) {
        apus__session_fail(session, error, out);
        return 0;
    }
    remember_frame(session, frame, PHASE_DATA);
    return receive_data(session, payload, len, out);
}

static size_t begin_frame(apus_session *session, const apus_frame *frame, uint8_t *payload, size_t len, apus_event *out)
{
    if (APUS_UNLIKELY(apus_opcode_is_control(frame->opcode)))
        return begin_control_frame(session, frame, payload, len, out);
    return begin_data_frame(session, frame, payload, len, out);
}

/* Whether RSV1 means anything was agreed on in the opening handshake. */
static ptrdiff_t parse_frame(const apus_session *session, const uint8_t *data, size_t len, apus_frame *out)
{
    if (APUS_UNLIKELY(session->compression != NULL))
        return apus_frame_parse_deflated(data, len, session->config->role, out);
    return apus_frame_parse(data, len, session->config->role, out);
}

static void keep_header(apus_session *session, const uint8_t *data, size_t len)
{
    memcpy(session->header + session->header_len, data, len);
    session->header_len += (uint8_t)len;
}

/* Goes on with a header that an earlier read cut: copies byte after byte behind what is kept until it is whole. */
static size_t resume_header(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    for (size_t taken = 0; taken < len;) {
        keep_header(session, data + taken++, 1);
        apus_frame frame;
        ptrdiff_t size = parse_frame(session, session->header, session->header_len, &frame);
        if (size < 0) {
            apus__session_fail(session, (int)size, out);
            return taken;
        }
        if (size > 0) {
            session->header_len = 0;
            return taken + begin_frame(session, &frame, data + taken, len - taken, out);
        }
    }
    return len;
}

static size_t receive_header(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    if (APUS_UNLIKELY(session->header_len != 0))
        return resume_header(session, data, len, out);
    apus_frame frame;
    ptrdiff_t size = parse_frame(session, data, len, &frame);
    if (APUS_UNLIKELY(size < 0)) {
        apus__session_fail(session, (int)size, out);
        return len;
    }
    if (size == 0) {
        keep_header(session, data, len);
        return len;
    }
    return (size_t)size + begin_frame(session, &frame, data + size, len - (size_t)size, out);
}

/* Anything but the usual case: frames that are cut, fragmented, large or control, and errors. `out` is empty. */
static APUS_NOINLINE size_t receive_any(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    apus_session_forget_message(session);
    size_t taken = 0;
    while (taken < len && out->kind == APUS_EVENT_NONE) {
        if (APUS_UNLIKELY(session->state == APUS_STATE_CLOSED))
            return len;
        apus_session_forget_message(session); /* dropped while CLOSING */
        uint8_t *rest = data + taken;
        switch ((enum phase)session->phase) {
        case PHASE_HEADER:
            taken += receive_header(session, rest, len - taken, out);
            break;
        case PHASE_DATA:
            taken += receive_data(session, rest, len - taken, out);
            break;
        case PHASE_CONTROL:
            taken += receive_control(session, rest, len - taken, out);
            break;
        }
    }
    return taken;
}

/* The short way for a message with 16 bits of length, whole in one frame and one read, where the short way is open: the
 * general one takes 200 instructions more. Returns how many bytes were taken, 0 where they are anything else. */
static inline size_t receive_medium(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    enum { HEADER_SIZE = 8 };
    if (session->small_end == 0 || len < HEADER_SIZE || data[1] != (APUS_FRAME_MASK | APUS_FRAME_LENGTH_16))
        return 0;
    apus_frame frame = {
        .payload_len = (uint64_t)data[2] << 8 | data[3], .opcode = data[0] ^ APUS_FRAME_FIN, .fin = true};
    if (frame.opcode != APUS_OPCODE_BINARY && frame.opcode != APUS_OPCODE_TEXT)
        return 0;
    if (frame.payload_len < APUS_FRAME_LENGTH_16 || frame.payload_len > len - HEADER_SIZE ||
        frame.payload_len > session->config->limits.size)
        return 0;
    memcpy(&frame.masking_key, data + 4, sizeof frame.masking_key);
    receive_whole(session, &frame, data + HEADER_SIZE, out);
    return HEADER_SIZE + (size_t)frame.payload_len;
}

size_t apus_session_receive(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    apus_opcode opcode;
    size_t payload_len, taken = apus_session_take_small(session, data, len, &opcode, &payload_len);
    out->kind = APUS_EVENT_NONE;
    out->reply_len = 0;
    if (taken != 0) {
        deliver(session, opcode, data + taken - payload_len, payload_len, out);
        return taken;
    }
    taken = receive_medium(session, data, len, out);
    if (taken != 0)
        return taken;
    taken = receive_any(session, data, len, out);
    update_small_end(session);
    return taken;
}

uint8_t *apus_session_find_place(const apus_session *session, size_t *size)
{
    const apus_message *message = &session->message;
    bool is_kept = session->phase == PHASE_DATA && session->state != APUS_STATE_CLOSED;
    if (!is_kept || message->is_compressed || message->is_in_parts)
        return NULL;
    size_t room = message->payload.capacity - message->payload.len;
    *size = session->remaining < room ? (size_t)session->remaining : room;
    return *size == 0 ? NULL : message->payload.data + message->payload.len;
}

uint8_t *apus_session_take_payload(apus_session *session)
{
    if (!session->is_delivered)
        return NULL;
    uint8_t *data = session->message.payload.data;
    session->message.payload = (apus_bytes){0};
    apus_session_forget_message(session);
    return data;
}
