/* Both ends begin where an opening handshake would have led; its heads are written and read here, so that extensions
 * are agreed on by the same rules. */
#include "apus/pair.h"

#include <string.h>

#include "apus/alloc.h"
#include "apus/bytes.h"
#include "apus/handshake.h"
#include "apus/handshake_client.h"
#include "apus/response_head.h"
#include "net/pipe.h"
#include "net/random.h"
#include "server/client.h"
#include "server/connection.h"
#include "server/endpoint.h"

#define SERVER 0
#define CLIENT 1

struct apus_pair {
    apus_endpoint endpoints[2];
    apus_endpoint_config configs[2];
    void (*on_stop)(void *context);
    void *stop_context;
};

/* What is made before anything can be told, so that nothing fails afterwards. */
typedef struct parts {
    apus_connection *connections[2];
    apus_pipe *pipes[2];
    apus_bytes request;
    apus_bytes response;
} parts;

static apus_text text_of(const apus_bytes *bytes)
{
    return (apus_text){(const char *)bytes->data, bytes->len};
}

static void free_if_done(apus_pair *pair)
{
    if (pair->on_stop == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        if (!apus_queue_is_empty(&pair->endpoints[i].connections))
            return;
    }
    pair->on_stop(pair->stop_context);
    apus_free(pair);
}

static void forget(apus_endpoint *endpoint, apus_pair *pair)
{
    APUS_COUNT(endpoint->statistics.connections_now, -1);
    free_if_done(pair);
}

static void on_forget_server(apus_endpoint *endpoint)
{
    forget(endpoint, APUS_QUEUE_MEMBER(endpoint, apus_pair, endpoints[SERVER]));
}

static void on_forget_client(apus_endpoint *endpoint)
{
    forget(endpoint, APUS_QUEUE_MEMBER(endpoint, apus_pair, endpoints[CLIENT]));
}

static apus_pair *new_pair(apus_loop *loop, const apus_endpoint_config *server, const apus_endpoint_config *client)
{
    apus_pair *pair = apus_calloc(1, sizeof *pair);
    if (pair == NULL)
        return NULL;
    pair->configs[SERVER] = *server;
    pair->configs[CLIENT] = *client;
    if (apus__client_set_keys(&pair->configs[CLIENT].session, loop) != APUS_OK) {
        apus_free(pair);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        pair->configs[i].tls = NULL;
        apus__endpoint_init(&pair->endpoints[i], loop, &pair->configs[i], NULL);
    }
    pair->endpoints[SERVER].on_forget = on_forget_server;
    pair->endpoints[CLIENT].on_forget = on_forget_client;
    return pair;
}

static int write_request(parts *made, const apus_compression_config *compression)
{
    char key[APUS_KEY_SIZE];
    uint8_t nonce[APUS_NONCE_SIZE];
    char extensions[APUS_EXTENSION_SIZE];
    apus__random_fill(nonce, sizeof nonce);
    apus_handshake_make_key(nonce, key);
    apus_handshake_offer offer = {
        .host = {"localhost", strlen("localhost")},
        .target = {"/", 1},
        .protocols = {"", 0},
        .extensions = {extensions, apus_extension_write_offer(compression, extensions)},
    };
    return apus_handshake_write_request(&made->request, &offer, key);
}

static int append_text(apus_bytes *out, const char *text, size_t len)
{
    return apus_bytes_append(out, (const uint8_t *)text, len);
}

/* `parameters` is NULL where no compression was agreed on. */
static int write_response(parts *made, const apus_head *request, const apus_deflate_parameters *parameters)
{
    static const char name[] = "Sec-WebSocket-Extensions: ";
    char accept[APUS_ACCEPT_SIZE];
    char extensions[APUS_EXTENSION_SIZE];
    const apus_field *key = apus_head_find(request, "sec-websocket-key");
    if (key == NULL)
        return APUS_EKEY;
    apus_handshake_accept(key->value, accept);
    int error = apus_handshake_write(&made->response, accept, (apus_text){"", 0});
    if (error == APUS_OK && parameters != NULL) {
        size_t len = apus_extension_write_answer(parameters, extensions);
        error = append_text(&made->response, name, sizeof name - 1);
        if (error == APUS_OK)
            error = append_text(&made->response, extensions, len);
        if (error == APUS_OK)
            error = append_text(&made->response, "\r\n", 2);
    }
    return error == APUS_OK ? append_text(&made->response, "\r\n", 2) : error;
}

/* Writes both heads, and turns on what they agree on. */
static int shake_hands(const apus_pair *pair, parts *made)
{
    const apus_compression_config *offered = &pair->configs[CLIENT].compression;
    apus_head request;
    apus_deflate_parameters parameters;
    int error = write_request(made, offered);
    if (error == APUS_OK)
        error = apus_head_parse(&request, made->request.data, made->request.len);
    if (error != APUS_OK)
        return error;
    bool is_agreed = apus_extension_choose(&request, &pair->configs[SERVER].compression, &parameters);
    error = write_response(made, &request, is_agreed ? &parameters : NULL);
    if (error != APUS_OK || !is_agreed)
        return error;
    error = apus__connection_set_compression(made->connections[SERVER], &parameters);
    apus_response response;
    if (error == APUS_OK)
        error = apus_response_parse(&response, made->response.data, made->response.len);
    if (error == APUS_OK)
        error = apus_extension_check_answer(&response.head, offered, &is_agreed, &parameters);
    if (error == APUS_OK)
        error = apus__connection_set_compression(made->connections[CLIENT], &parameters);
    return error;
}

static int make_parts(apus_pair *pair, parts *made)
{
    for (int i = 0; i < 2; i++) {
        made->connections[i] = apus__connection_new(&pair->endpoints[i]);
        if (made->connections[i] == NULL)
            return APUS_ENOMEM;
    }
    int error = apus__pipe_new(made->pipes);
    return error == APUS_OK ? shake_hands(pair, made) : error;
}

static void free_parts(apus_pair *pair, parts *made)
{
    for (int i = 0; i < 2; i++) {
        apus__pipe_free(made->pipes[i]);
        if (made->connections[i] != NULL)
            apus_session_deinit(&made->connections[i]->session);
        apus_free(made->connections[i]);
        apus_deflate_pool_clear(&pair->endpoints[i].pool);
    }
}

static void free_heads(parts *made)
{
    apus_bytes_deinit(&made->request);
    apus_bytes_deinit(&made->response);
}

int apus_pair_open(apus_pair **out, apus_loop *loop, const apus_endpoint_config *server,
                   const apus_endpoint_config *client, apus_pair_open_cb on_open, void *context)
{
    int error = apus_compression_config_check(&server->compression);
    if (error == APUS_OK)
        error = apus_compression_config_check(&client->compression);
    if (error != APUS_OK)
        return error;
    apus_pair *pair = new_pair(loop, server, client);
    if (pair == NULL)
        return APUS_ENOMEM;
    parts made = {0};
    error = make_parts(pair, &made);
    if (error != APUS_OK) {
        free_parts(pair, &made);
        free_heads(&made);
        apus_free(pair);
        return error;
    }
    for (int i = 0; i < 2; i++)
        apus__connection_open_pipe(made.connections[i], made.pipes[i]);
    *out = pair;
    on_open(context, &(apus_pair_ends){.server = made.connections[SERVER], .client = made.connections[CLIENT]},
            text_of(&made.request), text_of(&made.response));
    free_heads(&made);
    return APUS_OK;
}

void apus_pair_stop(apus_pair *pair, void (*on_stop)(void *context), void *context)
{
    apus__endpoint_stop(&pair->endpoints[SERVER]);
    apus__endpoint_stop(&pair->endpoints[CLIENT]);
    pair->on_stop = on_stop;
    pair->stop_context = context;
    free_if_done(pair);
}
