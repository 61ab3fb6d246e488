/* Which compressor a level has, and what RFC 7692 makes of its output; and what the connections of a loop share. */
#include "apus/deflate.h"

#include "wire/deflater.h"

/* What a flush ends with, and a message goes without (RFC 7692 §7.2.1): an empty block without compression. */
#define TAIL_SIZE 4

/* The level that is igzip's. */
#define FASTEST_LEVEL 1

/* A pool keeps its buffer where it is no larger. */
#define LARGEST_KEPT_BUFFER ((size_t)256 << 10)

apus_deflater *apus_deflater_new(int level, unsigned window_bits)
{
    return level == FASTEST_LEVEL ? apus__igzip_deflater_new(window_bits) : apus__zlib_deflater_new(level, window_bits);
}

void apus_deflater_free(apus_deflater *deflater)
{
    if (deflater != NULL)
        deflater->verbs->free(deflater);
}

void apus_deflater_reset(apus_deflater *deflater)
{
    deflater->verbs->reset(deflater);
}

int apus_deflater_compress(apus_deflater *deflater, const uint8_t *data, size_t len, apus_bytes *out)
{
    /* §7.2.3.6: an empty message is the header of an empty block, and padding. All messages end with a byte. */
    if (len == 0)
        return apus_bytes_append(out, &(uint8_t){0x00}, 1);
    size_t start = out->len;
    int error = deflater->verbs->compress(deflater, data, len, out);
    if (error != APUS_OK) {
        out->len = start;
        deflater->verbs->reset(deflater);
        return error;
    }
    out->len -= TAIL_SIZE;
    return APUS_OK;
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
