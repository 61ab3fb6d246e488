/* Inflates any bytes, as messages one behind the other, whole, byte by byte and in random pieces:
 *
 * - all ways come to the same bytes and the same error, and keep the limit (with the largest window: zlib finds out
 * that a distance is beyond a smaller one only where that is no longer in the memory of the message);
 * - where an allocation fails that is the error, and nothing leaks;
 * - what was inflated, compressed again by each of the two compressors, with any window and with context or without,
 * inflates to the same, in zlib as well, and refers to nothing before the window.
 *
 * Input: a byte for limit, window and context; the seed of the pieces; which allocation fails; the length of each
 * message's payload before it, in two bytes. */
#include "apus/deflate.h"

#include <zlib.h>

#include "apus/alloc.h"
#include "require.h"

#define START_SIZE 3
#define LENGTH_SIZE 2
#define MOST_KEPT (1 << 17)
#define MOST_ROUNDS 100
#define IGZIP_LEVEL 1

static const uint8_t data_of_nothing[1];

typedef struct options {
    uint64_t limit;
    unsigned window_bits;
    int zlib_level;
    bool keeps_context;
} options;

typedef enum way { WHOLE, BYTEWISE, PIECES } way;

static options read_options(uint8_t byte)
{
    static const uint64_t limits[] = {1 << 20, 0, 1, 1000};
    return (options){
        .limit = limits[byte & 3],
        .window_bits = 9 + (byte >> 2 & 7) % 7,
        .zlib_level = 2 + (byte >> 5 & 3) * 2,
        .keeps_context = (byte & 0x80) != 0,
    };
}

/* Inflates one message; the output is the caller's to free. */
static int inflate_message(apus_inflater *inflater, const uint8_t *data, size_t len, uint64_t limit, way way,
                           uint32_t *random, apus_bytes *out)
{
    int error = APUS_OK;
    size_t taken = 0;
    while (taken < len && error == APUS_OK) {
        *random = *random * 1664525 + 1013904223;
        size_t piece = way == WHOLE ? len : way == BYTEWISE ? 1 : 1 + (*random >> 16) % 24;
        piece = piece < len - taken ? piece : len - taken;
        uint8_t *copy = copy_of(data + taken, piece);
        error = apus_inflater_write(inflater, copy, piece, limit, out);
        free(copy);
        taken += piece;
    }
    if (error == APUS_OK)
        error = apus_inflater_end(inflater, limit, out);
    require(out->len <= limit && (out->capacity <= limit || out->capacity == 0), "the limit is kept");
    require(error == APUS_OK || error == APUS_ETOOBIG || error == APUS_EINFLATE || error == APUS_ENOMEM,
            "an error is one of those");
    return error;
}

/* What the messages came to: their number, their bytes one behind the other, and the error that ended them. */
typedef struct result {
    size_t count;
    apus_bytes bytes;
    int error;
} result;

static result go(const options *options, const uint8_t *data, size_t len, way way, uint32_t random)
{
    result result = {0};
    apus_inflater *inflater = apus_inflater_new(APUS_WINDOW_BITS_MOST);
    if (inflater == NULL) {
        result.error = APUS_ENOMEM;
        return result;
    }
    while (len >= LENGTH_SIZE && result.error == APUS_OK) {
        size_t size = (size_t)data[0] << 8 | data[1];
        size = size < len - LENGTH_SIZE ? size : len - LENGTH_SIZE;
        apus_bytes out = {0};
        result.error = inflate_message(inflater, data + LENGTH_SIZE, size, options->limit, way, &random, &out);
        apus_alloc_fail(0); /* what follows is the target's own */
        require(apus_bytes_append(&result.bytes, out.data, out.len) == APUS_OK, "there is memory for the result");
        apus_bytes_deinit(&out);
        result.count++;
        data += LENGTH_SIZE + size;
        len -= LENGTH_SIZE + size;
        if (!options->keeps_context)
            apus_inflater_reset(inflater);
    }
    apus_inflater_free(inflater);
    return result;
}

static void check_same(const result *one, const result *other)
{
    require(one->error == other->error && one->count == other->count, "all ways end the same");
    require(one->bytes.len == other->bytes.len, "all ways come to as many bytes");
    require(one->bytes.len == 0 || memcmp(one->bytes.data, other->bytes.data, one->bytes.len) == 0,
            "all ways come to the same bytes");
}

/* Inflates one compressed message as its receiver does, and as zlib does with room for a single byte: then a distance
 * beyond the window is found out, since nothing but the window is there to refer to. */
static void check_message(const apus_bytes *small, const uint8_t *data, size_t size, apus_inflater *inflater,
                          z_stream *strict)
{
    apus_bytes again = {0};
    uint32_t random = 1;
    require(small->len != 0, "no message is empty once compressed");
    require(inflate_message(inflater, small->data, small->len, size, PIECES, &random, &again) == APUS_OK,
            "what was compressed inflates, in no more bytes than there were");
    require(again.len == size && (size == 0 || memcmp(again.data, data, size) == 0), "to the same");
    apus_bytes_deinit(&again);

    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    require(apus_bytes_append(&again, small->data, small->len) == APUS_OK &&
                apus_bytes_append(&again, tail, sizeof tail) == APUS_OK,
            "there is memory for a copy");
    strict->next_in = again.data;
    strict->avail_in = (unsigned)again.len;
    uint8_t byte;
    size_t count = 0;
    do {
        strict->next_out = &byte;
        strict->avail_out = 1;
        int result = inflate(strict, Z_SYNC_FLUSH);
        require(result == Z_OK || result == Z_BUF_ERROR, "no block ends the stream or refers to before the window");
        if (strict->avail_out == 0)
            require(count < size && byte == data[count++], "zlib has the same");
    } while (strict->avail_in != 0 || strict->avail_out == 0);
    require(count == size, "and as much");
    apus_bytes_deinit(&again);
}

/* Compresses the bytes as messages of any sizes and then as one, and inflates those. */
static void check_round(const options *options, int level, const apus_bytes *bytes, uint32_t random)
{
    size_t len = bytes->len < MOST_KEPT ? bytes->len : MOST_KEPT;
    apus_deflater *deflater = apus_deflater_new(level, options->window_bits);
    apus_inflater *inflater = apus_inflater_new(options->window_bits);
    z_stream strict = {0};
    require(deflater != NULL && inflater != NULL && inflateInit2(&strict, -(int)options->window_bits) == Z_OK,
            "there is memory for a round");
    apus_bytes small = {0};
    size_t taken = 0;
    for (size_t i = 0; i <= MOST_ROUNDS && taken <= len; i++) {
        random = random * 1664525 + 1013904223;
        bool is_last = taken == len || i == MOST_ROUNDS;
        size_t piece = (random >> 16) % (len / 3 + 2);
        size_t start = is_last ? 0 : taken;
        size_t size = is_last ? len : piece < len - taken ? piece : len - taken;
        uint8_t *copy = copy_of(size != 0 ? bytes->data + start : data_of_nothing, size);
        small.len = 0;
        require(apus_deflater_compress(deflater, copy, size, &small) == APUS_OK, "any bytes can be compressed");
        check_message(&small, copy, size, inflater, &strict);
        free(copy);
        taken = is_last ? len + 1 : taken + size;
        if (!options->keeps_context) {
            apus_deflater_reset(deflater);
            apus_inflater_reset(inflater);
            inflateReset(&strict);
        }
    }
    apus_bytes_deinit(&small);
    inflateEnd(&strict);
    apus_deflater_free(deflater);
    apus_inflater_free(inflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < START_SIZE)
        return 0;
    options options = read_options(data[0]);
    const uint8_t *messages = data + START_SIZE;
    size_t messages_len = len - START_SIZE;
    result whole = go(&options, messages, messages_len, WHOLE, 0);
    result bytewise = go(&options, messages, messages_len, BYTEWISE, 0);
    result pieces = go(&options, messages, messages_len, PIECES, 1 + (uint32_t)data[1]);
    check_same(&whole, &bytewise);
    check_same(&whole, &pieces);
    check_round(&options, IGZIP_LEVEL, &whole.bytes, data[1]);
    check_round(&options, options.zlib_level, &whole.bytes, data[1]);
    if (data[2] != 0) {
        apus_alloc_fail(data[2]);
        result failing = go(&options, messages, messages_len, WHOLE, 0);
        apus_alloc_fail(0);
        require(failing.error == APUS_ENOMEM || failing.error == whole.error, "a failure is told");
        apus_bytes_deinit(&failing.bytes);
    }
    apus_bytes_deinit(&whole.bytes);
    apus_bytes_deinit(&bytewise.bytes);
    apus_bytes_deinit(&pieces.bytes);
    return 0;
}
