/* Checks the server's part of the opening handshake, with any request head:
 *
 * - a request that passes has all that RFC 6455 §4.2.1 asks for, found here by plainer means;
 * - no decision changes when the same head is written again with other capitals in its names;
 * - a subprotocol is chosen if and only if one that is supported was offered;
 * - an answer ends where it must, and has as many lines as it must;
 * - base64 that decodes is the one text that the bytes encode to. */
#include "apus/handshake.h"

#include <ctype.h>

#include "apus/base64.h"
#include "heads.h"
#include "require.h"

/* All that is decided about a request. */
typedef struct decision {
    int check;
    bool is_asked;
    bool is_same_origin;
    apus_text subprotocol;
} decision;

static const apus_text supported[] = {{"superchat", 9}, {"chat", 4}};

static decision decide(const apus_head *head)
{
    return (decision){
        .check = apus_handshake_check(head),
        .is_asked = apus_handshake_is_asked(head),
        .is_same_origin = apus_handshake_is_same_origin(head),
        .subprotocol = apus_handshake_choose_subprotocol(head, supported, 2),
    };
}

static void check_required(const apus_head *head)
{
    uint8_t key[16];
    require(is_same(head->method, (apus_text){"GET", 3}) && head->minor_version == 1, "a GET of HTTP/1.1");
    require(apus_head_has_token(head, "upgrade", "websocket"), "Upgrade lists websocket");
    require(apus_head_has_token(head, "connection", "upgrade"), "Connection lists upgrade");
    require(apus_head_count(head, "sec-websocket-version") == 1 &&
                is_same(apus_head_find(head, "sec-websocket-version")->value, (apus_text){"13", 2}),
            "one version, 13");
    require(apus_head_count(head, "sec-websocket-key") == 1, "one key");
    apus_text text = apus_head_find(head, "sec-websocket-key")->value;
    require(apus_base64_decode(text.data, text.len, key, sizeof key) == sizeof key, "a key of 16 bytes");
    require(apus_head_count(head, "host") == 1, "one Host");
    require(!head->has_content, "no content");
}

/* Counts the lines of an answer that lacks only its empty line, which is appended. */
static size_t count_lines(apus_bytes *answer)
{
    const apus_head_limits no_limits = {.size = UINT32_MAX};
    apus_head_scanner scanner = {0};
    append(answer, (apus_text){"\r\n", 2});
    require(apus_head_scan(&scanner, answer->data, answer->len, &no_limits) == (ptrdiff_t)answer->len,
            "an answer is a head");
    return scanner.lines;
}

static void check_answer(const apus_head *head, apus_text subprotocol)
{
    char accept[APUS_ACCEPT_SIZE];
    apus_bytes out = {0};
    apus_handshake_accept(apus_head_find(head, "sec-websocket-key")->value, accept);
    require(apus_handshake_write(&out, accept, subprotocol) == APUS_OK, "a handshake that passed can be answered");
    require(count_lines(&out) == (subprotocol.len > 0 ? 4 : 3), "the answer has its fields");
    apus_bytes_deinit(&out);
}

static void check_subprotocols(const apus_head *head, apus_text chosen)
{
    bool is_one_offered = false;
    for (size_t i = 0; i < 2; i++)
        is_one_offered |= apus_handshake_offers_subprotocol(head, supported[i]);
    require((chosen.len > 0) == is_one_offered, "a subprotocol is chosen where one can be");
    require(chosen.len == 0 || is_same(chosen, supported[0]) || is_same(chosen, supported[1]), "it is supported");
    require(chosen.len == 0 || apus_handshake_offers_subprotocol(head, chosen), "it was offered");
}

static void check_origin(const apus_head *head, bool is_same_origin)
{
    size_t count = apus_head_count(head, "origin");
    require(count > 0 || is_same_origin, "no Origin passes");
    require(count < 2 || !is_same_origin, "several Origins do not");
    if (count != 1 || !is_same_origin)
        return;
    apus_text origin = apus_head_find(head, "origin")->value;
    size_t start = origin.len > 4 && tolower(origin.data[4]) == 's' ? 8 : 7;
    require(origin.len > start, "an origin that passes has a host");
    require(memchr(origin.data + start, '/', origin.len - start) == NULL, "an origin that passes has no path");
}

/* Writes `head` with the capitals of its field names swapped. */
static void write_swapped(apus_bytes *out, const apus_head *head)
{
    static apus_head swapped;
    char *names[APUS_HEAD_MOST_FIELDS];
    swapped = *head;
    for (size_t i = 0; i < head->field_count; i++) {
        apus_text name = head->fields[i].name;
        names[i] = (char *)copy_of((const uint8_t *)name.data, name.len);
        for (size_t j = 0; j < name.len; j++)
            names[i][j] = (char)(isupper(name.data[j]) ? tolower(name.data[j]) : toupper(name.data[j]));
        swapped.fields[i].name.data = names[i];
    }
    write_back(out, &swapped);
    for (size_t i = 0; i < head->field_count; i++)
        free(names[i]);
}

static void check_capitals(const apus_head *head, decision expected)
{
    static apus_head again;
    apus_bytes out = {0};
    write_swapped(&out, head);
    require(apus_head_parse(&again, out.data, out.len) == APUS_OK, "it is read with other capitals");
    decision other = decide(&again);
    require(other.check == expected.check && other.is_asked == expected.is_asked &&
                other.is_same_origin == expected.is_same_origin && is_same(other.subprotocol, expected.subprotocol),
            "capitals of names decide nothing");
    apus_bytes_deinit(&out);
}

static void check_base64(const uint8_t *text, size_t text_len)
{
    uint8_t *data = malloc(text_len + 1);
    char *again = malloc(APUS_BASE64_SIZE(text_len) + 1);
    uint8_t *copy = copy_of(text, text_len);
    require(data != NULL && again != NULL, "there is memory to decode");
    ptrdiff_t len = apus_base64_decode((const char *)copy, text_len, data, text_len);
    if (len >= 0) {
        require(apus_base64_encode(data, (size_t)len, again) == text_len, "base64 is as long again");
        require(memcmp(again, text, text_len) == 0, "base64 is the same again");
    }
    free(copy);
    free(again);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static apus_head head;
    check_base64(data, len);
    uint8_t *copy = copy_of(data, len);
    if (apus_head_parse(&head, copy, len) == APUS_OK) {
        decision decision = decide(&head);
        require(decision.is_asked || decision.check != APUS_OK, "only a request that asks can pass");
        require(!decision.is_asked || head.minor_version == 1, "HTTP/1.0 asks for no upgrade");
        check_subprotocols(&head, decision.subprotocol);
        check_origin(&head, decision.is_same_origin);
        check_capitals(&head, decision);
        if (decision.check == APUS_OK) {
            check_required(&head);
            check_answer(&head, decision.subprotocol);
        }
    }
    free(copy);
    return 0;
}
