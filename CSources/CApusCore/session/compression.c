/* Whose state a message passes through: the connection's own, with context takeover, or the pool's. */
#include "apus/compression.h"

#include "apus/alloc.h"

struct apus_compression {
    const apus_compression_config *config;
    apus_deflate_pool *pool;
    apus_deflater *deflater; /* with context takeover, from the first message on */
    apus_inflater *inflater; /* the same; without it, while a message is under way */
    uint64_t bytes_in;       /* of the message under way, as they came */
    uint64_t bytes_out;      /* and inflated; a part of it that was taken is gone from the payload */
    uint8_t outgoing_bits;
    uint8_t incoming_bits;
    bool keeps_outgoing; /* context takeover of what is sent */
    bool keeps_incoming;
    bool is_restarting; /* the deflater is to forget all before it compresses again */
};

apus_compression *apus_compression_new(apus_role role, const apus_compression_config *config,
                                       const apus_deflate_parameters *parameters, apus_deflate_pool *pool)
{
    apus_compression *compression = apus_malloc(sizeof *compression);
    if (compression == NULL)
        return NULL;
    bool is_server = role == APUS_ROLE_SERVER;
    uint8_t server_bits = parameters->server_max_window_bits;
    uint8_t client_bits = parameters->client_max_window_bits;
    bool server_keeps = !parameters->server_no_context_takeover;
    bool client_keeps = !parameters->client_no_context_takeover;
    *compression = (apus_compression){
        .config = config,
        .pool = pool,
        .outgoing_bits = is_server ? server_bits : client_bits,
        .incoming_bits = is_server ? client_bits : server_bits,
        .keeps_outgoing = is_server ? server_keeps : client_keeps,
        .keeps_incoming = is_server ? client_keeps : server_keeps,
    };
    return compression;
}

void apus_compression_free(apus_compression *compression)
{
    if (compression == NULL)
        return;
    apus_deflater_free(compression->deflater);
    apus_inflater_free(compression->inflater);
    apus_free(compression);
}

unsigned apus_compression_window_bits(const apus_compression *compression)
{
    return compression->outgoing_bits;
}

size_t apus_compression_threshold(const apus_compression *compression)
{
    /* A client may have been told to use the one window that zlib cannot: it need not compress at all (§6.1). */
    if (compression->outgoing_bits < APUS_WINDOW_BITS_LEAST_DEFLATE)
        return SIZE_MAX;
    return compression->config->threshold;
}

void apus_compression_restart(apus_compression *compression)
{
    compression->is_restarting = true;
}

/* The connection's own deflater, as it is to be for the next message; NULL when memory is out. */
static apus_deflater *own_deflater(apus_compression *compression)
{
    if (compression->deflater == NULL)
        compression->deflater = apus_deflater_new(compression->config->level, compression->outgoing_bits);
    else if (compression->is_restarting)
        apus_deflater_reset(compression->deflater);
    compression->is_restarting = false;
    return compression->deflater;
}

/* Whatever fails leaves the deflater without memory of the message, and it can be sent as it is. */
bool apus_compression_deflate(apus_compression *compression, const uint8_t **data, size_t *len)
{
    if (*len == 0 || *len < apus_compression_threshold(compression))
        return false;
    apus_deflate_pool *pool = compression->pool;
    int error;
    if (compression->keeps_outgoing) {
        apus_deflater *deflater = own_deflater(compression);
        error = deflater != NULL ? apus_deflate_pool_compress_with(pool, deflater, *data, *len) : APUS_ENOMEM;
    } else {
        error = apus_deflate_pool_compress(pool, compression->config->level, compression->outgoing_bits, *data, *len);
    }
    if (error != APUS_OK)
        return false;
    /* With context takeover later messages may refer to this one, so it is sent even where it has grown by a few
     * bytes: to forget the context would cost more. */
    if (!compression->keeps_outgoing && pool->buffer.len >= *len)
        return false;
    *data = pool->buffer.data;
    *len = pool->buffer.len;
    return true;
}

/* The inflater of the message under way; NULL when memory is out. */
static apus_inflater *inflater_of(apus_compression *compression)
{
    if (compression->inflater != NULL)
        return compression->inflater;
    if (compression->keeps_incoming)
        compression->inflater = apus_inflater_new(compression->incoming_bits);
    else
        compression->inflater = apus_deflate_pool_take(compression->pool);
    return compression->inflater;
}

int apus_compression_inflate(apus_compression *compression, const uint8_t *data, size_t len, uint64_t limit,
                             apus_bytes *payload)
{
    apus_inflater *inflater = inflater_of(compression);
    if (inflater == NULL)
        return APUS_ENOMEM;
    size_t start = payload->len;
    int error = apus_inflater_write(inflater, data, len, limit, payload);
    compression->bytes_in += len;
    compression->bytes_out += payload->len - start;
    return error;
}

static void count(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

int apus_compression_end_message(apus_compression *compression, uint64_t limit, apus_bytes *payload)
{
    apus_inflater *inflater = inflater_of(compression);
    if (inflater == NULL)
        return APUS_ENOMEM;
    size_t start = payload->len;
    int error = apus_inflater_end(inflater, limit, payload);
    if (error != APUS_OK)
        return error;
    compression->bytes_out += payload->len - start;
    apus_deflate_counts *counts = &compression->pool->counts;
    count(&counts->messages_inflated, 1);
    count(&counts->bytes_before_inflating, compression->bytes_in);
    count(&counts->bytes_inflated, compression->bytes_out);
    compression->bytes_in = 0;
    compression->bytes_out = 0;
    if (!compression->keeps_incoming) {
        compression->inflater = NULL;
        apus_deflate_pool_give(compression->pool, inflater);
    }
    return APUS_OK;
}
