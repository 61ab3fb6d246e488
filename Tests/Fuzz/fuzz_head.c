/* Checks the search for a head's end and the reading of a head, with any bytes as the start of a connection:
 *
 * - the search comes to the same result with the same byte, however the bytes are cut and wherever they lie;
 * - what is read points into the head, and holds no byte that it must not hold;
 * - what is read can be written, found and read again, and is the same;
 * - a head that is read is one that the search finds;
 * - a host and a port that are read from the whole input are still the same when they are put together again. */
#include "apus/head.h"

#include "heads.h"
#include "require.h"
#include "wire/authority.h"

#define MOST_COPIED 1024 /* beyond it, copying the bytes for every further one would take all the time */

typedef struct outcome {
    ptrdiff_t result;
    size_t needed; /* the bytes after which it was known */
} outcome;

/* Searches as bytes arrive, `step` at a time, each time in other memory. */
static outcome scan_in_steps(const uint8_t *data, size_t len, size_t step, const apus_head_limits *limits)
{
    apus_head_scanner scanner = {0};
    outcome outcome = {0};
    while (outcome.result == 0 && outcome.needed < len) {
        outcome.needed = len - outcome.needed < step ? len : outcome.needed + step;
        uint8_t *copy = copy_of(data, outcome.needed);
        outcome.result = apus_head_scan(&scanner, copy, outcome.needed, limits);
        require(apus_head_scan(&scanner, copy, outcome.needed, limits) == outcome.result, "asking again is harmless");
        free(copy);
    }
    return outcome;
}

static ptrdiff_t check_scan(const uint8_t *data, size_t len, const apus_head_limits *limits)
{
    ptrdiff_t whole = scan_in_steps(data, len, len + 1, limits).result;
    if (len > MOST_COPIED)
        return whole;
    outcome bytewise = scan_in_steps(data, len, 1, limits);
    require(bytewise.result == whole, "byte by byte comes to what the whole comes to");
    for (size_t step = 2; step < 20; step++) {
        outcome stepwise = scan_in_steps(data, len, step, limits);
        require(stepwise.result == whole, "a cut changes nothing");
        require(stepwise.needed >= bytewise.needed && stepwise.needed - bytewise.needed < step,
                "the result is known with the same byte");
    }
    require(whole <= 0 || (size_t)whole == bytewise.needed, "a head is found with its last byte");
    return whole;
}

static void check_text(apus_text text, const uint8_t *data, size_t len)
{
    const uint8_t *start = (const uint8_t *)text.data;
    require(start >= data && start <= data + len && text.len <= (size_t)(data + len - start), "a text is in the head");
    for (size_t i = 0; i < text.len; i++)
        require((start[i] >= 0x20 && start[i] != 0x7f) || start[i] == '\t', "a text holds no control character");
}

static void check_head(const apus_head *head, const uint8_t *data, size_t len)
{
    check_text(head->method, data, len);
    check_text(head->target, data, len);
    require(head->method.len > 0 && head->target.len > 0, "there is a method and a target");
    require(head->field_count <= APUS_HEAD_MOST_FIELDS && head->minor_version <= 1, "numbers are in their range");
    require(!head->is_chunked || (head->has_content && head->content_length == 0), "chunked content has no length");
    for (size_t i = 0; i < head->field_count; i++) {
        check_text(head->fields[i].name, data, len);
        check_text(head->fields[i].value, data, len);
        require(head->fields[i].name.len > 0, "a field has a name");
    }
}

static void check_same(const apus_head *one, const apus_head *other)
{
    require(is_same(one->method, other->method) && is_same(one->target, other->target) &&
                one->minor_version == other->minor_version,
            "the request line is the same again");
    require(one->keep_alive == other->keep_alive && one->has_content == other->has_content &&
                one->is_chunked == other->is_chunked && one->content_length == other->content_length,
            "the framing is the same again");
    require(one->field_count == other->field_count, "the fields are as many again");
    for (size_t i = 0; i < one->field_count; i++)
        require(is_same(one->fields[i].name, other->fields[i].name) &&
                    is_same(one->fields[i].value, other->fields[i].value),
                "a field is the same again");
}

/* Reads `len` bytes, and if they are a head, writes, finds and reads it again. */
static void check_parse(const uint8_t *data, size_t len)
{
    static apus_head head, again;
    uint8_t *copy = copy_of(data, len);
    if (apus_head_parse(&head, copy, len) == APUS_OK) {
        const apus_head_limits no_limits = {.size = UINT32_MAX};
        apus_head_scanner scanner = {0};
        require(apus_head_scan(&scanner, copy, len, &no_limits) == (ptrdiff_t)len, "a head that is read is found");
        check_head(&head, copy, len);

        apus_bytes out = {0};
        write_back(&out, &head);
        scanner = (apus_head_scanner){0};
        require(apus_head_scan(&scanner, out.data, out.len, &no_limits) == (ptrdiff_t)out.len, "it is found again");
        require(apus_head_parse(&again, out.data, out.len) == APUS_OK, "it is read again");
        check_same(&head, &again);
        apus_bytes_deinit(&out);
    }
    free(copy);
}

static void check_authority(const uint8_t *data, size_t len)
{
    apus__authority one, other;
    uint8_t *copy = copy_of(data, len);
    if (apus__authority_parse(&one, (apus_text){(const char *)copy, len})) {
        apus_bytes out = {0};
        char port[8] = "";
        if (one.port != APUS__NO_PORT)
            snprintf(port, sizeof port, ":%d", one.port);
        append(&out, one.host);
        append(&out, (apus_text){port, strlen(port)});
        require(one.host.len > 0 && one.port <= 65535, "a host is never empty, a port has 16 bits");
        require(apus__authority_parse(&other, (apus_text){(const char *)out.data, out.len}) &&
                    is_same(one.host, other.host) && one.port == other.port,
                "host and port are the same again");
        apus_bytes_deinit(&out);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const apus_head_limits defaults = {0};
    const apus_head_limits tight = {.size = 48, .fields = 2};
    check_scan(data, len, &tight);
    ptrdiff_t size = check_scan(data, len, &defaults);
    if (size > 0)
        check_parse(data, (size_t)size);
    check_parse(data, len);
    check_authority(data, len);
    return 0;
}
