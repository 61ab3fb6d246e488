/* Negotiates permessage-deflate with any values of Sec-WebSocket-Extensions:
 *
 * - whatever is accepted keeps to the configuration, its answer can be read again, and is one that the very client
 *   would take that offered the same;
 * - what breaks the grammar is neither accepted nor taken for an answer, and is refused with the handshake;
 * - an answer that a client takes keeps to what it has offered.
 *
 * Input: two bytes of configuration; then the values, one a line. */
#include "apus/extension.h"

#include "apus/handshake.h"
#include "heads.h"
#include "require.h"

#define START_SIZE 2
#define MOST_VALUES 8
#define TEXT(literal) ((apus_text){literal, sizeof(literal) - 1})

static apus_compression_config read_config(const uint8_t *data)
{
    static const apus_compression_mode modes[] = {APUS_COMPRESSION_SHARED, APUS_COMPRESSION_DEDICATED,
                                                  APUS_COMPRESSION_DEDICATED, APUS_COMPRESSION_OFF};
    apus_compression_config config;
    apus_compression_config_init(&config);
    config.mode = modes[data[0] & 3];
    config.server_no_context_takeover = (data[0] & 4) != 0;
    config.client_no_context_takeover = (data[0] & 8) != 0;
    config.server_max_window_bits = 9 + (data[1] & 15) % 7;
    config.client_max_window_bits = 9 + (data[1] >> 4) % 7;
    require(apus_compression_config_check(&config) == APUS_OK, "the configuration is right");
    return config;
}

/* A head with these values; `bytes` is its memory. */
static bool make_head(apus_head *head, apus_bytes *bytes, const apus_text *values, size_t count)
{
    append(bytes, TEXT("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
    append(bytes, TEXT("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    append(bytes, TEXT("Sec-WebSocket-Version: 13\r\n"));
    for (size_t i = 0; i < count; i++) {
        if (apus_head_write_field(bytes, TEXT("Sec-WebSocket-Extensions"), values[i]) != APUS_OK)
            return false;
    }
    append(bytes, TEXT("\r\n"));
    return apus_head_parse(head, bytes->data, bytes->len) == APUS_OK;
}

static void check_bits(uint8_t bits, unsigned least, uint8_t most)
{
    require(bits >= least && bits <= most, "window bits are in their range");
}

static void check_client(const apus_head *head, const apus_compression_config *config, bool is_valid)
{
    apus_deflate_parameters parameters;
    bool is_agreed;
    int error = apus_extension_check_answer(head, config, &is_agreed, &parameters);
    require(error == APUS_OK || error == APUS_EEXTENSION, "an answer is right or wrong");
    require(is_valid || error != APUS_OK, "what breaks the grammar is no answer");
    if (error != APUS_OK || !is_agreed)
        return;
    require(config->mode != APUS_COMPRESSION_OFF, "nothing is agreed on that was not offered");
    check_bits(parameters.server_max_window_bits, 8, config->server_max_window_bits);
    check_bits(parameters.client_max_window_bits, 8, config->client_max_window_bits);
    bool is_server_without = config->mode == APUS_COMPRESSION_SHARED || config->server_no_context_takeover;
    bool is_client_without = config->mode == APUS_COMPRESSION_SHARED || config->client_no_context_takeover;
    require(!is_server_without || parameters.server_no_context_takeover, "what was demanded is agreed on");
    require(!is_client_without || parameters.client_no_context_takeover, "what was announced is kept");
}

/* The client that offered what was accepted takes any answer within its offer: here the widest one. */
static void check_answer(const apus_deflate_parameters *parameters)
{
    static apus_head head;
    char answer[APUS_EXTENSION_SIZE];
    apus_text value = {answer, apus_extension_write_answer(parameters, answer)};
    apus_bytes bytes = {0};
    require(make_head(&head, &bytes, &value, 1), "an answer can stand in a head");
    apus_compression_config widest;
    apus_compression_config_init(&widest);
    widest.mode = APUS_COMPRESSION_DEDICATED;
    apus_deflate_parameters again;
    bool is_agreed;
    require(apus_extension_check_answer(&head, &widest, &is_agreed, &again) == APUS_OK && is_agreed,
            "an answer is one that a client takes");
    require(again.server_max_window_bits == parameters->server_max_window_bits &&
                again.client_max_window_bits == parameters->client_max_window_bits &&
                again.server_no_context_takeover == parameters->server_no_context_takeover &&
                again.client_no_context_takeover == parameters->client_no_context_takeover,
            "both ends agree on the same");
    apus_bytes_deinit(&bytes);
}

static void check_server(const apus_head *head, const apus_compression_config *config, bool is_valid)
{
    apus_deflate_parameters parameters;
    if (!apus_extension_choose(head, config, &parameters))
        return;
    require(is_valid || apus_head_count(head, "sec-websocket-extensions") != 0, "only an offer can be accepted");
    require(config->mode != APUS_COMPRESSION_OFF, "nothing is accepted while compression is off");
    check_bits(parameters.server_max_window_bits, 9, config->server_max_window_bits);
    check_bits(parameters.client_max_window_bits, 8, 15);
    require(config->mode != APUS_COMPRESSION_SHARED ||
                (parameters.server_no_context_takeover && parameters.client_no_context_takeover),
            "what is shared keeps no context");
    check_answer(&parameters);
}

static void check_own_offer(const apus_compression_config *config)
{
    static apus_head head;
    char offer[APUS_EXTENSION_SIZE];
    apus_text value = {offer, apus_extension_write_offer(config, offer)};
    require((value.len == 0) == (config->mode == APUS_COMPRESSION_OFF), "an offer is made unless compression is off");
    if (value.len == 0)
        return;
    apus_bytes bytes = {0};
    apus_deflate_parameters parameters;
    require(make_head(&head, &bytes, &value, 1), "an offer can stand in a head");
    require(apus_extension_choose(&head, config, &parameters), "an offer is one that its like accepts");
    char answer[APUS_EXTENSION_SIZE];
    apus_text answered = {answer, apus_extension_write_answer(&parameters, answer)};
    apus_bytes_deinit(&bytes);
    require(make_head(&head, &bytes, &answered, 1), "an answer can stand in a head");
    bool is_agreed;
    require(apus_extension_check_answer(&head, config, &is_agreed, &parameters) == APUS_OK && is_agreed,
            "and its answer is taken");
    apus_bytes_deinit(&bytes);
}

/* Cuts the text into lines; returns how many. */
static size_t split(const uint8_t *data, size_t len, apus_text values[MOST_VALUES])
{
    const char *text = (const char *)data;
    size_t count = 0;
    for (size_t start = 0; start <= len && count < MOST_VALUES; count++) {
        const char *end = start < len ? memchr(text + start, '\n', len - start) : NULL;
        size_t stop = end != NULL ? (size_t)(end - text) : len;
        values[count] = (apus_text){text + start, stop - start};
        start = stop + 1;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static apus_head head;
    if (len < START_SIZE)
        return 0;
    apus_compression_config config = read_config(data);
    apus_text values[MOST_VALUES];
    size_t count = split(data + START_SIZE, len - START_SIZE, values);
    apus_bytes bytes = {0};
    if (make_head(&head, &bytes, values, count)) {
        int error = apus_handshake_check(&head);
        require(error == APUS_OK || error == APUS_EHANDSHAKE, "only its extensions can make the handshake wrong");
        check_server(&head, &config, error == APUS_OK);
        check_client(&head, &config, error == APUS_OK);
    }
    check_own_offer(&config);
    apus_bytes_deinit(&bytes);
    return 0;
}
