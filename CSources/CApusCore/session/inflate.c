/* Fragments are inflated as they arrive, so that nothing compressed is kept, and the limit of size holds at every byte
 * that comes out. */
#include "session/inflate.h"

/* What came out before an error may be wrong already, which then counts: so the same bytes fail in the same way,
 * however they arrive. */
static int check(apus_session *session, size_t start, int error)
{
    int earlier = apus_message_check_inflated(&session->message, start);
    return earlier != APUS_OK ? earlier : error;
}

/* A part is bounded by the bytes that it is made of. */
static uint64_t limit_of(const apus_session *session)
{
    return session->message.is_in_parts ? UINT64_MAX : session->config->limits.size;
}

int apus__session_inflate(apus_session *session, uint8_t *data, size_t len)
{
    apus_bytes *payload = &session->message.payload;
    size_t start = payload->len;
    if (len == 0)
        return APUS_OK;
    apus_mask(data, data, len, session->masking_key);
    int error = apus_compression_inflate(session->compression, data, len, limit_of(session), payload);
    return check(session, start, error);
}

int apus__session_end_inflating(apus_session *session)
{
    apus_bytes *payload = &session->message.payload;
    size_t start = payload->len;
    int error = apus_compression_end_message(session->compression, limit_of(session), payload);
    return check(session, start, error);
}
