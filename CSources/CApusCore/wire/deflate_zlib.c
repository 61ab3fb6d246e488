/* zlib's compressor. */
#include "apus/alloc.h"
#include "wire/deflater.h"
#include "wire/zlib_stream.h"

#define SMALLEST_OUTPUT 64

typedef struct zlib_deflater {
    apus_deflater deflater;
    z_stream stream;
} zlib_deflater;

static zlib_deflater *zlib_of(apus_deflater *deflater)
{
    return (zlib_deflater *)deflater;
}

static void zlib_free(apus_deflater *deflater)
{
    deflateEnd(&zlib_of(deflater)->stream);
    apus_free(deflater);
}

static void zlib_reset(apus_deflater *deflater)
{
    deflateReset(&zlib_of(deflater)->stream);
}

static int zlib_compress(apus_deflater *deflater, const uint8_t *data, size_t len, apus_bytes *out)
{
    z_stream *stream = &zlib_of(deflater)->stream;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = 0;
    size_t rest = len;
    do {
        if (stream->avail_in == 0) {
            stream->avail_in = apus__clip(rest);
            rest -= stream->avail_in;
        }
        /* Half the size is what text comes to; the room doubles where it is not enough. */
        if (apus_bytes_reserve(out, SMALLEST_OUTPUT + (stream->avail_in < len / 2 ? stream->avail_in : len / 2)) !=
            APUS_OK)
            return APUS_ENOMEM;
        unsigned room = apus__clip(out->capacity - out->len);
        stream->next_out = out->data + out->len;
        stream->avail_out = room;
        deflate(stream, rest == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        out->len += room - stream->avail_out;
    } while (rest != 0 || stream->avail_in != 0 || stream->avail_out == 0);
    return APUS_OK;
}

static const apus__deflater_verbs verbs = {.free = zlib_free, .reset = zlib_reset, .compress = zlib_compress};

/* The hash table and the buffer of symbols in proportion to the window: 8, zlib's own choice, for 15 window bits. */
static int memory_level(unsigned window_bits)
{
    return (int)window_bits - 7;
}

apus_deflater *apus__zlib_deflater_new(int level, unsigned window_bits)
{
    zlib_deflater *zlib = apus_malloc(sizeof *zlib);
    if (zlib == NULL)
        return NULL;
    *zlib = (zlib_deflater){.deflater.verbs = &verbs, .stream = apus__zlib_start};
    if (deflateInit2(&zlib->stream, level, Z_DEFLATED, -(int)window_bits, memory_level(window_bits),
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return &zlib->deflater;
    apus_free(zlib);
    return NULL;
}
