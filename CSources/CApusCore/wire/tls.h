/* The inside of TLS, for the files of this folder. */
#ifndef APUS_WIRE_TLS_H
#define APUS_WIRE_TLS_H

#include <openssl/ssl.h>

#include "apus/tls.h"

/* Sessions that a client's context keeps, to take them up again: one for each host, of so many. */
#define APUS__TLS_KEPT_SESSIONS 16

/* The most bytes of a host's name (RFC 1035 §2.3.4). */
#define APUS__TLS_HOST_SIZE 255

/* What OpenSSL 3 allocates for a connection, as measured, for the gauge: its memory does not pass through alloc.h. */
#define APUS__TLS_BYTES_NEW 9000        /* nothing has come yet */
#define APUS__TLS_BYTES_HANDSHAKE 44000 /* the handshake has begun */
#define APUS__TLS_BYTES_OPEN 18000
#define APUS__TLS_BYTES_RECORD 16700 /* beside that, while a record has come in part */

typedef struct apus__tls_session apus__tls_session;

struct apus_tls_context {
    uint32_t references;
    apus_role role;
    int64_t expiry;
    BIO_METHOD *method; /* of the connections' BIOs, which stand between OpenSSL and the caller's memory */
    uint8_t *protocols; /* ALPN, each with its length before it */
    size_t protocols_len;
    apus__tls_session *sessions[APUS__TLS_KEPT_SESSIONS]; /* a client's; changed by atomic exchange */
    size_t count;
    SSL_CTX *entries[]; /* one for each certificate, or the only one of a client */
};

struct apus_tls {
    SSL *ssl;
    apus_tls_context *context;
    apus_tls_input *input; /* during a call */
    apus_bytes *output;    /* during a call */
    const char *words;     /* static, of OpenSSL */
    size_t counted;        /* by the gauge */
    int error;
    bool has_begun; /* something has come */
    bool has_ended;
    bool is_out_of_memory; /* `output` could not grow */
    char host[];
};

/* Creates what lets an SSL read from `input` and write to `output`; NULL when memory is out (tls_bio.c). */
BIO_METHOD *apus__tls_method_new(void);
BIO *apus__tls_bio_new(const apus_tls_context *context, apus_tls *tls);

/* What went wrong, from OpenSSL's queue of errors, which is empty afterwards; sets `words` (tls_error.c). */
int apus__tls_failure(apus_tls *tls);

/* The same for what is no connection: APUS_ENOMEM if that is why, else `error`; `words` gets the first entry. */
int apus__tls_fault(int error, char words[APUS_TLS_WORDS_SIZE]);

/* Lets a client keep sessions (tls_session.c). */
void apus__tls_sessions_enable(SSL_CTX *ssl);
void apus__tls_sessions_resume(apus_tls *tls);
void apus__tls_sessions_free(apus_tls_context *context);

#endif
