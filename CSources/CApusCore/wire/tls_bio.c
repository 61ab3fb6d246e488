/* OpenSSL reads and writes through a BIO. This one reads what the caller has just received, where it stands, and writes
 * behind what the caller is about to send: a memory BIO would keep a copy of both for each connection. */
#include <string.h>

#include "wire/tls.h"

static int read_input(BIO *bio, char *data, size_t size, size_t *count)
{
    apus_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->input == NULL || tls->input->len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = size < tls->input->len ? size : tls->input->len;
    memcpy(data, tls->input->data, *count);
    tls->input->data += *count;
    tls->input->len -= *count;
    return 1;
}

static int write_output(BIO *bio, const char *data, size_t len, size_t *count)
{
    apus_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->output == NULL)
        return 0;
    if (apus_bytes_append(tls->output, data, len) != APUS_OK) {
        tls->is_out_of_memory = true;
        return 0;
    }
    *count = len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* all is written already; anything else is unknown here */
}

BIO_METHOD *apus__tls_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "apus");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read_ex(method, read_input);
    BIO_meth_set_write_ex(method, write_output);
    BIO_meth_set_ctrl(method, control);
    return method;
}

BIO *apus__tls_bio_new(const apus_tls_context *context, apus_tls *tls)
{
    BIO *bio = BIO_new(context->method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}
