/* Writing lines of a head. What would end a line early cannot be written (RFC 9110 §5.5). */
#include "apus/head.h"

#include <string.h>

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

/* The seconds from the first of January of the year 1, a Monday, to that of 1970; and to the end of 9999. */
#define EPOCH ((int64_t)62135596800)
#define MOST_SECONDS ((int64_t)253402300799)

static void write_digits(char *out, size_t count, uint64_t number)
{
    while (count-- != 0) {
        out[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Writes "dd Mon yyyy". Years begin in March here, so that a leap day is the last of its year, and the months' lengths
 * repeat every five; 400 years have 146,097 days, four 1461. */
static void write_day(char *out, uint64_t days)
{
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    uint64_t since_march = days + 306; /* of the year 0 */
    uint64_t day = since_march % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint64_t month = (5 * day + 2) / 153;
    year += since_march / 146097 * 400 + (month >= 10 ? 1 : 0);
    write_digits(out, 2, day - (153 * month + 2) / 5 + 1);
    memcpy(out + 3, months + month * 3, 3);
    write_digits(out + 7, 4, year);
}

int apus_head_write_date(apus_bytes *out, int64_t seconds)
{
    static const char weekdays[] = "MonTueWedThuFriSatSun";
    char line[] = "Date: Day, dd Mon yyyy hh:mm:ss GMT\r\n";
    if (seconds < -EPOCH || seconds > MOST_SECONDS)
        return APUS_EFIELD;
    uint64_t time = (uint64_t)(seconds + EPOCH);
    uint64_t days = time / 86400;
    memcpy(line + 6, weekdays + days % 7 * 3, 3);
    write_day(line + 11, days);
    write_digits(line + 23, 2, time / 3600 % 24);
    write_digits(line + 26, 2, time / 60 % 60);
    write_digits(line + 29, 2, time % 60);
    return apus_bytes_append_text(out, line);
}
