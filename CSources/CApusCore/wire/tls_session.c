/* Sessions that a client takes up again (RFC 8446 §2.2): the last one of each host, in a few slots. A session is taken
 * out to be used, so that a ticket is shown once (§C.4), and whoever loses a race just makes a full handshake. */
#include <string.h>

#include "apus/alloc.h"
#include "wire/tls.h"

struct apus__tls_session {
    SSL_SESSION *session;
    char host[];
};

static void free_session(apus__tls_session *kept)
{
    if (kept == NULL)
        return;
    SSL_SESSION_free(kept->session);
    apus_free(kept);
}

/* FNV-1a. */
static apus__tls_session **find_slot(apus_tls_context *context, const char *host)
{
    uint32_t hash = 2166136261;
    for (; *host != '\0'; host++)
        hash = (hash ^ (uint8_t)*host) * 16777619;
    return &context->sessions[hash % APUS__TLS_KEPT_SESSIONS];
}

static apus__tls_session *exchange(apus__tls_session **slot, apus__tls_session *kept)
{
    return __atomic_exchange_n(slot, kept, __ATOMIC_ACQ_REL);
}

/* Takes over one reference to `session`, or leaves it where memory is out. */
static bool keep(apus_tls_context *context, const char *host, SSL_SESSION *session)
{
    size_t size = strlen(host) + 1;
    apus__tls_session *kept = apus_malloc(sizeof *kept + size);
    if (kept == NULL)
        return false;
    kept->session = session;
    memcpy(kept->host, host, size);
    free_session(exchange(find_slot(context, host), kept));
    return true;
}

/* OpenSSL has a new session; 1 says that its reference was taken over. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    apus_tls *tls = SSL_get_app_data(ssl);
    return keep(tls->context, tls->host, session) ? 1 : 0;
}

void apus__tls_sessions_enable(SSL_CTX *ssl)
{
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_session);
}

void apus__tls_sessions_resume(apus_tls *tls)
{
    apus__tls_session *kept = exchange(find_slot(tls->context, tls->host), NULL);
    if (kept == NULL)
        return;
    if (strcmp(kept->host, tls->host) != 0) { /* another host's, which had the slot */
        free_session(exchange(find_slot(tls->context, tls->host), kept));
        return;
    }
    SSL_set_session(tls->ssl, kept->session);
    /* A server of TLS 1.2 need not give another one. */
    if (SSL_SESSION_get_protocol_version(kept->session) < TLS1_3_VERSION)
        free_session(exchange(find_slot(tls->context, tls->host), kept));
    else
        free_session(kept);
}

void apus__tls_sessions_free(apus_tls_context *context)
{
    for (size_t i = 0; i < APUS__TLS_KEPT_SESSIONS; i++)
        free_session(context->sessions[i]);
}
