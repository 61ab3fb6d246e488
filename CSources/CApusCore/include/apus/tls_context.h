/* What the TLS connections of one server, or of one client, have in common: certificates, whom to trust, protocols.
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) by OpenSSL, with its own default ciphers and groups. A context never changes
 * once it is made; new certificates mean a new context, and connections keep the one that they began with. */
#ifndef APUS_TLS_CONTEXT_H
#define APUS_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/frame.h"
#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Room for what OpenSSL says of a fault. */
#define APUS_TLS_WORDS_SIZE 160

/* The most certificates of one context: they are looked through for the name that a client asks for. */
#define APUS_TLS_MOST_CERTIFICATES 1000

/* Counted; may be shared by loops. */
typedef struct apus_tls_context apus_tls_context;

/* A certificate and its private key, each in PEM form (RFC 7468). */
typedef struct apus_tls_certificate {
    apus_text chain; /* the certificate itself, then those that sign it, in order */
    apus_text key;   /* not encrypted */
} apus_tls_certificate;

/* Whether the peer has to show a certificate that a trusted root has signed. */
typedef enum apus_tls_verification {
    APUS_TLS_VERIFY_NONE,     /* a server asks for none; a client takes any, and so may talk to anybody */
    APUS_TLS_VERIFY_OPTIONAL, /* a server takes a client without one; for a client the same as required */
    APUS_TLS_VERIFY_REQUIRED,
} apus_tls_verification;

/* Only read while the context is made. */
typedef struct apus_tls_config {
    apus_role role;
    /* A server's own: the first is the default, the others stand for the names in them (SNI, RFC 6066 §3; the first
     * that matches is taken). A client's: what it shows where a server asks; at most one. */
    const apus_tls_certificate *_Nullable certificates;
    size_t certificate_count;
    const apus_text *_Nullable protocols; /* ALPN (RFC 7301), the preferred one first; none: it is not used */
    size_t protocol_count;
    apus_tls_verification verification;
    bool trusts_system; /* trust the roots of the operating system */
    apus_text roots;    /* trust these as well, in PEM form; may be empty */
} apus_tls_config;

/* Sets what goes for the role: a server asks for no certificate, a client requires one that the system trusts; both
 * speak http/1.1. */
void apus_tls_config_init(apus_tls_config *config, apus_role role);

/* Makes a context with one reference. `words` gets a line of OpenSSL's about a failure, or is empty.
 *
 * APUS_OK; APUS_EINVAL (a server without certificate, a client with several, more than the most, a protocol that is
 * empty or longer than 255 bytes); APUS_ECHAIN, APUS_EPRIVATEKEY, APUS_EKEYMISMATCH or APUS_EROOTS; or APUS_ENOMEM.
 *
 * Where the system's roots are trusted OpenSSL reads them from its own files, here or at the first handshakes: the one
 * thing in this library that does not come through an argument. */
int apus_tls_context_new(apus_tls_context *_Nullable *_Nonnull out, const apus_tls_config *config,
                         char words[APUS_TLS_WORDS_SIZE]);

/* Adds a reference and returns `context`; from any thread. */
apus_tls_context *apus_tls_context_retain(apus_tls_context *context);

/* Drops a reference; the last one frees. From any thread; NULL is allowed. */
void apus_tls_context_release(apus_tls_context *_Nullable context);

/* When the first of the context's own certificates expires, in seconds since 1970; INT64_MAX where it has none. */
int64_t apus_tls_context_expiry(const apus_tls_context *context);

APUS_ASSUME_NONNULL_END

#endif
