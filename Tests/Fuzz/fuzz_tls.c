/* Gives a server's TLS, or a client's, any bytes: before the handshake, amid it, and behind it, where they stand
 * between records that are good. Whole, byte by byte and in pieces it tells the same plaintext and fails alike; what it
 * says is bounded by what it was told; nothing is written behind a failure's alert.
 *
 * Input: a byte for the role (bit 0), and when the bytes come (bits 1 and 2); one for the seed of the pieces; then the
 * bytes, or, for a record amid others, what is laid over it. */
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "apus/alloc.h"
#include "apus/tls.h"
#include "require.h"

/* More than a handshake's answers need, whatever was said. */
#define MOST_ANSWERED ((size_t)64 * 1024)

enum { WHEN_FIRST, WHEN_AMID, WHEN_OPEN, WHEN_CHANGED };

static apus_tls_context *server_context, *client_context;

static apus_text text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    return (apus_text){.data = data, .len = (size_t)len};
}

/* One self-signed certificate for both, made anew for each process. */
static void make_contexts(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *own = X509_new();
    require(key != NULL && own != NULL, "there is memory for a certificate");
    X509_set_version(own, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(own), 1);
    X509_gmtime_adj(X509_getm_notBefore(own), -86400);
    X509_gmtime_adj(X509_getm_notAfter(own), 86400);
    X509_set_pubkey(own, key);
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(own, name, -1);
    X509_EXTENSION_free(name);
    require(X509_sign(own, key, EVP_sha256()) != 0, "the certificate is signed");
    BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(chain, own);
    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    apus_tls_certificate certificate = {.chain = text_of(chain), .key = text_of(secret)};
    char words[APUS_TLS_WORDS_SIZE];
    apus_tls_config config;
    apus_tls_config_init(&config, APUS_ROLE_SERVER);
    config.certificates = &certificate;
    config.certificate_count = 1;
    require(apus_tls_context_new(&server_context, &config, words) == APUS_OK, "a server's context is made");
    apus_tls_config_init(&config, APUS_ROLE_CLIENT);
    config.trusts_system = false;
    config.roots = certificate.chain;
    require(apus_tls_context_new(&client_context, &config, words) == APUS_OK, "a client's context is made");
    BIO_free(chain);
    BIO_free(secret);
    X509_free(own);
    EVP_PKEY_free(key);
}

/* One end: what it has heard, and what it says. */
typedef struct end {
    apus_tls *tls;
    apus_bytes plain;
    apus_bytes out;
    int error;
} end;

static void open_end(end *end, apus_tls_context *context, const char *host)
{
    *end = (struct end){0};
    require(apus_tls_new(&end->tls, context, host) == APUS_OK, "a connection is made");
    require(apus_tls_start(end->tls, &end->out) == APUS_OK, "it starts");
}

static void close_end(end *end)
{
    apus_tls_free(end->tls);
    apus_bytes_deinit(&end->plain);
    apus_bytes_deinit(&end->out);
}

/* Gives an end bytes, in memory of their own. */
static void hear(end *end, const uint8_t *data, size_t len)
{
    uint8_t plain[1000];
    uint8_t *copy = copy_of(data, len);
    apus_tls_input input = {.data = copy, .len = len};
    size_t said = end->out.len;
    ptrdiff_t count;
    while ((count = apus_tls_receive(end->tls, &input, plain, sizeof plain, &end->out)) > 0) {
        require((size_t)count <= sizeof plain, "plaintext keeps to its buffer");
        apus_bytes_append(&end->plain, plain, (size_t)count);
    }
    require(input.len == 0, "all is taken");
    require(end->error == APUS_OK || count == end->error, "a failure stays");
    require(end->error == APUS_OK || end->out.len == said, "nothing is said behind a failure");
    require(count == 0 || !apus_tls_is_open(end->tls), "what has failed is not open");
    require(count <= 0 && count != APUS_EINVAL && *apus_error_message((int)count) != '\0', "a failure is one of ours");
    require(end->out.len - said <= MOST_ANSWERED + 4 * len, "answers are bounded");
    end->error = (int)count;
    free(copy);
}

/* Carries what one end says to the other, once. */
static void carry(end *from, end *to)
{
    apus_bytes said = from->out;
    from->out = (apus_bytes){0};
    hear(to, said.data == NULL ? (const uint8_t *)"" : said.data, said.len);
    apus_bytes_deinit(&said);
}

static void hear_in_pieces(end *end, const uint8_t *data, size_t len, uint32_t seed)
{
    while (len != 0) {
        size_t piece = 1;
        if (seed > 1) {
            seed = seed * 1664525 + 1013904223;
            piece = 1 + (seed >> 16) % 200;
        }
        if (seed == 0 || piece > len)
            piece = len;
        hear(end, data, piece);
        data += piece;
        len -= piece;
    }
}

/* Lays the input over a good record, and gives it on. */
static void hear_changed(end *from, end *to, const uint8_t *data, size_t len)
{
    if (apus_tls_send(from->tls, (const uint8_t *)"hello", 5, &from->out) != APUS_OK)
        return;
    for (size_t i = 0; i < len; i++)
        from->out.data[i % from->out.len] ^= data[i];
    carry(from, to);
    require(to->plain.len == 0 || (to->plain.len == 5 && memcmp(to->plain.data, "hello", 5) == 0),
            "a changed record says nothing, or what it said");
}

static void run(unsigned when, bool is_server, uint32_t seed, const uint8_t *data, size_t len)
{
    end client, server;
    open_end(&client, client_context, "localhost");
    open_end(&server, server_context, NULL);
    end *to = is_server ? &server : &client, *from = is_server ? &client : &server;
    for (int i = 0; i < (when == WHEN_FIRST ? 0 : when == WHEN_AMID ? 1 : 4); i++) {
        carry(&client, &server);
        if (when != WHEN_AMID)
            carry(&server, &client);
    }
    require(when < WHEN_OPEN || (apus_tls_is_open(client.tls) && apus_tls_is_open(server.tls)), "it opens");
    if (when == WHEN_CHANGED)
        hear_changed(from, to, data, len);
    else
        hear_in_pieces(to, data, len, seed);
    require(when == WHEN_CHANGED || to->plain.len == 0, "nothing that was not encrypted comes out");
    if (apus_tls_is_open(to->tls))
        require(apus_tls_close(to->tls, &to->out) == APUS_OK, "what is open can be closed");
    int error = to->error;
    close_end(&client);
    close_end(&server);
    require(error != APUS_ENOMEM, "there is memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (server_context == NULL)
        make_contexts();
    if (len < 2)
        return 0;
    unsigned when = data[0] >> 1 & 3;
    bool is_server = (data[0] & 1) != 0;
    run(when, is_server, 0, data + 2, len - 2);
    if (when != WHEN_CHANGED && len < 300)
        run(when, is_server, 1, data + 2, len - 2);
    run(when, is_server, 2 + data[1], data + 2, len - 2);
    return 0;
}
