/* TLS between a stream and its socket. The loop has the buffers; a stream has only what the socket refused. */
#ifndef APUS_SECURE_H
#define APUS_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "apus/bytes.h"
#include "apus/tls.h"
#include "net/loop.h"

/* What the TLS connections of a loop share. */
struct apus_secure_buffers {
    uint8_t *received; /* ciphertext of the present read, APUS_READ_BUFFER_SIZE */
    uint8_t *gathered; /* small pieces that become one record, APUS_TLS_RECORD_SIZE */
    apus_bytes output; /* ciphertext on its way to the socket */
};

typedef struct apus_secure {
    apus_tls *tls;
    apus_bytes pending; /* ciphertext that the socket did not take */
    size_t pending_sent;
    bool was_open;   /* the end of the handshake was noted */
    bool has_failed; /* what comes is not looked at, and nothing is sent any more */
    bool is_closed;  /* close_notify was written */
} apus_secure;

/* The loop's buffers, made where there are none yet; NULL when memory is out. */
apus_secure_buffers *apus__secure_buffers(apus_loop *loop);
void apus__secure_buffers_free(apus_secure_buffers *buffers);

/* Starts TLS over an open stream. APUS_OK, APUS_ENOMEM, or what apus_tls_new says. */
int apus__secure_start(apus_stream *stream, apus_tls_context *context, const char *host);
void apus__secure_free(apus_secure *secure);

/* Decrypts the `count` bytes that were received and gives them to the stream's `on_read`. The stream may be closed when
 * this returns. */
void apus__secure_receive(apus_stream *stream, size_t count);

/* As sending pieces in plain: returns how many of their bytes were taken, less than all where the socket is full, the
 * handshake is not done, or the stream failed. */
size_t apus__secure_send(apus_stream *stream, const struct iovec *pieces, int count);

/* Sends what the socket refused before. */
void apus__secure_flush(apus_stream *stream);

/* Says that nothing more will be sent; false where it could not leave yet. */
bool apus__secure_finish(apus_stream *stream);

static inline bool apus__secure_has_pending(const apus_secure *secure)
{
    return secure->pending.len != secure->pending_sent;
}

#endif
