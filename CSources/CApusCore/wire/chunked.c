/* One look at each byte that is not content, however the bytes are cut.
 *
 *   SIZE --digit--> SIZE --CR--> SIZE_END --LF--> DATA --last byte--> DATA_CR --CR--> DATA_END --LF--> SIZE
 *                    | ';'          ^ CR   \
 *                    +--> EXTENSION-+       +--LF after a size of 0--> TRAILER --CR--> LAST --LF--> FINISHED
 *                                                                        | tchar  ^
 *                                                                        +-> ... -+                           */
#include "apus/chunked.h"

#include "wire/text.h"

typedef enum state {
    SIZE, /* all zero is the start */
    SIZE_SPACE,
    EXTENSION,
    SIZE_END,
    DATA,
    DATA_CR,
    DATA_END,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_END,
    LAST,
    FINISHED,
    FAILED,
} state;

/* A digit of the size, or what may follow one. White space before a semicolon is bad form, but of the grammar. */
static state read_size(apus_chunked *chunked, uint8_t byte)
{
    if (apus__is(byte, APUS__CLASS_HEX)) {
        if (chunked->digits++ == APUS_CHUNKED_MOST_DIGITS)
            return FAILED;
        chunked->left = chunked->left << 4 | apus__hex_value(byte);
        return SIZE;
    }
    if (chunked->digits == 0)
        return FAILED;
    if (byte == '\r')
        return SIZE_END;
    if (byte == ';')
        return EXTENSION;
    return apus__is_space(byte) ? SIZE_SPACE : FAILED;
}

static state end_size(apus_chunked *chunked)
{
    chunked->digits = 0;
    return chunked->left == 0 ? TRAILER : DATA;
}

/* A byte of an extension or a trailer, of which there may be so many. */
static state count_extra(apus_chunked *chunked, state next)
{
    return chunked->extra++ == APUS_CHUNKED_MOST_EXTRA ? FAILED : next;
}

static state expect(uint8_t byte, uint8_t expected, state next)
{
    return byte == expected ? next : FAILED;
}

/* The name of a trailer, or the empty line after the last. */
static state begin_trailer(apus_chunked *chunked, uint8_t byte)
{
    if (byte == '\r')
        return LAST;
    return apus__is(byte, APUS__CLASS_TOKEN) ? count_extra(chunked, TRAILER_NAME) : FAILED;
}

static state read_trailer_name(apus_chunked *chunked, uint8_t byte)
{
    if (byte == ':')
        return count_extra(chunked, TRAILER_VALUE);
    return apus__is(byte, APUS__CLASS_TOKEN) ? count_extra(chunked, TRAILER_NAME) : FAILED;
}

/* A byte of a line whose end is all that matters. */
static state read_line(apus_chunked *chunked, uint8_t byte, state end)
{
    if (byte == '\r')
        return end;
    return apus__is(byte, APUS__CLASS_FIELD) ? count_extra(chunked, (state)chunked->state) : FAILED;
}

/* The state after a byte that is no content. */
static state next_state(apus_chunked *chunked, uint8_t byte)
{
    switch ((state)chunked->state) {
    case SIZE:
        return read_size(chunked, byte);
    case SIZE_SPACE:
        return count_extra(chunked, apus__is_space(byte) ? SIZE_SPACE : expect(byte, ';', EXTENSION));
    case EXTENSION:
        return read_line(chunked, byte, SIZE_END);
    case SIZE_END:
        return byte == '\n' ? end_size(chunked) : FAILED;
    case DATA_CR:
        return expect(byte, '\r', DATA_END);
    case DATA_END:
        return expect(byte, '\n', SIZE);
    case TRAILER:
        return begin_trailer(chunked, byte);
    case TRAILER_NAME:
        return read_trailer_name(chunked, byte);
    case TRAILER_VALUE:
        return read_line(chunked, byte, TRAILER_END);
    case TRAILER_END:
        return expect(byte, '\n', TRAILER);
    case LAST:
        return expect(byte, '\n', FINISHED);
    case DATA:
    case FINISHED:
    case FAILED:
        break;
    }
    return FAILED;
}

ptrdiff_t apus_chunked_read(apus_chunked *chunked, const uint8_t *data, size_t len, apus_text *piece)
{
    size_t at = 0;
    *piece = (apus_text){(const char *)data, 0};
    while (at < len && chunked->state != DATA && chunked->state != FINISHED && chunked->state != FAILED)
        chunked->state = (uint8_t)next_state(chunked, data[at++]);
    if (chunked->state == FAILED)
        return APUS_ECHUNK;
    if (chunked->state != DATA || at == len)
        return (ptrdiff_t)at;
    size_t size = len - at < chunked->left ? len - at : (size_t)chunked->left;
    *piece = (apus_text){(const char *)data + at, size};
    chunked->left -= size;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
    return (ptrdiff_t)(at + size);
}

bool apus_chunked_is_finished(const apus_chunked *chunked)
{
    return chunked->state == FINISHED;
}
