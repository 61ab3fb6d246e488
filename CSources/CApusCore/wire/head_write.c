/* Writing lines of a head. What would end a line early cannot be written (RFC 9110 §5.5). */
#include "apus/head.h"

#include "wire/status.h"
#include "wire/text.h"

/* field-value (RFC 9110 §5.5): no control character but tabs, and no white space at its ends. */
static bool is_value(apus_text value)
{
    return apus__text_trim(value).len == value.len && apus__text_count(value, 0, APUS__CLASS_FIELD) == value.len;
}

int apus_head_write_status(apus_bytes *out, unsigned status)
{
    if (status < 100 || status > 999)
        return APUS_EFIELD;
    size_t start = out->len;
    char line[] = "HTTP/1.1 nnn ";
    line[9] = (char)('0' + status / 100);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    int error = apus_bytes_append_text(out, line);
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, apus__status_reason(status));
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, "\r\n");
    if (error != APUS_OK)
        out->len = start;
    return error;
}

int apus_head_write_field(apus_bytes *out, apus_text name, apus_text value)
{
    if (!apus__text_is_token(name) || !is_value(value))
        return APUS_EFIELD;
    size_t start = out->len;
    int error = apus_bytes_append(out, name.data, name.len);
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, ": ");
    if (error == APUS_OK)
        error = apus_bytes_append(out, value.data, value.len);
    if (error == APUS_OK)
        error = apus_bytes_append_text(out, "\r\n");
    if (error != APUS_OK)
        out->len = start;
    return error;
}
