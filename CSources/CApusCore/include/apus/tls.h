/* One TLS connection as a filter over memory, either role: ciphertext in, plaintext out, and back. No I/O: its caller
 * has the socket. */
#ifndef APUS_TLS_H
#define APUS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/error.h"
#include "apus/head.h"
#include "apus/macros.h"
#include "apus/tls_context.h"

APUS_ASSUME_NONNULL_BEGIN

/* The most plaintext of one record (RFC 8446 §5.1). */
#define APUS_TLS_RECORD_SIZE ((size_t)16384)

typedef struct apus_tls apus_tls;

/* Ciphertext that is still to be taken. */
typedef struct apus_tls_input {
    const uint8_t *data;
    size_t len;
} apus_tls_input;

/* A connection of the context, which it retains. A client names the `host` that the server's certificate must be for, a
 * name or a numeric address, and takes up an earlier session with it where there is one (RFC 8446 §2.2); a server
 * passes NULL. APUS_OK, APUS_EINVAL (a client without a host, or with one that is longer than 255 bytes), or
 * APUS_ENOMEM. */
int apus_tls_new(apus_tls *_Nullable *_Nonnull out, apus_tls_context *context, const char *_Nullable host);
void apus_tls_free(apus_tls *_Nullable tls);

/* Starts the handshake: appends what a client says first to `out`; a server says nothing. APUS_OK, APUS_ETLS or
 * APUS_ENOMEM. */
int apus_tls_start(apus_tls *tls, apus_bytes *out);

/* Takes ciphertext from `input`, writes what it says to `plain` (`size` is not 0), and appends to `out` what has to be
 * sent: the handshake's answers, alerts.
 *
 * Returns how many bytes of plaintext came, and is to be called again; 0 once all of the input is taken; or a failure
 * of the connection, which stays: APUS_ETLSPLAIN (a server heard HTTP without TLS; `out` got an answer in plain text),
 * APUS_ENOTTLS (a client heard something that is no TLS), APUS_EUNTRUSTED, APUS_EWRONGHOST, APUS_EEXPIRED or
 * APUS_ECERTIFICATE (of the peer's certificate), APUS_ENOCERTIFICATE (the peer has shown none), APUS_EALERT (the peer
 * ended it), APUS_ETLS (anything else), or APUS_ENOMEM. */
ptrdiff_t apus_tls_receive(apus_tls *tls, apus_tls_input *input, uint8_t *plain, size_t size, apus_bytes *out);

/* Appends `len` bytes of plaintext to `out` as records; only while open. APUS_OK, APUS_ETLS or APUS_ENOMEM. */
int apus_tls_send(apus_tls *tls, const uint8_t *data, size_t len, apus_bytes *out);

/* Appends the alert that nothing more will be sent (close_notify, RFC 8446 §6.1), once; nothing before the handshake is
 * done or after a failure. APUS_OK or APUS_ENOMEM. */
int apus_tls_close(apus_tls *tls, apus_bytes *out);

/* Whether the handshake is done and nothing has failed: plaintext may be sent. */
bool apus_tls_is_open(const apus_tls *tls);

/* Whether the peer has said that nothing more will come. A stream that ends without it may have been cut by anybody. */
bool apus_tls_has_ended(const apus_tls *tls);

/* What OpenSSL says of the failure; empty where it says nothing. */
const char *apus_tls_words(const apus_tls *tls);

/* Of an open connection: such as "TLSv1.3", "TLS_AES_256_GCM_SHA384"; whether an earlier session was taken up. */
const char *apus_tls_version(const apus_tls *tls);
const char *apus_tls_cipher(const apus_tls *tls);
bool apus_tls_is_resumed(const apus_tls *tls);

/* What was agreed on with ALPN; empty where nothing was. */
apus_text apus_tls_protocol(const apus_tls *tls);

/* The name that the client asked for (SNI); empty where it named none. */
apus_text apus_tls_server_name(const apus_tls *tls);

/* Appends the peer's certificate in DER form; nothing where it has shown none. APUS_OK or APUS_ENOMEM. */
int apus_tls_peer_certificate(const apus_tls *tls, apus_bytes *out);

APUS_ASSUME_NONNULL_END

#endif
