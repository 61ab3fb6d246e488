/* The one place that calls zlib. Its memory passes through apus/alloc.h. */
#include "apus/deflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "apus/alloc.h"

/* What a sync flush ends with, and a message goes without (RFC 7692 §7.2.1): an empty block without compression. */
static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

#define SMALLEST_OUTPUT 64
#define SMALLEST_PAYLOAD 256

/* A pool keeps its buffer where it is no larger. */
#define LARGEST_KEPT_BUFFER ((size_t)256 << 10)

struct apus_deflater {
    z_stream zlib;
};

struct apus_inflater {
    z_stream zlib;
    bool needs_tail; /* something came since the message began, or since a block with BFINAL set ended */
};

static void *allocate(void *context, unsigned count, unsigned size)
{
    (void)context;
    return apus_malloc((size_t)count * size);
}

static void release(void *context, void *memory)
{
    (void)context;
    apus_free(memory);
}

static const z_stream zlib_start = {.zalloc = allocate, .zfree = release};

/* zlib counts in unsigned int. */
static unsigned clip(uint64_t len)
{
    return len < UINT_MAX ? (unsigned)len : UINT_MAX;
}

/* The hash table and the buffer of symbols in proportion to the window: 8, zlib's own choice, for 15 window bits. */
static int memory_level(unsigned window_bits)
{
    return (int)window_bits - 7;
}

apus_deflater *apus_deflater_new(int level, unsigned window_bits)
{
    apus_deflater *deflater = apus_malloc(sizeof *deflater);
    if (deflater == NULL)
        return NULL;
    deflater->zlib = zlib_start;
    if (deflateInit2(&deflater->zlib, level, Z_DEFLATED, -(int)window_bits, memory_level(window_bits),
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return deflater;
    apus_free(deflater);
    return NULL;
}

void apus_deflater_free(apus_deflater *deflater)
{
    if (deflater == NULL)
        return;
    deflateEnd(&deflater->zlib);
    apus_free(deflater);
}

void apus_deflater_reset(apus_deflater *deflater)
{
    deflateReset(&deflater->zlib);
}

/* Compresses all of `data` and flushes; what is there already of `out` stays. */
static int deflate_all(z_stream *zlib, const uint8_t *data, size_t len, apus_bytes *out)
{
    zlib->next_in = (Bytef *)(uintptr_t)data;
    zlib->avail_in = 0;
    size_t rest = len;
    do {
        if (zlib->avail_in == 0) {
            zlib->avail_in = clip(rest);
            rest -= zlib->avail_in;
        }
        /* Half the size is what text comes to; the room doubles where it is not enough. */
        if (apus_bytes_reserve(out, SMALLEST_OUTPUT + (zlib->avail_in < len / 2 ? zlib->avail_in : len / 2)) != APUS_OK)
            return APUS_ENOMEM;
        unsigned room = clip(out->capacity - out->len);
        zlib->next_out = out->data + out->len;
        zlib->avail_out = room;
        deflate(zlib, rest == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        out->len += room - zlib->avail_out;
    } while (rest != 0 || zlib->avail_in != 0 || zlib->avail_out == 0);
    return APUS_OK;
}

int apus_deflater_compress(apus_deflater *deflater, const uint8_t *data, size_t len, apus_bytes *out)
{
    size_t start = out->len;
    int error = deflate_all(&deflater->zlib, data, len, out);
    if (error != APUS_OK) {
        out->len = start;
        deflateReset(&deflater->zlib);
        return error;
    }
    if (out->len - start >= sizeof tail) {
        out->len -= sizeof tail;
        return APUS_OK;
    }
    /* An empty message behind another: zlib has nothing to flush. §7.2.3.6: a block header and padding. */
    out->data[start] = 0x00;
    out->len = start + 1;
    return APUS_OK;
}

apus_inflater *apus_inflater_new(unsigned window_bits)
{
    apus_inflater *inflater = apus_malloc(sizeof *inflater);
    if (inflater == NULL)
        return NULL;
    *inflater = (apus_inflater){.zlib = zlib_start};
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
        unsigned room = is_full ? 1 : clip(end - out->len);
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
        inflater->zlib.avail_in = clip(rest);
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

void apus_deflate_pool_clear(apus_deflate_pool *pool)
{
    for (size_t bits = 0; bits <= APUS_WINDOW_BITS_MOST; bits++) {
        apus_deflater_free(pool->deflaters[bits]);
        pool->deflaters[bits] = NULL;
    }
    apus_inflater_free(pool->inflater);
    pool->inflater = NULL;
    apus_bytes_deinit(&pool->buffer);
}

static void count(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

int apus_deflate_pool_compress_with(apus_deflate_pool *pool, apus_deflater *deflater, const uint8_t *data, size_t len)
{
    if (pool->buffer.capacity > LARGEST_KEPT_BUFFER)
        apus_bytes_deinit(&pool->buffer);
    pool->buffer.len = 0;
    int error = apus_deflater_compress(deflater, data, len, &pool->buffer);
    if (error != APUS_OK)
        return error;
    count(&pool->counts.messages_deflated, 1);
    count(&pool->counts.bytes_before_deflating, len);
    count(&pool->counts.bytes_deflated, pool->buffer.len);
    return APUS_OK;
}

int apus_deflate_pool_compress(apus_deflate_pool *pool, int level, unsigned window_bits, const uint8_t *data,
                               size_t len)
{
    apus_deflater **deflater = &pool->deflaters[window_bits];
    if (*deflater == NULL)
        *deflater = apus_deflater_new(level, window_bits);
    else
        apus_deflater_reset(*deflater);
    if (*deflater == NULL)
        return APUS_ENOMEM;
    return apus_deflate_pool_compress_with(pool, *deflater, data, len);
}

apus_inflater *apus_deflate_pool_take(apus_deflate_pool *pool)
{
    apus_inflater *inflater = pool->inflater;
    pool->inflater = NULL;
    return inflater != NULL ? inflater : apus_inflater_new(APUS_WINDOW_BITS_MOST);
}

void apus_deflate_pool_give(apus_deflate_pool *pool, apus_inflater *inflater)
{
    if (pool->inflater != NULL) {
        apus_inflater_free(inflater);
        return;
    }
    apus_inflater_reset(inflater);
    pool->inflater = inflater;
}
