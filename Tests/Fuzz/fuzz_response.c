/* Checks what a client makes of any answer to its opening handshake:
 *
 * - an answer that was read says of its status and fields what plainer means say;
 * - one that opens has all that RFC 6455 §4.1 asks for;
 * - no decision changes when the same answer is written again with other capitals in its names. */
#include "apus/response_head.h"

#include <ctype.h>

#include "apus/handshake_client.h"
#include "heads.h"
#include "require.h"

/* The key of RFC 6455 §1.3, and what answers it. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const apus_text offered[] = {{"chat", 4}, {"superchat", 9}};

static apus_handshake_offer make_offer(bool has_extensions)
{
    return (apus_handshake_offer){
        .host = {"a", 1},
        .target = {"/", 1},
        .protocols = {"chat, superchat", 15},
        .extensions = {"permessage-deflate", has_extensions ? 18 : 0},
    };
}

static int check(const apus_response *response, bool has_extensions, apus_text *subprotocol)
{
    apus_handshake_offer offer = make_offer(has_extensions);
    return apus_handshake_check_response(response, &offer, KEY, subprotocol);
}

static bool is_only(const apus_head *head, const char *name, apus_text value)
{
    return apus_head_count(head, name) == 1 && is_same(apus_head_find(head, name)->value, value);
}

static void check_opened(const apus_response *response, apus_text subprotocol)
{
    const apus_head *head = &response->head;
    require(response->status == 101 && head->minor_version == 1, "only 101 of HTTP/1.1 opens");
    require(apus_head_count(head, "upgrade") == 1, "one Upgrade");
    require(apus_head_has_token(head, "upgrade", "websocket"), "Upgrade is websocket");
    require(apus_head_has_token(head, "connection", "upgrade"), "Connection lists upgrade");
    require(is_only(head, "sec-websocket-accept", (apus_text){ACCEPT, sizeof ACCEPT - 1}), "the key is answered");
    require(apus_head_count(head, "sec-websocket-protocol") == (subprotocol.len > 0 ? 1 : 0),
            "one subprotocol or none");
    require(subprotocol.len == 0 || is_same(subprotocol, offered[0]) || is_same(subprotocol, offered[1]),
            "the subprotocol was offered");
}

static void check_status_line(const apus_response *response, const uint8_t *data)
{
    unsigned status = (unsigned)(data[9] - '0') * 100 + (unsigned)(data[10] - '0') * 10 + (unsigned)(data[11] - '0');
    require(memcmp(data, "HTTP/1.", 7) == 0 && data[8] == ' ' && data[12] == ' ', "a status line");
    require(response->status == status && status >= 100 && status <= 999, "three digits");
}

static apus_response *read_again(apus_bytes *out, const apus_response *response, const uint8_t *data)
{
    static apus_response again;
    const char *line_end = response->reason.data + response->reason.len;
    append(out, (apus_text){(const char *)data, (size_t)(line_end + 2 - (const char *)data)});
    for (size_t i = 0; i < response->head.field_count; i++) {
        const apus_field *field = &response->head.fields[i];
        char *name = (char *)copy_of((const uint8_t *)field->name.data, field->name.len);
        for (size_t j = 0; j < field->name.len; j++)
            name[j] = (char)(isupper(name[j]) ? tolower(name[j]) : toupper(name[j]));
        require(apus_head_write_field(out, (apus_text){name, field->name.len}, field->value) == APUS_OK,
                "a field read can be written");
        free(name);
    }
    append(out, (apus_text){"\r\n", 2});
    require(apus_response_parse(&again, out->data, out->len) == APUS_OK, "it is read with other capitals");
    return &again;
}

static void check_answer(const apus_response *response, const uint8_t *data)
{
    apus_bytes out = {0};
    const apus_response *again = read_again(&out, response, data);
    for (int has_extensions = 0; has_extensions < 2; has_extensions++) {
        apus_text subprotocol = {"", 0}, other = {"", 0};
        int error = check(response, has_extensions, &subprotocol);
        require(check(again, has_extensions, &other) == error, "capitals of names decide nothing");
        if (error != APUS_OK)
            continue;
        check_opened(response, subprotocol);
        require(is_same(subprotocol, other), "nor which subprotocol is spoken");
        require(has_extensions || apus_head_find(&response->head, "sec-websocket-extensions") == NULL,
                "no extension that was not offered");
    }
    apus_bytes_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static apus_response response;
    const apus_head_limits limits = {0};
    apus_head_scanner scanner = {0};
    uint8_t *copy = copy_of(data, len);
    ptrdiff_t size = apus_head_scan(&scanner, copy, len, &limits);
    if (size > 0 && apus_response_parse(&response, copy, (size_t)size) == APUS_OK) {
        check_status_line(&response, copy);
        check_answer(&response, copy);
    }
    free(copy);
    return 0;
}
