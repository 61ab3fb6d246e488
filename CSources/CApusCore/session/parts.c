/* Parts are unmasked and validated where they stand; only what is inflated needs memory, for the time of the event. */
#include "session/parts.h"

#include "session/control.h"
#include "session/inflate.h"

/* Compressed bytes taken at a time: deflate makes at most about a thousand times as much of them. */
#define MOST_COMPRESSED 1024

void apus_session_give_parts(apus_session *session)
{
    session->gives_parts = true;
}

/* The next part, in `data`, or inflated behind the payload. */
static int read_part(apus_session *session, uint8_t *data, size_t len, bool is_last)
{
    apus_message *message = &session->message;
    int error = APUS_OK;
    if (message->is_compressed) {
        error = apus__session_inflate(session, data, len);
        if (error == APUS_OK && is_last)
            error = apus__session_end_inflating(session);
    } else if (message->opcode != APUS_OPCODE_TEXT) {
        apus_mask(data, data, len, session->masking_key);
    } else if (apus_utf8_unmask(&message->utf8, data, data, len, session->masking_key) != len) {
        error = APUS_EUTF8;
    }
    return error == APUS_OK && is_last ? apus_message_check_end(message) : error;
}

static void deliver_part(apus_session *session, uint8_t *data, size_t len, bool is_last, apus_event *out)
{
    apus_message *message = &session->message;
    bool is_compressed = message->is_compressed;
    apus_opcode opcode = (apus_opcode)message->opcode;
    session->is_delivered = is_compressed;
    if (is_last) {
        apus_bytes payload = message->payload;
        *message = (apus_message){.payload = payload};
    }
    if ((!is_last && len == 0) || !apus_session_is_open(session))
        return;
    out->kind = is_last ? APUS_EVENT_LAST_PART : APUS_EVENT_PART;
    out->opcode = opcode;
    out->data = data;
    out->len = len;
}

size_t apus__session_receive_part(apus_session *session, uint8_t *data, size_t len, apus_event *out)
{
    apus_message *message = &session->message;
    size_t taken = session->remaining < len ? (size_t)session->remaining : len;
    if (message->is_compressed && taken > MOST_COMPRESSED)
        taken = MOST_COMPRESSED;
    session->remaining -= taken;
    bool is_last = session->remaining == 0 && session->fin;
    int error = read_part(session, data, taken, is_last);
    if (error != APUS_OK) {
        apus__session_fail(session, error, out);
        return taken;
    }
    session->masking_key = apus_masking_key_advance(session->masking_key, taken);
    if (message->is_compressed)
        deliver_part(session, message->payload.data, message->payload.len, is_last, out);
    else
        deliver_part(session, data, taken, is_last, out);
    return taken;
}
