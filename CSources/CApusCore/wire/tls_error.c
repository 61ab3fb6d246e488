/* From OpenSSL's queue of errors to one of ours, and to words. The words are static strings of OpenSSL. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "wire/tls.h"

/* What a certificate that was not accepted lacks. */
static int certificate_error(long result)
{
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return APUS_EWRONGHOST;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return APUS_EEXPIRED;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return APUS_EUNTRUSTED;
    case X509_V_ERR_OUT_OF_MEM:
        return APUS_ENOMEM;
    default:
        return APUS_ECERTIFICATE;
    }
}

static bool is_memory(unsigned long entry)
{
    return ERR_GET_REASON(entry) == ERR_R_MALLOC_FAILURE;
}

static const char *words_of(unsigned long entry)
{
    const char *words = entry == 0 ? NULL : ERR_reason_error_string(entry);
    return words == NULL ? "" : words;
}

int apus__tls_failure(apus_tls *tls)
{
    unsigned long entry = ERR_peek_error(); /* the first of the queue is the cause of the others */
    bool is_out_of_memory = tls->is_out_of_memory || is_memory(entry) || is_memory(ERR_peek_last_error());
    ERR_clear_error();
    if (is_out_of_memory)
        return APUS_ENOMEM;
    tls->words = words_of(entry);
    if (ERR_GET_LIB(entry) != ERR_LIB_SSL)
        return APUS_ETLS;
    int reason = ERR_GET_REASON(entry);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        long result = SSL_get_verify_result(tls->ssl);
        tls->words = X509_verify_cert_error_string(result);
        return certificate_error(result);
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return APUS_ENOCERTIFICATE;
    return reason > SSL_AD_REASON_OFFSET ? APUS_EALERT : APUS_ETLS;
}

int apus__tls_fault(int error, char words[APUS_TLS_WORDS_SIZE])
{
    unsigned long entry = ERR_peek_error();
    ERR_clear_error();
    strncpy(words, words_of(entry), APUS_TLS_WORDS_SIZE - 1);
    words[APUS_TLS_WORDS_SIZE - 1] = '\0';
    return is_memory(entry) ? APUS_ENOMEM : error;
}
