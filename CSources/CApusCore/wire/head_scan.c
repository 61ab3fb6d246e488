/* Finding the end of a head: one look at every byte, however the bytes are cut.
 *
 *   START --tchar--> LINE --CR--> LINE_END --LF--> NEXT_LINE --CR--> HEAD_END --LF--> FINISHED
 *                     ^                                |
 *                     +------------- tchar ------------+
 *
 * Every line of a head, the start line too, begins with a token. So what begins with anything else (white space, an
 * empty line, a TLS record) can be refused at its first byte, and so can a line that continues another one (obs-fold,
 * RFC 9112 §5.2). */
#include "apus/head.h"
#include "wire/text.h"

typedef enum state {
    START, /* all zero is the start */
    LINE,
    LINE_END,
    NEXT_LINE,
    HEAD_END,
    FINISHED,
} state;

/* Counts the field line that begins. */
static int begin_field(apus_head_scanner *scanner, const apus_head_limits *limits)
{
    uint32_t most = limits->fields;
    if (most == 0 || most > APUS_HEAD_MOST_FIELDS)
        most = APUS_HEAD_MOST_FIELDS;
    if (scanner->lines >= most)
        return APUS_EHEADCOUNT;
    scanner->lines++;
    return LINE;
}

/* The state after `byte`, or an error; within a line only its end is asked about. */
static int next_state(apus_head_scanner *scanner, uint8_t byte, const apus_head_limits *limits)
{
    bool is_token = apus__is(byte, APUS__CLASS_TOKEN);
    switch ((state)scanner->state) {
    case START:
        return is_token ? (int)LINE : (int)APUS_EHEAD;
    case LINE:
        return byte == '\r' ? (int)LINE_END : (int)APUS_EHEAD;
    case LINE_END:
        return byte == '\n' ? (int)NEXT_LINE : (int)APUS_EHEAD;
    case NEXT_LINE:
        if (byte == '\r')
            return HEAD_END;
        return is_token ? begin_field(scanner, limits) : (int)APUS_EHEAD;
    case HEAD_END:
        return byte == '\n' ? (int)FINISHED : (int)APUS_EHEAD;
    case FINISHED:
        break;
    }
    return FINISHED;
}

ptrdiff_t apus_head_scan(apus_head_scanner *scanner, const uint8_t *data, size_t len, const apus_head_limits *limits)
{
    size_t most = limits->size == 0 ? APUS_HEAD_DEFAULT_SIZE : limits->size;
    size_t end = len < most ? len : most;
    size_t at = scanner->scanned;
    int result = scanner->state;
    while (at < end && result >= 0 && result != FINISHED) {
        if (result == LINE) {
            at += apus__count_field_bytes(data + at, end - at);
            if (at == end)
                break;
        }
        result = next_state(scanner, data[at], limits);
        if (result < 0)
            break;
        scanner->state = (uint8_t)result;
        at++;
    }
    /* After an error this is the byte that broke it, so asking again finds the same. */
    scanner->scanned = (uint32_t)at;
    if (result < 0)
        return result;
    if (result == FINISHED)
        return (ptrdiff_t)at;
    return at >= most ? APUS_EHEADSIZE : 0;
}
