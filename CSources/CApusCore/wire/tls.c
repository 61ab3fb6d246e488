/* One connection. OpenSSL does the handshake by itself where plaintext is asked for, so receiving is all there is. */
#include "apus/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "apus/alloc.h"
#include "apus/gauge.h"
#include "wire/tls.h"

/* The types of records with which TLS can begin (RFC 8446 §5.1). */
#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22

static const char plain_answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                   "Content-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Length: 50\r\n"
                                   "Connection: close\r\n\r\n"
                                   "This port speaks TLS: use https:// or wss:// here\n";

/* Whom the certificate must be for, and what the server is told of that: SNI knows names only (RFC 6066 §3). */
static bool set_host(apus_tls *tls)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls->ssl);
    /* By its alternative names alone (RFC 9525 §2), with wildcards for whole labels. */
    X509_VERIFY_PARAM_set_hostflags(parameters,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, tls->host) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(tls->ssl, tls->host) == 1 && SSL_set_tlsext_host_name(tls->ssl, tls->host) == 1;
}

static bool set_up(apus_tls *tls)
{
    tls->ssl = SSL_new(tls->context->entries[0]);
    if (tls->ssl == NULL)
        return false;
    BIO *bio = apus__tls_bio_new(tls->context, tls);
    if (bio == NULL)
        return false;
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    if (tls->context->role == APUS_ROLE_SERVER) {
        SSL_set_accept_state(tls->ssl);
        return true;
    }
    SSL_set_connect_state(tls->ssl);
    if (!set_host(tls))
        return false;
    apus__tls_sessions_resume(tls);
    return true;
}

/* Tells the gauge what OpenSSL holds at present. */
static void count_memory(apus_tls *tls, size_t bytes)
{
    if (bytes == tls->counted)
        return;
    apus_memory_add((ptrdiff_t)bytes - (ptrdiff_t)tls->counted);
    tls->counted = bytes;
}

static void count_present_memory(apus_tls *tls)
{
    size_t bytes = SSL_is_init_finished(tls->ssl) == 1 ? APUS__TLS_BYTES_OPEN : APUS__TLS_BYTES_HANDSHAKE;
    count_memory(tls, bytes + (SSL_has_pending(tls->ssl) == 1 ? APUS__TLS_BYTES_RECORD : 0));
}

int apus_tls_new(apus_tls **out, apus_tls_context *context, const char *host)
{
    *out = NULL;
    size_t len = host == NULL ? 0 : strlen(host);
    if (len > APUS__TLS_HOST_SIZE || (len == 0) != (context->role == APUS_ROLE_SERVER))
        return APUS_EINVAL;
    apus_tls *tls = apus_calloc(1, sizeof *tls + len + 1);
    if (tls == NULL)
        return APUS_ENOMEM;
    tls->context = apus_tls_context_retain(context);
    tls->words = "";
    if (len != 0)
        memcpy(tls->host, host, len);
    ERR_clear_error();
    if (!set_up(tls)) {
        ERR_clear_error();
        apus_tls_free(tls);
        return APUS_ENOMEM;
    }
    count_memory(tls, APUS__TLS_BYTES_NEW);
    *out = tls;
    return APUS_OK;
}

void apus_tls_free(apus_tls *tls)
{
    if (tls == NULL)
        return;
    /* OpenSSL takes a session for broken where no close_notify was sent; but many connections end without one. */
    if (tls->error == APUS_OK && tls->ssl != NULL)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN);
    SSL_free(tls->ssl);
    count_memory(tls, 0);
    apus_tls_context_release(tls->context);
    apus_free(tls);
}

/* SSL_get_error looks at the thread's errors, so there must be none. To look costs less than to clear, which goes
 * through all that there could be. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static void begin_call(apus_tls *tls, apus_tls_input *input, apus_bytes *out)
{
    tls->input = input;
    tls->output = out;
    forget_errors();
}

static void end_call(apus_tls *tls)
{
    tls->input = NULL;
    tls->output = NULL;
}

int apus_tls_start(apus_tls *tls, apus_bytes *out)
{
    if (tls->context->role == APUS_ROLE_SERVER)
        return APUS_OK;
    begin_call(tls, NULL, out);
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1 && SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
        tls->error = apus__tls_failure(tls);
    end_call(tls);
    return tls->error;
}

/* Whether the very first byte is one that TLS does not begin with, and most probably HTTP in plain text. */
static int check_first_byte(apus_tls *tls, uint8_t byte)
{
    bool is_server = tls->context->role == APUS_ROLE_SERVER;
    tls->has_begun = true;
    if (is_server && byte >= 'A' && byte <= 'Z') {
        int error = apus_bytes_append_text(tls->output, plain_answer);
        return error == APUS_OK ? APUS_ETLSPLAIN : error;
    }
    if (!is_server && byte != RECORD_HANDSHAKE && byte != RECORD_ALERT)
        return APUS_ENOTTLS;
    return APUS_OK;
}

/* What OpenSSL has to say where no plaintext came. */
static int read_result(apus_tls *tls)
{
    switch (SSL_get_error(tls->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return tls->is_out_of_memory ? APUS_ENOMEM : APUS_OK;
    case SSL_ERROR_ZERO_RETURN:
        tls->has_ended = true;
        return APUS_OK;
    default:
        return apus__tls_failure(tls);
    }
}

/* Whether OpenSSL has nothing left to look at; to ask it for plaintext then costs as much as to get some. */
static bool is_drained(const apus_tls *tls)
{
    return tls->input->len == 0 && SSL_has_pending(tls->ssl) == 0;
}

ptrdiff_t apus_tls_receive(apus_tls *tls, apus_tls_input *input, uint8_t *plain, size_t size, apus_bytes *out)
{
    size_t total = 0;
    begin_call(tls, input, out);
    if (!tls->has_begun && input->len != 0)
        tls->error = check_first_byte(tls, input->data[0]);
    while (total < size && tls->error == APUS_OK && !tls->has_ended && !is_drained(tls)) {
        size_t count;
        if (SSL_read_ex(tls->ssl, plain + total, size - total, &count) == 1) {
            total += count;
            continue;
        }
        tls->error = read_result(tls);
        break;
    }
    /* Nothing behind the end, or a failure, is of any use. */
    if (tls->has_ended || tls->error != APUS_OK)
        input->len = 0;
    count_present_memory(tls);
    end_call(tls);
    return total != 0 ? (ptrdiff_t)total : tls->error;
}

int apus_tls_send(apus_tls *tls, const uint8_t *data, size_t len, apus_bytes *out)
{
    if (len == 0 || tls->error != APUS_OK)
        return tls->error;
    begin_call(tls, NULL, out);
    size_t count;
    /* Without partial writes, and with a BIO that takes everything, all is written or nothing ever will be. */
    if (SSL_write_ex(tls->ssl, data, len, &count) != 1)
        tls->error = apus__tls_failure(tls);
    end_call(tls);
    return tls->error;
}

int apus_tls_close(apus_tls *tls, apus_bytes *out)
{
    if (!apus_tls_is_open(tls) || (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return APUS_OK;
    begin_call(tls, NULL, out);
    SSL_shutdown(tls->ssl); /* that the peer has not answered yet is no failure */
    ERR_clear_error();
    end_call(tls);
    return tls->is_out_of_memory ? APUS_ENOMEM : APUS_OK;
}

bool apus_tls_is_open(const apus_tls *tls)
{
    return tls->error == APUS_OK && SSL_is_init_finished(tls->ssl) == 1;
}

bool apus_tls_has_ended(const apus_tls *tls)
{
    return tls->has_ended;
}

const char *apus_tls_words(const apus_tls *tls)
{
    return tls->words;
}

const char *apus_tls_version(const apus_tls *tls)
{
    return SSL_get_version(tls->ssl);
}

const char *apus_tls_cipher(const apus_tls *tls)
{
    return SSL_get_cipher_name(tls->ssl);
}

bool apus_tls_is_resumed(const apus_tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

apus_text apus_tls_protocol(const apus_tls *tls)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return (apus_text){.data = name == NULL ? "" : (const char *)name, .len = len};
}

apus_text apus_tls_server_name(const apus_tls *tls)
{
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    return (apus_text){.data = name == NULL ? "" : name, .len = name == NULL ? 0 : strlen(name)};
}

int apus_tls_peer_certificate(const apus_tls *tls, apus_bytes *out)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL)
        return APUS_OK;
    uint8_t *der = NULL;
    int len = i2d_X509(certificate, &der);
    if (len < 0) {
        ERR_clear_error();
        return APUS_ENOMEM;
    }
    int error = apus_bytes_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return error;
}
