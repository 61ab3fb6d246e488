/* zlib's inflater, and the end of a message that its sender leaves out. */
#include "apus/inflater.h"

#include "apus/alloc.h"
#include "wire/zlib_stream.h"

/* What a message's sender has left out (RFC 7692 §7.2.1): an empty block without compression. */
static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

#define SMALLEST_PAYLOAD 256

struct apus_inflater {
    z_stream zlib;
    bool needs_tail; /* something came since the message began, or since a block with BFINAL set ended */
};

apus_inflater *apus_inflater_new(unsigned window_bits)
{
    apus_inflater *inflater = apus_malloc(sizeof *inflater);
    if (inflater == NULL)
        return NULL;
    *inflater = (apus_inflater){.zlib = apus__zlib_start};
    if (inflateInit2(&inflater->zlib, -(int)window_bits) == Z_OK)
        return inflater;
    apus_free(inflater);
    return NULL;
}

void apus_inflater_free(apus_inflater *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->zlib);
    apus_free(inflater);
}

void apus_inflater_reset(apus_inflater *inflater)
{
    inflateReset(&inflater->zlib);
    inflater->needs_tail = false;
}

/* Room for more: doubled, but never beyond the limit. Where the limit is reached there is none. */
static int make_room(apus_bytes *out, size_t len, uint64_t limit)
{
    if (out->len < out->capacity || out->len >= limit)
        return APUS_OK;
    size_t capacity = out->capacity != 0 ? out->capacity * 2 : len < SIZE_MAX / 4 ? len * 4 : len;
    if (capacity < SMALLEST_PAYLOAD)
        capacity = SMALLEST_PAYLOAD;
    if (capacity > limit)
        capacity = (size_t)limit;
    uint8_t *data = apus_realloc(out->data, capacity);
    if (data == NULL)
        return APUS_ENOMEM;
    out->data = data;
    out->capacity = capacity;
    return APUS_OK;
}

/* Acts on what zlib returned: goes on behind a block with BFINAL set, or finds the error. */
static int handle_result(apus_inflater *inflater, int result)
{
    switch (result) {
    case Z_OK:
        inflater->needs_tail = true;
        return APUS_OK;
    case Z_BUF_ERROR: /* nothing was left to do */
        return APUS_OK;
    case Z_STREAM_END:
        /* The window stays: §7.2.3.4 wants such a message inflated as any other, and this costs nothing, where
         * copying the window for each empty block would let two bytes cost what 64 KiB do. */
        inflateResetKeep(&inflater->zlib);
        inflater->needs_tail = false;
        return APUS_OK;
    case Z_MEM_ERROR:
        return APUS_ENOMEM;
    default:
        return APUS_EINFLATE;
    }
}

/* Inflates from `next_in` until that is used up and all that comes of it is out. */
static int inflate_all(apus_inflater *inflater, uint64_t limit, apus_bytes *out)
{
    z_stream *zlib = &inflater->zlib;
    do {
        int error = make_room(out, zlib->avail_in, limit);
        if (error != APUS_OK)
            return error;
        /* At the limit only one byte more tells whether the message is too large. */
        uint8_t excess;
        uint64_t end = out->capacity < limit ? out->capacity : limit;
        bool is_full = out->len >= end;
        unsigned room = is_full ? 1 : apus__clip(end - out->len);
        zlib->next_out = is_full ? &excess : out->data + out->len;
        zlib->avail_out = room;
        int result = inflate(zlib, Z_SYNC_FLUSH);
        if (is_full && zlib->avail_out == 0)
            return APUS_ETOOBIG;
        if (!is_full)
            out->len += room - zlib->avail_out;
        error = handle_result(inflater, result);
        if (error != APUS_OK)
            return error;
    } while (zlib->avail_in != 0 || zlib->avail_out == 0);
    return APUS_OK;
}

int apus_inflater_write(apus_inflater *inflater, const uint8_t *data, size_t len, uint64_t limit, apus_bytes *out)
{
    inflater->zlib.next_in = (Bytef *)(uintptr_t)data;
    for (size_t rest = len; rest != 0;) {
        inflater->zlib.avail_in = apus__clip(rest);
        rest -= inflater->zlib.avail_in;
        int error = inflate_all(inflater, limit, out);
        if (error != APUS_OK)
            return error;
    }
    return APUS_OK;
}

/* Whether the last byte was the end of a block: bit 7 of `data_type` says so, the low bits count those left over. */
static bool is_between_blocks(const z_stream *zlib)
{
    return (zlib->data_type & 0xff) == 0x80;
}

int apus_inflater_end(apus_inflater *inflater, uint64_t limit, apus_bytes *out)
{
    /* Whoever ends with BFINAL set should add an empty block's first byte (§7.2.3.4), and whoever sends an empty
     * message only that (§7.2.3.6). Not everybody does, and what is meant is plain. */
    if (!inflater->needs_tail)
        return APUS_OK;
    int error = apus_inflater_write(inflater, tail, sizeof tail, limit, out);
    inflater->needs_tail = false;
    if (error != APUS_OK)
        return error;
    return is_between_blocks(&inflater->zlib) ? APUS_OK : APUS_EINFLATE;
}
