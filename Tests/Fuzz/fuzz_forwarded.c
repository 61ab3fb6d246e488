/* Checks the fields that proxies add, with any bytes as their values, on two lines:
 *
 * - what is told points into the head, and a host is one;
 * - a word that an untrusted address stands behind changes nothing. */
#include "apus/forwarded.h"

#include "heads.h"

static const apus_ip_range trusted = {.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}}, .prefix = 104};

/* A request with one field of that name for each line of `data`; false where that is no head. */
static bool make_head(apus_head *head, apus_bytes *out, const char *name, const char *last, const uint8_t *data,
                      size_t len)
{
    append(out, (apus_text){"GET / HTTP/1.1\r\nHost: a\r\n", 25});
    while (len > 0) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t size = end == NULL ? len : (size_t)(end - data);
        append(out, (apus_text){name, strlen(name)});
        append(out, (apus_text){(const char *)data, size});
        append(out, (apus_text){"\r\n", 2});
        data += end == NULL ? size : size + 1;
        len -= end == NULL ? size : size + 1;
    }
    if (last != NULL) {
        append(out, (apus_text){name, strlen(name)});
        append(out, (apus_text){last, strlen(last)});
        append(out, (apus_text){"\r\n", 2});
    }
    append(out, (apus_text){"\r\n", 2});
    return apus_head_parse(head, out->data, out->len) == APUS_OK;
}

static void check(const char *name, const char *last, apus_forwarding forwarding, const uint8_t *data, size_t len)
{
    apus_bytes bytes = {0};
    apus_head head;
    apus_forwarded forwarded;
    if (make_head(&head, &bytes, name, NULL, data, len) &&
        apus_forwarded_read(&forwarded, &head, forwarding, &trusted, 1) == APUS_OK) {
        const uint8_t *host = (const uint8_t *)forwarded.host.data;
        require(forwarded.host.len == 0 || (host >= bytes.data && host + forwarded.host.len <= bytes.data + bytes.len),
                "a host is in the head");
        require(apus_forwarded_is_same_origin(&forwarded, &head), "without Origin it is no page");
    }
    bytes.len = 0;
    if (make_head(&head, &bytes, name, last, data, len) &&
        apus_forwarded_read(&forwarded, &head, forwarding, &trusted, 1) == APUS_OK) {
        apus_ip client = apus_ip_from_v4((uint8_t[]){6, 6, 6, 6});
        require(forwarded.has_client && memcmp(&forwarded.client, &client, sizeof client) == 0 &&
                    forwarded.host.len == 0 && forwarded.scheme == APUS_SCHEME_UNKNOWN,
                "the last word is that of the last who is not trusted");
    }
    apus_bytes_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 4096)
        return 0;
    check("Forwarded: ", "for=6.6.6.6", APUS_FORWARDING_RFC7239, data, len);
    check("X-Forwarded-For: ", "6.6.6.6", APUS_FORWARDING_X, data, len);
    return 0;
}
