/* Making a context: PEM in, one SSL_CTX for each certificate out. They differ in nothing but that. */
#include "apus/tls_context.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "apus/alloc.h"
#include "wire/tls.h"

#define DAY ((int64_t)24 * 60 * 60)

void apus_tls_config_init(apus_tls_config *config, apus_role role)
{
    static const apus_text http = {.data = "http/1.1", .len = 8};
    *config = (apus_tls_config){
        .role = role,
        .protocols = &http,
        .protocol_count = 1,
        .verification = role == APUS_ROLE_SERVER ? APUS_TLS_VERIFY_NONE : APUS_TLS_VERIFY_REQUIRED,
        .trusts_system = role == APUS_ROLE_CLIENT,
        .roots = {.data = "", .len = 0},
    };
}

/* The ciphers of TLS 1.2, those of Mozilla's "intermediate" configuration: a key exchange with forward secrecy, and
 * authenticated encryption. TLS 1.3 has no others. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                              "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

/* OpenSSL would otherwise ask at the terminal. */
static int refuse_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static BIO *open_text(apus_text text)
{
    return text.len > INT_MAX ? NULL : BIO_new_mem_buf(text.data, (int)text.len);
}

/* Whether what ended the reading of PEM is that there is no more of it. */
static bool is_end(void)
{
    unsigned long entry = ERR_peek_last_error();
    return ERR_GET_LIB(entry) == ERR_LIB_PEM && ERR_GET_REASON(entry) == PEM_R_NO_START_LINE;
}

static void note_expiry(apus_tls_context *context, const X509 *certificate)
{
    int days, seconds;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    if (epoch == NULL)
        return;
    if (ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1 &&
        days * DAY + seconds < context->expiry)
        context->expiry = days * DAY + seconds;
    ASN1_STRING_free(epoch);
}

/* The certificates behind the first one, which sign it. */
static int add_rest_of_chain(SSL_CTX *ssl, BIO *pem)
{
    for (X509 *next; (next = PEM_read_bio_X509(pem, NULL, refuse_passphrase, NULL)) != NULL;) {
        if (SSL_CTX_add0_chain_cert(ssl, next) != 1) {
            X509_free(next);
            return APUS_ECHAIN;
        }
    }
    if (!is_end())
        return APUS_ECHAIN;
    ERR_clear_error();
    return APUS_OK;
}

static int use_chain(apus_tls_context *context, SSL_CTX *ssl, apus_text text)
{
    int error = APUS_ECHAIN;
    BIO *pem = open_text(text);
    if (pem == NULL)
        return error;
    X509 *own = PEM_read_bio_X509(pem, NULL, refuse_passphrase, NULL);
    if (own != NULL && SSL_CTX_use_certificate(ssl, own) == 1) {
        note_expiry(context, own);
        error = add_rest_of_chain(ssl, pem);
    }
    X509_free(own);
    BIO_free(pem);
    return error;
}

static int use_key(SSL_CTX *ssl, apus_text text)
{
    BIO *pem = open_text(text);
    if (pem == NULL)
        return APUS_EPRIVATEKEY;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, refuse_passphrase, NULL);
    BIO_free(pem);
    if (key == NULL)
        return APUS_EPRIVATEKEY;
    /* Checked here, because OpenSSL would take a key of another kind as one for a certificate still to come. */
    int error = X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) == 1 ? APUS_OK : APUS_EKEYMISMATCH;
    if (error == APUS_OK && SSL_CTX_use_PrivateKey(ssl, key) != 1)
        error = APUS_EPRIVATEKEY;
    EVP_PKEY_free(key);
    return error;
}

/* The trusted roots. A server names them to its clients, so that these know which certificate to show. */
static int add_roots(SSL_CTX *ssl, X509_STORE *store, apus_text text)
{
    BIO *pem = open_text(text);
    if (pem == NULL)
        return APUS_EROOTS;
    int count = 0;
    bool is_added = true;
    for (X509 *root; is_added && (root = PEM_read_bio_X509(pem, NULL, refuse_passphrase, NULL)) != NULL; count++) {
        is_added = X509_STORE_add_cert(store, root) == 1 && SSL_CTX_add_client_CA(ssl, root) == 1;
        X509_free(root);
    }
    BIO_free(pem);
    if (!is_added || count == 0 || !is_end())
        return APUS_EROOTS;
    ERR_clear_error();
    /* An intermediate, or the very certificate of the peer, is a root where somebody names it as one. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return APUS_OK;
}

static int set_trust(SSL_CTX *ssl, const apus_tls_config *config)
{
    if (config->verification == APUS_TLS_VERIFY_NONE)
        return APUS_OK;
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    if (config->trusts_system && X509_STORE_set_default_paths(store) != 1)
        return APUS_EROOTS;
    int mode = SSL_VERIFY_PEER;
    if (config->verification == APUS_TLS_VERIFY_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ssl, mode, NULL);
    return config->roots.len == 0 ? APUS_OK : add_roots(ssl, store, config->roots);
}

/* RFC 7301 §3.2: where nothing is in common, a server says so and ends it. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned offered_len, void *argument)
{
    (void)ssl;
    const apus_tls_context *context = argument;
    unsigned char *chosen;
    int result = SSL_select_next_proto(&chosen, out_len, context->protocols, (unsigned)context->protocols_len, offered,
                                       offered_len);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* RFC 6066 §3. An unknown name gets the default certificate, which tells the client more than an alert would. */
static int choose_certificate(SSL *ssl, int *alert, void *argument)
{
    (void)alert;
    const apus_tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name != NULL && i < context->count; i++) {
        X509 *own = SSL_CTX_get0_certificate(context->entries[i]);
        if (X509_check_host(own, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
            continue;
        if (i != 0)
            SSL_set_SSL_CTX(ssl, context->entries[i]);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_OK;
}

static int set_protocols(apus_tls_context *context, SSL_CTX *ssl)
{
    if (context->protocols_len == 0)
        return APUS_OK;
    if (context->role == APUS_ROLE_SERVER)
        SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, context);
    else if (SSL_CTX_set_alpn_protos(ssl, context->protocols, (unsigned)context->protocols_len) != 0)
        return APUS_ENOMEM;
    return APUS_OK;
}

/* What both sides agree on: no version below 1.2, only ciphers with forward secrecy, no renegotiation, and no buffers
 * while nothing comes or goes. A server keeps no sessions: its clients do, in tickets that all of its loops can read.
 */
static int set_up(apus_tls_context *context, SSL_CTX *ssl)
{
    static const unsigned char id[] = "apus";
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(ssl, ciphers) != 1)
        return APUS_ENOMEM;
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1); /* a record's header and content by one call of our BIO */
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    if (context->role == APUS_ROLE_CLIENT) {
        apus__tls_sessions_enable(ssl);
        return set_protocols(context, ssl);
    }
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_servername_callback(ssl, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ssl, context);
    if (SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1) != 1)
        return APUS_ENOMEM;
    return set_protocols(context, ssl);
}

static int add_entry(apus_tls_context *context, const apus_tls_config *config, const apus_tls_certificate *own)
{
    SSL_CTX *ssl = SSL_CTX_new(context->role == APUS_ROLE_SERVER ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL)
        return APUS_ENOMEM;
    context->entries[context->count++] = ssl;
    int error = set_up(context, ssl);
    if (error == APUS_OK && own != NULL)
        error = use_chain(context, ssl, own->chain);
    if (error == APUS_OK && own != NULL)
        error = use_key(ssl, own->key);
    if (error == APUS_OK)
        error = set_trust(ssl, config);
    return error;
}

/* As ALPN has them on the wire: a length byte before each. */
static int copy_protocols(apus_tls_context *context, const apus_tls_config *config)
{
    apus_bytes list = {0};
    int error = APUS_OK;
    for (size_t i = 0; i < config->protocol_count && error == APUS_OK; i++) {
        uint8_t len = (uint8_t)config->protocols[i].len;
        error = apus_bytes_append(&list, &len, 1);
        if (error == APUS_OK)
            error = apus_bytes_append(&list, config->protocols[i].data, len);
    }
    context->protocols = list.data;
    context->protocols_len = list.len;
    return error;
}

static bool is_valid(const apus_tls_config *config)
{
    bool is_server = config->role == APUS_ROLE_SERVER;
    if (config->certificate_count < (is_server ? 1 : 0) ||
        config->certificate_count > (is_server ? APUS_TLS_MOST_CERTIFICATES : 1))
        return false;
    for (size_t i = 0; i < config->protocol_count; i++) {
        if (config->protocols[i].len == 0 || config->protocols[i].len > UINT8_MAX)
            return false;
    }
    return true;
}

int apus_tls_context_new(apus_tls_context **out, const apus_tls_config *config, char words[APUS_TLS_WORDS_SIZE])
{
    words[0] = '\0';
    *out = NULL;
    if (!is_valid(config))
        return APUS_EINVAL;
    ERR_clear_error();
    size_t count = config->certificate_count == 0 ? 1 : config->certificate_count;
    apus_tls_context *context = apus_calloc(1, sizeof *context + count * sizeof context->entries[0]);
    if (context == NULL)
        return APUS_ENOMEM;
    context->references = 1;
    context->role = config->role;
    context->expiry = INT64_MAX;
    int error = copy_protocols(context, config);
    if (error == APUS_OK && (context->method = apus__tls_method_new()) == NULL)
        error = APUS_ENOMEM;
    for (size_t i = 0; i < count && error == APUS_OK; i++)
        error = add_entry(context, config, config->certificate_count == 0 ? NULL : &config->certificates[i]);
    if (error != APUS_OK) {
        error = apus__tls_fault(error, words);
        apus_tls_context_release(context);
        return error;
    }
    *out = context;
    return APUS_OK;
}

apus_tls_context *apus_tls_context_retain(apus_tls_context *context)
{
    __atomic_fetch_add(&context->references, 1, __ATOMIC_RELAXED);
    return context;
}

void apus_tls_context_release(apus_tls_context *context)
{
    if (context == NULL || __atomic_fetch_sub(&context->references, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    apus__tls_sessions_free(context);
    for (size_t i = 0; i < context->count; i++)
        SSL_CTX_free(context->entries[i]);
    BIO_meth_free(context->method);
    apus_free(context->protocols);
    apus_free(context);
}

int64_t apus_tls_context_expiry(const apus_tls_context *context)
{
    return context->expiry;
}
