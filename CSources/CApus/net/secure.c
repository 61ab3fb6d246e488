/* Records are decrypted from the loop's buffer of ciphertext to where the stream reads to, and encrypted into a buffer
 * of the loop's from which they are sent at once. What a stream queues is plaintext, so that a broadcast stays one
 * shared buffer until it leaves; only what the socket refuses of a few records is kept as ciphertext. */
#include "net/secure.h"

#include <string.h>

#include "apus/alloc.h"
#include "net/stream.h"

/* Ciphertext made before it is sent: the most that a slow peer leaves with its stream, and a record. */
#define SLICE_SIZE (4 * APUS_TLS_RECORD_SIZE)

/* A peer that makes us answer, and does not read the answers, is given up. */
#define MOST_PENDING (16 * APUS_TLS_RECORD_SIZE)

apus_secure_buffers *apus__secure_buffers(apus_loop *loop)
{
    if (loop->secure != NULL)
        return loop->secure;
    apus_secure_buffers *buffers = apus_calloc(1, sizeof *buffers);
    if (buffers == NULL)
        return NULL;
    buffers->received = apus_malloc(APUS_READ_BUFFER_SIZE);
    buffers->gathered = apus_malloc(APUS_TLS_RECORD_SIZE);
    if (buffers->received == NULL || buffers->gathered == NULL) {
        apus__secure_buffers_free(buffers);
        return NULL;
    }
    return loop->secure = buffers;
}

void apus__secure_buffers_free(apus_secure_buffers *buffers)
{
    if (buffers == NULL)
        return;
    apus_free(buffers->received);
    apus_free(buffers->gathered);
    apus_bytes_deinit(&buffers->output);
    apus_free(buffers);
}

void apus__secure_free(apus_secure *secure)
{
    if (secure == NULL)
        return;
    apus_tls_free(secure->tls);
    apus_bytes_deinit(&secure->pending);
    apus_free(secure);
}

void apus__secure_flush(apus_stream *stream)
{
    apus_secure *secure = stream->secure;
    if (!apus__secure_has_pending(secure) || stream->error != 0)
        return;
    struct iovec piece = {.iov_base = secure->pending.data + secure->pending_sent,
                          .iov_len = secure->pending.len - secure->pending_sent};
    secure->pending_sent += apus__stream_transmit(stream, &piece, 1);
    if (apus__secure_has_pending(secure))
        return;
    apus_bytes_deinit(&secure->pending); /* an idle connection owns no buffer */
    secure->pending_sent = 0;
}

/* Sends the loop's ciphertext; what the socket does not take becomes the stream's own. */
static void push(apus_stream *stream)
{
    apus_secure *secure = stream->secure;
    apus_bytes *output = &stream->loop->secure->output;
    size_t sent = 0;
    apus__secure_flush(stream);
    if (!apus__secure_has_pending(secure) && output->len != 0 && stream->error == 0) {
        struct iovec piece = {.iov_base = output->data, .iov_len = output->len};
        sent = apus__stream_transmit(stream, &piece, 1);
    }
    int error = APUS_OK;
    if (stream->error == 0)
        error = apus_bytes_append(&secure->pending, output->data + sent, output->len - sent);
    output->len = 0;
    if (error == APUS_OK && secure->pending.len > MOST_PENDING)
        error = APUS_ESLOW;
    if (error != APUS_OK)
        apus__stream_fail(stream, error);
    apus__stream_await_writability(stream);
}

int apus__secure_start(apus_stream *stream, apus_tls_context *context, const char *host)
{
    if (apus__secure_buffers(stream->loop) == NULL)
        return APUS_ENOMEM;
    apus_secure *secure = apus_calloc(1, sizeof *secure);
    if (secure == NULL)
        return APUS_ENOMEM;
    int error = apus_tls_new(&secure->tls, context, host);
    if (error == APUS_OK)
        error = apus_tls_start(secure->tls, &stream->loop->secure->output);
    if (error != APUS_OK) {
        stream->loop->secure->output.len = 0;
        apus__secure_free(secure);
        return error;
    }
    stream->secure = secure;
    push(stream);
    return APUS_OK;
}

/* The handshake is done: what was written meanwhile may go. */
static void note_open(apus_stream *stream)
{
    apus_secure *secure = stream->secure;
    if (secure->was_open || !apus_tls_is_open(secure->tls))
        return;
    secure->was_open = true;
    APUS_COUNT(stream->statistics->tls_handshakes, 1);
    APUS_COUNT(stream->statistics->tls_resumptions, apus_tls_is_resumed(secure->tls) ? 1 : 0);
    apus__stream_mark_dirty(stream);
}

/* The alert, or the plain answer, is on its way; nothing else will be. */
static void fail(apus_stream *stream, int error)
{
    stream->secure->has_failed = true;
    if (error == APUS_ETLSPLAIN)
        APUS_COUNT(stream->statistics->tls_plain_refused, 1);
    else
        APUS_COUNT(stream->statistics->tls_failures, 1);
    apus__stream_discard(stream);
    stream->callbacks->on_fail(stream, error);
}

void apus__secure_receive(apus_stream *stream, size_t count)
{
    apus_loop *loop = stream->loop;
    apus_secure *secure = stream->secure;
    if (secure->has_failed || apus_tls_has_ended(secure->tls))
        return;
    apus_tls_input input = {.data = loop->secure->received, .len = count};
    while (true) {
        size_t size;
        uint8_t *place = apus__stream_find_place(stream, &size);
        ptrdiff_t len = apus_tls_receive(secure->tls, &input, place, size, &loop->secure->output);
        push(stream);
        note_open(stream);
        if (len < 0) {
            fail(stream, (int)len);
            return;
        }
        if (len == 0)
            return;
        stream->callbacks->on_read(stream, place, (size_t)len);
        if (!stream->is_open)
            return;
    }
}

/* A way through pieces, in runs of at most a record. */
typedef struct cursor {
    const struct iovec *pieces;
    int count;
    size_t offset; /* within the first piece */
} cursor;

static void advance(cursor *at, size_t len)
{
    at->offset += len;
    while (at->count != 0 && at->offset == at->pieces->iov_len) {
        at->pieces++;
        at->count--;
        at->offset = 0;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The next run: where it stands, if one piece has enough of it; else gathered, since each record costs its own. */
static size_t take_run(cursor *at, uint8_t *gathered, const uint8_t **data)
{
    size_t len = smaller(at->pieces->iov_len - at->offset, APUS_TLS_RECORD_SIZE);
    *data = (const uint8_t *)at->pieces->iov_base + at->offset;
    if (len == APUS_TLS_RECORD_SIZE || at->count == 1) {
        advance(at, len);
        return len;
    }
    size_t total = 0;
    *data = gathered;
    while (at->count != 0 && total < APUS_TLS_RECORD_SIZE) {
        len = smaller(at->pieces->iov_len - at->offset, APUS_TLS_RECORD_SIZE - total);
        memcpy(gathered + total, (const uint8_t *)at->pieces->iov_base + at->offset, len);
        total += len;
        advance(at, len);
    }
    return total;
}

/* Encrypts some of what comes next; returns how much, 0 where the stream failed. */
static size_t encrypt_slice(apus_stream *stream, cursor *at)
{
    apus_secure_buffers *buffers = stream->loop->secure;
    size_t total = 0;
    while (at->count != 0 && buffers->output.len < SLICE_SIZE) {
        const uint8_t *data;
        size_t len = take_run(at, buffers->gathered, &data);
        int error = apus_tls_send(stream->secure->tls, data, len, &buffers->output);
        if (error != APUS_OK) {
            buffers->output.len = 0;
            apus__stream_fail(stream, error);
            return 0;
        }
        total += len;
    }
    return total;
}

size_t apus__secure_send(apus_stream *stream, const struct iovec *pieces, int count)
{
    apus_secure *secure = stream->secure;
    if (!apus_tls_is_open(secure->tls) || secure->is_closed)
        return 0;
    apus__secure_flush(stream);
    cursor at = {.pieces = pieces, .count = count};
    advance(&at, 0);
    size_t total = 0;
    while (at.count != 0 && stream->error == 0 && !apus__secure_has_pending(secure)) {
        total += encrypt_slice(stream, &at);
        push(stream);
    }
    apus__stream_await_writability(stream);
    return total;
}

bool apus__secure_finish(apus_stream *stream)
{
    apus_secure *secure = stream->secure;
    if (!secure->is_closed && !secure->has_failed) {
        secure->is_closed = true;
        int error = apus_tls_close(secure->tls, &stream->loop->secure->output);
        push(stream);
        if (error != APUS_OK)
            apus__stream_fail(stream, error);
    }
    return !apus__secure_has_pending(secure);
}
