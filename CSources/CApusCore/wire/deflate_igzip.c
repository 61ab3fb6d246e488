/* The compressor of ISA-L, igzip: for half of what zlib's fastest level costs, and to no more bytes. */
#include <isa-l/igzip_lib.h>

#include "apus/alloc.h"
#include "wire/clip.h"
#include "wire/deflater.h"

/* Its own level 1: a code made for each block, and no search but for the last place with the same four bytes. A block
 * ends where the buffer is full, which has room for this many symbols beside the table of those places. */
#define LEVEL 1
#define MOST_SYMBOLS (4 << 10)
#define LEVEL_BUFFER_SIZE (ISAL_DEF_LVL1_REQ + ISAL_DEF_LVL1_TOKEN_SIZE * MOST_SYMBOLS)

/* Room that lets it write a block's header straight to the output, and the flush behind it. */
#define SMALLEST_OUTPUT (ISAL_DEF_MAX_HDR_SIZE + 64)

/* It counts the bytes it was given in 32 bits, so it begins anew where they come to this. No piece of a message is
 * larger, thus the count never passes twice as much. */
#define LARGEST_PIECE ((size_t)1 << 30)

typedef struct igzip_deflater {
    apus_deflater deflater;
    struct isal_zstream stream;
    _Alignas(16) uint8_t level_buffer[LEVEL_BUFFER_SIZE];
} igzip_deflater;

static igzip_deflater *igzip_of(apus_deflater *deflater)
{
    return (igzip_deflater *)deflater;
}

static void igzip_free(apus_deflater *deflater)
{
    apus_free(deflater);
}

static void igzip_reset(apus_deflater *deflater)
{
    isal_deflate_reset(&igzip_of(deflater)->stream);
}

/* Whether all that it was given is out, and the flush behind it: it would now begin with a block. */
static bool is_flushed(const struct isal_zstream *stream)
{
    return stream->avail_in == 0 && stream->internal_state.state == ZSTATE_NEW_HDR;
}

static int compress_piece(struct isal_zstream *stream, const uint8_t *data, size_t len, apus_bytes *out)
{
    stream->next_in = (uint8_t *)(uintptr_t)data;
    stream->avail_in = (uint32_t)len;
    do {
        /* Half the size is what text comes to; the room doubles where it is not enough. */
        size_t guess = SMALLEST_OUTPUT + (stream->avail_in < len / 2 ? stream->avail_in : len / 2);
        if (apus_bytes_reserve(out, guess) != APUS_OK)
            return APUS_ENOMEM;
        uint32_t room = apus__clip(out->capacity - out->len);
        stream->next_out = out->data + out->len;
        stream->avail_out = room;
        if (isal_deflate(stream) != COMP_OK)
            return APUS_EINVAL;
        out->len += room - stream->avail_out;
    } while (!is_flushed(stream));
    return APUS_OK;
}

/* Each piece is flushed: more blocks than one are no other message. */
static int igzip_compress(apus_deflater *deflater, const uint8_t *data, size_t len, apus_bytes *out)
{
    struct isal_zstream *stream = &igzip_of(deflater)->stream;
    while (len != 0) {
        if (stream->total_in >= LARGEST_PIECE)
            isal_deflate_reset(stream);
        size_t piece = len < LARGEST_PIECE ? len : LARGEST_PIECE;
        int error = compress_piece(stream, data, piece, out);
        if (error != APUS_OK)
            return error;
        data += piece;
        len -= piece;
    }
    return APUS_OK;
}

static const apus__deflater_verbs verbs = {.free = igzip_free, .reset = igzip_reset, .compress = igzip_compress};

apus_deflater *apus__igzip_deflater_new(unsigned window_bits)
{
    igzip_deflater *igzip = apus_calloc(1, sizeof *igzip); /* of its very size, as zlib's memory is */
    if (igzip == NULL)
        return NULL;
    igzip->deflater.verbs = &verbs;
    isal_deflate_init(&igzip->stream);
    igzip->stream.level = LEVEL;
    igzip->stream.level_buf = igzip->level_buffer;
    igzip->stream.level_buf_size = sizeof igzip->level_buffer;
    igzip->stream.hist_bits = (uint16_t)window_bits;
    igzip->stream.flush = SYNC_FLUSH;
    return &igzip->deflater;
}
