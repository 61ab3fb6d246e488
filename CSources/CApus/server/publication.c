/* The first loop that needs a message compressed does it, and others that need the same meanwhile wait for it: that
 * takes no longer than to do it again. */
#include "server/publication.h"

#include <string.h>
#include <uv.h>

#include "apus/alloc.h"

/* The message compressed with windows of one size. */
typedef struct variant {
    apus_buffer *frame; /* NULL where it would not shrink, or memory was out */
    bool is_tried;
} variant;

struct apus_publication {
    uint32_t references;
    apus_opcode opcode;
    apus_buffer *frame;
    size_t header_len;
    uv_mutex_t lock; /* of the variants */
    variant variants[APUS_WINDOW_BITS_MOST + 1];
};

apus_publication *apus__publication_new(apus_buffer *frame, apus_opcode opcode, size_t header_len)
{
    apus_publication *publication = apus_calloc(1, sizeof *publication);
    if (publication == NULL)
        return NULL;
    if (uv_mutex_init(&publication->lock) != 0) {
        apus_free(publication);
        return NULL;
    }
    publication->references = 1;
    publication->opcode = opcode;
    publication->frame = apus_buffer_retain(frame);
    publication->header_len = header_len;
    return publication;
}

apus_publication *apus__publication_retain(apus_publication *publication)
{
    __atomic_fetch_add(&publication->references, 1, __ATOMIC_RELAXED);
    return publication;
}

void apus__publication_release(apus_publication *publication)
{
    if (__atomic_fetch_sub(&publication->references, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    for (size_t bits = 0; bits <= APUS_WINDOW_BITS_MOST; bits++)
        apus_buffer_release(publication->variants[bits].frame);
    apus_buffer_release(publication->frame);
    uv_mutex_destroy(&publication->lock);
    apus_free(publication);
}

/* The whole frame, compressed; NULL where that is not worth while, or memory is out. */
static apus_buffer *compress(const apus_publication *publication, apus_endpoint *endpoint, unsigned bits)
{
    const uint8_t *payload = publication->frame->data + publication->header_len;
    size_t len = publication->frame->len - publication->header_len;
    apus_deflate_pool *pool = &endpoint->pool;
    if (apus_deflate_pool_compress(pool, endpoint->config->compression.level, bits, payload, len) != APUS_OK)
        return NULL;
    if (pool->buffer.len >= len)
        return NULL;
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    size_t header_len = apus_frame_encode(header, publication->opcode, true, pool->buffer.len);
    header[0] |= APUS_FRAME_RSV1;
    apus_buffer *frame = apus_buffer_new(header_len + pool->buffer.len);
    if (frame == NULL)
        return NULL;
    memcpy(frame->data, header, header_len);
    memcpy(frame->data + header_len, pool->buffer.data, pool->buffer.len);
    return frame;
}

apus_buffer *apus__publication_frame(apus_publication *publication, apus_connection *connection)
{
    apus_compression *compression = connection->session.compression;
    size_t len = publication->frame->len - publication->header_len;
    if (compression == NULL || len == 0 || len < apus_compression_threshold(compression))
        return publication->frame;
    unsigned bits = apus_compression_window_bits(compression);
    variant *variant = &publication->variants[bits];
    uv_mutex_lock(&publication->lock);
    if (!variant->is_tried) {
        variant->is_tried = true;
        variant->frame = compress(publication, connection->endpoint, bits);
    }
    apus_buffer *frame = variant->frame;
    uv_mutex_unlock(&publication->lock);
    if (frame == NULL)
        return publication->frame;
    apus_compression_restart(compression);
    return frame;
}
