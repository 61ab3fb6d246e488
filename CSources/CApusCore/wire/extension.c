/* What RFC 7692 §7.1 makes of an extension's parameters, in an offer and in an answer. */
#include "apus/extension.h"

#include <assert.h>
#include <string.h>

#include "wire/extension_reader.h"
#include "wire/text.h"

enum parameter {
    SERVER_NO_CONTEXT_TAKEOVER,
    CLIENT_NO_CONTEXT_TAKEOVER,
    SERVER_MAX_WINDOW_BITS,
    CLIENT_MAX_WINDOW_BITS,
    PARAMETER_COUNT,
};

static const apus_text names[PARAMETER_COUNT] = {
    [SERVER_NO_CONTEXT_TAKEOVER] = {"server_no_context_takeover", 26},
    [CLIENT_NO_CONTEXT_TAKEOVER] = {"client_no_context_takeover", 26},
    [SERVER_MAX_WINDOW_BITS] = {"server_max_window_bits", 22},
    [CLIENT_MAX_WINDOW_BITS] = {"client_max_window_bits", 22},
};

static const apus_text extension_name = {"permessage-deflate", 18};

/* One extension of a list, as far as it matters here. */
typedef struct terms {
    bool is_known; /* permessage-deflate, with parameters that can be as they are */
    bool has[PARAMETER_COUNT];
    uint8_t bits[PARAMETER_COUNT]; /* 0 where there is no value */
} terms;

void apus_compression_config_init(apus_compression_config *config)
{
    *config = (apus_compression_config){
        .mode = APUS_COMPRESSION_OFF,
        .level = 1,
        .threshold = 256,
        .server_max_window_bits = APUS_WINDOW_BITS_MOST,
        .client_max_window_bits = APUS_WINDOW_BITS_MOST,
    };
}

static bool are_deflate_bits(uint8_t bits)
{
    return bits >= APUS_WINDOW_BITS_LEAST_DEFLATE && bits <= APUS_WINDOW_BITS_MOST;
}

int apus_compression_config_check(const apus_compression_config *config)
{
    bool is_valid = config->level >= 1 && config->level <= 9 && are_deflate_bits(config->server_max_window_bits) &&
                    are_deflate_bits(config->client_max_window_bits);
    return is_valid ? APUS_OK : APUS_EINVAL;
}

/* The number from 8 to 15 that a value is, "without leading zeroes" (§7.1.2.1); 0 where it is none. */
static uint8_t parse_bits(const apus__extension_parameter *parameter)
{
    const char *value = parameter->value;
    if (parameter->value_len == 1 && (value[0] == '8' || value[0] == '9'))
        return (uint8_t)(value[0] - '0');
    if (parameter->value_len == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5')
        return (uint8_t)(10 + value[1] - '0');
    return 0;
}

/* Notes one parameter; false where it cannot be as it is, in an offer or an answer. */
static bool note(terms *terms, const apus__extension_parameter *parameter)
{
    size_t i = 0;
    while (i < PARAMETER_COUNT && !apus__text_is_same(parameter->name, names[i]))
        i++;
    if (i == PARAMETER_COUNT || terms->has[i])
        return false;
    terms->has[i] = true;
    if (i == SERVER_NO_CONTEXT_TAKEOVER || i == CLIENT_NO_CONTEXT_TAKEOVER)
        return !parameter->has_value;
    if (!parameter->has_value)
        return i == CLIENT_MAX_WINDOW_BITS; /* an offer may leave the value to the server (§7.1.2.2) */
    terms->bits[i] = parse_bits(parameter);
    return terms->bits[i] != 0;
}

/* Reads the next extension with its parameters. */
static apus__extension_result read_terms(apus__extension_reader *reader, terms *out)
{
    apus_text name;
    apus__extension_result result = apus__extension_next(reader, &name);
    if (result != APUS__EXTENSION_FOUND)
        return result;
    *out = (terms){.is_known = apus__text_is_same(name, extension_name)};
    apus__extension_parameter parameter;
    while ((result = apus__extension_next_parameter(reader, &parameter)) == APUS__EXTENSION_FOUND)
        out->is_known = out->is_known && note(out, &parameter);
    return result == APUS__EXTENSION_END ? APUS__EXTENSION_FOUND : APUS__EXTENSION_MALFORMED;
}

static uint8_t smaller(uint8_t one, uint8_t other)
{
    return one < other ? one : other;
}

static bool is_without_takeover(const apus_compression_config *config, bool is_configured)
{
    return config->mode == APUS_COMPRESSION_SHARED || is_configured;
}

static bool accept_offer(const terms *offer, const apus_compression_config *config, apus_deflate_parameters *out)
{
    if (!offer->is_known)
        return false;
    uint8_t server_bits = config->server_max_window_bits;
    if (offer->has[SERVER_MAX_WINDOW_BITS])
        server_bits = smaller(server_bits, offer->bits[SERVER_MAX_WINDOW_BITS]);
    if (server_bits < APUS_WINDOW_BITS_LEAST_DEFLATE)
        return false;
    /* Only a client that names the parameter understands it in an answer (§7.1.2.2). */
    uint8_t client_bits = APUS_WINDOW_BITS_MOST;
    if (offer->has[CLIENT_MAX_WINDOW_BITS])
        client_bits = config->client_max_window_bits;
    if (offer->bits[CLIENT_MAX_WINDOW_BITS] != 0)
        client_bits = smaller(client_bits, offer->bits[CLIENT_MAX_WINDOW_BITS]);
    *out = (apus_deflate_parameters){
        .server_max_window_bits = server_bits,
        .client_max_window_bits = client_bits,
        .server_no_context_takeover =
            offer->has[SERVER_NO_CONTEXT_TAKEOVER] || is_without_takeover(config, config->server_no_context_takeover),
        .client_no_context_takeover =
            offer->has[CLIENT_NO_CONTEXT_TAKEOVER] || is_without_takeover(config, config->client_no_context_takeover),
        .names_server_bits = offer->has[SERVER_MAX_WINDOW_BITS] || server_bits < APUS_WINDOW_BITS_MOST,
    };
    return true;
}

bool apus_extension_choose(const apus_head *request, const apus_compression_config *config,
                           apus_deflate_parameters *out)
{
    if (config->mode == APUS_COMPRESSION_OFF)
        return false;
    apus__extension_reader reader;
    apus__extension_reader_init(&reader, request);
    terms offer;
    while (read_terms(&reader, &offer) == APUS__EXTENSION_FOUND) {
        if (accept_offer(&offer, config, out))
            return true;
    }
    return false;
}

/* A value that is being written. */
typedef struct writer {
    char *out;
    size_t len;
} writer;

static void write_text(writer *writer, apus_text text)
{
    assert(text.len <= APUS_EXTENSION_SIZE - writer->len);
    memcpy(writer->out + writer->len, text.data, text.len);
    writer->len += text.len;
}

/* Writes a parameter, with a value unless it is 0. */
static void write_parameter(writer *writer, enum parameter parameter, uint8_t bits)
{
    write_text(writer, APUS__TEXT("; "));
    write_text(writer, names[parameter]);
    if (bits == 0)
        return;
    char digits[] = {'1', (char)('0' + bits % 10)};
    write_text(writer, APUS__TEXT("="));
    write_text(writer, bits < 10 ? (apus_text){digits + 1, 1} : (apus_text){digits, 2});
}

size_t apus_extension_write_answer(const apus_deflate_parameters *parameters, char out[APUS_EXTENSION_SIZE])
{
    writer writer = {.out = out};
    write_text(&writer, extension_name);
    if (parameters->server_no_context_takeover)
        write_parameter(&writer, SERVER_NO_CONTEXT_TAKEOVER, 0);
    if (parameters->client_no_context_takeover)
        write_parameter(&writer, CLIENT_NO_CONTEXT_TAKEOVER, 0);
    if (parameters->names_server_bits)
        write_parameter(&writer, SERVER_MAX_WINDOW_BITS, parameters->server_max_window_bits);
    if (parameters->client_max_window_bits < APUS_WINDOW_BITS_MOST)
        write_parameter(&writer, CLIENT_MAX_WINDOW_BITS, parameters->client_max_window_bits);
    return writer.len;
}

size_t apus_extension_write_offer(const apus_compression_config *config, char out[APUS_EXTENSION_SIZE])
{
    writer writer = {.out = out};
    if (config->mode == APUS_COMPRESSION_OFF)
        return 0;
    write_text(&writer, extension_name);
    if (is_without_takeover(config, config->server_no_context_takeover))
        write_parameter(&writer, SERVER_NO_CONTEXT_TAKEOVER, 0);
    if (is_without_takeover(config, config->client_no_context_takeover))
        write_parameter(&writer, CLIENT_NO_CONTEXT_TAKEOVER, 0);
    if (config->server_max_window_bits < APUS_WINDOW_BITS_MOST)
        write_parameter(&writer, SERVER_MAX_WINDOW_BITS, config->server_max_window_bits);
    uint8_t client_bits = config->client_max_window_bits;
    write_parameter(&writer, CLIENT_MAX_WINDOW_BITS, client_bits < APUS_WINDOW_BITS_MOST ? client_bits : 0);
    return writer.len;
}

/* Whether an answer is one to what apus_extension_write_offer offers; `out` holds what it says. */
static bool check_terms(const terms *answer, const apus_compression_config *config, apus_deflate_parameters *out)
{
    if (!answer->is_known || (answer->has[CLIENT_MAX_WINDOW_BITS] && answer->bits[CLIENT_MAX_WINDOW_BITS] == 0))
        return false;
    bool is_server_without = answer->has[SERVER_NO_CONTEXT_TAKEOVER];
    if (is_without_takeover(config, config->server_no_context_takeover) && !is_server_without)
        return false;
    uint8_t server_bits =
        answer->has[SERVER_MAX_WINDOW_BITS] ? answer->bits[SERVER_MAX_WINDOW_BITS] : (uint8_t)APUS_WINDOW_BITS_MOST;
    uint8_t client_bits =
        answer->has[CLIENT_MAX_WINDOW_BITS] ? answer->bits[CLIENT_MAX_WINDOW_BITS] : config->client_max_window_bits;
    if (server_bits > config->server_max_window_bits || client_bits > config->client_max_window_bits)
        return false;
    *out = (apus_deflate_parameters){
        .server_max_window_bits = server_bits,
        .client_max_window_bits = client_bits,
        .server_no_context_takeover = is_server_without,
        /* What a client has announced it may do of itself, whatever the answer (§7.1.1.2). */
        .client_no_context_takeover =
            answer->has[CLIENT_NO_CONTEXT_TAKEOVER] || is_without_takeover(config, config->client_no_context_takeover),
        .names_server_bits = answer->has[SERVER_MAX_WINDOW_BITS],
    };
    return true;
}

int apus_extension_check_answer(const apus_head *response, const apus_compression_config *config, bool *is_agreed,
                                apus_deflate_parameters *out)
{
    apus__extension_reader reader;
    apus__extension_reader_init(&reader, response);
    *is_agreed = false;
    terms answer;
    apus__extension_result result;
    while ((result = read_terms(&reader, &answer)) == APUS__EXTENSION_FOUND) {
        if (*is_agreed || config->mode == APUS_COMPRESSION_OFF || !check_terms(&answer, config, out))
            return APUS_EEXTENSION;
        *is_agreed = true;
    }
    return result == APUS__EXTENSION_END ? APUS_OK : APUS_EEXTENSION;
}
