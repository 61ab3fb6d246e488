/* The first loop that needs a message compressed does it, and others that need the same meanwhile wait for it: that
 * takes no longer than to do it again. */
#include "server/publication.h"

#include <string.h>
#include <uv.h>

#include "apus/alloc.h"
#include "server/frames.h"

/* The message compressed with windows of one size. */
typedef struct variant {
    apus_buffer *frame; /* NULL where it would not shrink, or memory was out */
    bool is_tried;
} variant;

struct apus_publication {
    uint32_t references;
    apus_opcode opcode;
    size_t count;         /* of messages */
    apus_buffer *frame;   /* or frames, not compressed */
    apus_buffer *payload; /* empty where there are several messages, which are not compressed */
    uv_mutex_t lock;      /* of the variants */
    variant variants[APUS_WINDOW_BITS_MOST + 1];
};

apus_publication *apus__publication_new(apus_buffer *frame, apus_opcode opcode, const uint8_t *data, size_t len)
{
    apus_publication *publication = apus_calloc(1, sizeof *publication);
    if (publication == NULL)
        return NULL;
    publication->payload = apus_buffer_new(len);
    if (publication->payload == NULL)
        goto free_publication;
    if (uv_mutex_init(&publication->lock) != 0)
        goto free_payload;
    if (len != 0)
        memcpy(publication->payload->data, data, len);
    publication->references = 1;
    publication->count = 1;
    publication->opcode = opcode;
    publication->frame = apus_buffer_retain(frame);
    return publication;

free_payload:
    apus_buffer_release(publication->payload);
free_publication:
    apus_free(publication);
    return NULL;
}

apus_publication *apus_publication_new(const apus_outgoing *messages, size_t count)
{
    apus_buffer *frames = apus__frames_new_all(messages, count);
    if (frames == NULL)
        return NULL;
    bool is_one = count == 1;
    apus_publication *publication = apus__publication_new(frames, messages[0].opcode, is_one ? messages[0].data : NULL,
                                                          is_one ? messages[0].len : 0);
    if (publication != NULL)
        publication->count = count;
    apus_buffer_release(frames);
    return publication;
}

apus_publication *apus_publication_retain(apus_publication *publication)
{
    __atomic_fetch_add(&publication->references, 1, __ATOMIC_RELAXED);
    return publication;
}

void apus_publication_release(apus_publication *publication)
{
    if (__atomic_fetch_sub(&publication->references, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    for (size_t bits = 0; bits <= APUS_WINDOW_BITS_MOST; bits++)
        apus_buffer_release(publication->variants[bits].frame);
    apus_buffer_release(publication->payload);
    apus_buffer_release(publication->frame);
    uv_mutex_destroy(&publication->lock);
    apus_free(publication);
}

size_t apus__publication_len(const apus_publication *publication)
{
    return publication->frame->len;
}

size_t apus__publication_memory(const apus_publication *publication)
{
    return sizeof *publication + 2 * sizeof(apus_buffer) + publication->frame->len + publication->payload->len;
}

/* The whole frame, compressed; NULL where that is not worth while, or memory is out. */
static apus_buffer *compress(const apus_publication *publication, apus_endpoint *endpoint, unsigned bits)
{
    const apus_buffer *payload = publication->payload;
    apus_deflate_pool *pool = &endpoint->pool;
    unsigned level = endpoint->config->compression.level;
    if (apus_deflate_pool_compress(pool, level, bits, payload->data, payload->len) != APUS_OK)
        return NULL;
    if (pool->buffer.len >= payload->len)
        return NULL;
    return apus__frames_new(publication->opcode, true, pool->buffer.data, pool->buffer.len);
}

/* What to send to this connection, now: compressed or as it is. */
static apus_buffer *choose_frame(apus_publication *publication, apus_connection *connection)
{
    apus_compression *compression = connection->session.compression;
    size_t len = publication->payload->len;
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

void apus_publication_send(apus_publication *publication, apus_connection *connection)
{
    apus__connection_share(connection, choose_frame(publication, connection), publication->count);
}
