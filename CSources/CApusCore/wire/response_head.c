/* The status line (RFC 9112 §4): HTTP-version, one space, three digits, one space, and a reason that may be empty. */
#include "apus/response_head.h"

#include "wire/head_read.h"
#include "wire/text.h"

#define STATUS_DIGITS 3
#define LEAST_STATUS 100

/* The three digits between two spaces. */
static bool read_status(apus__reader *in, unsigned *status)
{
    if (in->end - in->at < STATUS_DIGITS + 2 || in->at[0] != ' ' || in->at[STATUS_DIGITS + 1] != ' ')
        return false;
    *status = 0;
    for (int i = 1; i <= STATUS_DIGITS; i++) {
        if (!apus__is(in->at[i], APUS__CLASS_DIGIT))
            return false;
        *status = *status * 10 + (unsigned)(in->at[i] - '0');
    }
    in->at += STATUS_DIGITS + 2;
    return *status >= LEAST_STATUS;
}

static bool read_reason(apus__reader *in, apus_text *reason)
{
    size_t len = apus__count_field_bytes(in->at, (size_t)(in->end - in->at));
    *reason = (apus_text){(const char *)in->at, len};
    in->at += len;
    return apus__read_crlf(in);
}

int apus_response_parse(apus_response *out, const uint8_t *data, size_t len)
{
    apus__reader in = {data, data + len};
    out->head.all = (apus_text){(const char *)data, len};
    out->head.method = APUS__TEXT("");
    out->head.target = APUS__TEXT("");
    int error = apus__read_version(&in, &out->head.minor_version);
    if (error == APUS_EHTTPVERSION)
        return error;
    if (error != APUS_OK || !read_status(&in, &out->status) || !read_reason(&in, &out->reason))
        return APUS_ERESPONSE;
    if (apus__read_fields(&in, &out->head) != APUS_OK || apus__read_framing(&out->head) != APUS_OK)
        return APUS_ERESPONSE;
    return APUS_OK;
}
