/* Checks content in chunks, with any bytes and any cuts:
 *
 * - it ends with the same byte, or is refused with the same byte, and brings the same content, however it is cut;
 * - pieces lie within the bytes taken, and at their end;
 * - what was read can be written as chunks, and is read again as the same. */
#include "apus/chunked.h"

#include "apus/bytes.h"
#include "require.h"

typedef struct outcome {
    apus_bytes content;
    size_t taken;
    bool is_refused;
    bool is_finished;
} outcome;

/* Reads `data` in parts of `step` bytes, each in memory of exactly its size. */
static outcome decode(const uint8_t *data, size_t len, size_t step)
{
    outcome out = {.taken = 0};
    apus_chunked chunked = {0};
    for (size_t at = 0; at < len && !out.is_refused && !out.is_finished; at += step) {
        size_t size = len - at < step ? len - at : step;
        uint8_t *part = copy_of(data + at, size);
        for (size_t used = 0; used < size;) {
            apus_text piece;
            ptrdiff_t count = apus_chunked_read(&chunked, part + used, size - used, &piece);
            out.is_refused = count < 0;
            if (count <= 0)
                break;
            require((const uint8_t *)piece.data >= part + used, "a piece begins where it was read");
            require(piece.len == 0 || (const uint8_t *)piece.data + piece.len == part + used + count,
                    "a piece is the end of what was taken");
            require(apus_bytes_append(&out.content, piece.data, piece.len) == APUS_OK, "there is memory");
            used += (size_t)count;
            out.taken += (size_t)count;
        }
        free(part);
        out.is_finished = apus_chunked_is_finished(&chunked);
    }
    return out;
}

static void check_same(const outcome *one, const outcome *other)
{
    require(one->is_refused == other->is_refused, "it is refused however it is cut");
    require(one->is_finished == other->is_finished, "it ends however it is cut");
    require(one->is_refused || one->taken == other->taken, "it ends with the same byte");
    require(one->is_refused ||
                (one->content.len == other->content.len &&
                 (one->content.len == 0 || memcmp(one->content.data, other->content.data, one->content.len) == 0)),
            "the content is the same");
}

/* Writes the content in chunks of at most seven bytes, and reads it again. */
static void check_again(const outcome *first)
{
    apus_bytes written = {0};
    for (size_t at = 0; at < first->content.len; at += 7) {
        size_t size = first->content.len - at < 7 ? first->content.len - at : 7;
        char line[] = {(char)('0' + size), '\r', '\n'};
        require(apus_bytes_append(&written, line, sizeof line) == APUS_OK &&
                    apus_bytes_append(&written, first->content.data + at, size) == APUS_OK &&
                    apus_bytes_append_text(&written, "\r\n") == APUS_OK,
                "there is memory");
    }
    require(apus_bytes_append_text(&written, "0\r\n\r\n") == APUS_OK, "there is memory");
    outcome again = decode(written.data, written.len, written.len);
    require(again.is_finished && again.taken == written.len, "what is written is read");
    again.taken = first->taken;
    check_same(first, &again);
    apus_bytes_deinit(&again.content);
    apus_bytes_deinit(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    size_t step = 1 + data[0] % 16;
    data++;
    len--;
    outcome whole = decode(data, len, len + 1);
    outcome bytewise = decode(data, len, 1);
    outcome cut = decode(data, len, step);
    check_same(&whole, &bytewise);
    check_same(&whole, &cut);
    if (whole.is_finished)
        check_again(&whole);
    apus_bytes_deinit(&whole.content);
    apus_bytes_deinit(&bytewise.content);
    apus_bytes_deinit(&cut.content);
    return 0;
}
