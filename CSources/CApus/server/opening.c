/* A client's opening handshake, step by step: a connected socket, the proxy's answer, the server's answer. TLS begins
 * before the request to the server, which waits in the stream until TLS's own handshake is done.
 *
 *   CONNECT --socket--> PROXY --2xx--> ANSWER --101--> open
 *      |                  |              |
 *      |                  +---refused----+--> REFUSAL --content--> failed
 *      +--no socket-------+--malformed---+--------------------------^
 */
#include "server/client.h"

#include <string.h>
#include <unistd.h>

#include "apus/alloc.h"
#include "apus/chunked.h"
#include "apus/extension.h"
#include "net/random.h"

/* Answers 1xx (RFC 9110 §15.2) that may come before the one that counts. */
#define MOST_INTERIM_ANSWERS 8

/* Bytes of a server's name (RFC 1035 §2.3.4). */
#define MOST_SERVER_NAME 255

static apus_text text_of(const apus_bytes *bytes)
{
    return (apus_text){bytes->data != NULL ? (const char *)bytes->data : "", bytes->len};
}

static const apus_client_config *config_of(const apus_opening *opening)
{
    return &opening->client->config;
}

static const apus_compression_config *compression_of(const apus_opening *opening)
{
    return &config_of(opening)->endpoint.compression;
}

void apus__opening_free(apus_opening *opening)
{
    apus_queue_remove(&opening->node);
    apus_bytes_deinit(&opening->connect_request);
    apus_bytes_deinit(&opening->request);
    apus_bytes_deinit(&opening->protocols);
    apus_bytes_deinit(&opening->server_name);
    apus_bytes_deinit(&opening->received);
    apus_free(opening);
}

/* Lets go of whatever the opening waits for. */
static void detach(apus_opening *opening)
{
    apus_connection *connection = opening->connection;
    apus_queue_remove(&opening->node);
    if (opening->connect != NULL)
        apus__connect_cancel(opening->connect);
    if (connection == NULL)
        return;
    connection->opening = NULL;
    connection->has_ended = true; /* it never was a WebSocket, so nobody hears of its end */
    apus__connection_drop(connection, APUS_ECLOSED);
}

void apus__opening_fail(apus_opening *opening, const apus_failure *failure)
{
    apus_client *client = opening->client;
    client->busy++; /* it may be stopped by the callback, but has to stay for what follows */
    detach(opening);
    client->config.opening.on_fail(opening->context, failure);
    apus__opening_free(opening);
    client->busy--;
    apus__client_forget(client);
}

void apus_opening_cancel(apus_opening *opening)
{
    apus_client *client = opening->client;
    detach(opening);
    apus__opening_free(opening);
    apus__client_forget(client);
}

static void fail(apus_opening *opening, int error)
{
    const apus_tls *tls = apus_connection_tls(opening->connection);
    const char *words = tls == NULL ? "" : apus_tls_words(tls); /* static, and empty unless TLS has failed */
    APUS_COUNT(opening->client->endpoint.statistics.handshakes_refused, 1);
    apus__opening_fail(opening, &(apus_failure){.error = error, .cause = words, .has_connected = true});
}

/* Joins the chunks of a refusal's content in place, as far as they are well-formed; returns the length. */
static size_t join_chunks(uint8_t *data, size_t len)
{
    apus_chunked chunked = {0};
    size_t joined = 0;
    for (size_t at = 0; at < len;) {
        apus_text piece;
        ptrdiff_t taken = apus_chunked_read(&chunked, data + at, len - at, &piece);
        if (taken <= 0)
            break;
        memmove(data + joined, piece.data, piece.len);
        joined += piece.len;
        at += (size_t)taken;
    }
    return joined;
}

/* Makes the content of an answer that refuses what it is without its framing; returns its length. */
static size_t unwrap_content(apus_opening *opening, const apus_head *head)
{
    uint8_t *content = opening->received.data + opening->head_len;
    size_t len = opening->received.len - opening->head_len;
    if (head->is_chunked)
        len = join_chunks(content, len);
    else if (apus_head_find(head, "content-length") != NULL && head->content_length < len)
        len = (size_t)head->content_length;
    size_t most = config_of(opening)->body_limit;
    return len < most ? len : most;
}

/* The server, or its proxy, has said no: tells so in its words. */
static void fail_refused(apus_opening *opening)
{
    apus_response response;
    /* It was read before, so it can be read. */
    int error = apus_response_parse(&response, opening->received.data, opening->head_len);
    if (error != APUS_OK) {
        fail(opening, error);
        return;
    }
    APUS_COUNT(opening->client->endpoint.statistics.handshakes_refused, 1);
    size_t body_len = unwrap_content(opening, &response.head);
    apus__opening_fail(opening, &(apus_failure){.error = opening->refusal,
                                                .cause = "",
                                                .has_connected = true,
                                                .response = &response,
                                                .body = opening->received.data + opening->head_len,
                                                .body_len = body_len});
}

static void send_request(apus_opening *opening, const apus_bytes *request)
{
    opening->scanner = (apus_head_scanner){0};
    opening->interim_count = 0;
    if (apus__stream_write(&opening->connection->stream, request->data, request->len, NULL, 0) != APUS_OK)
        fail(opening, APUS_ENOMEM);
}

/* The way to the server is free: what goes there begins with TLS, if it speaks that. */
static void begin_request(apus_opening *opening)
{
    const char *name = (const char *)opening->server_name.data;
    opening->stage = STAGE_ANSWER;
    int error = APUS_OK;
    if (name != NULL)
        error = apus__stream_secure(&opening->connection->stream, opening->client->endpoint.tls, name);
    if (error == APUS_OK)
        send_request(opening, &opening->request);
    else
        fail(opening, error);
}

static void on_connect(void *context, int fd, int error, int system)
{
    apus_opening *opening = context;
    opening->connect = NULL;
    if (error == APUS_OK && apus__connection_open(&opening->client->endpoint, fd, opening) != APUS_OK) {
        close(fd);
        error = APUS_ENOMEM;
    }
    if (error != APUS_OK) {
        const char *cause = system != 0 ? uv_strerror(system) : "";
        apus__opening_fail(opening, &(apus_failure){.error = error, .cause = cause});
        return;
    }
    if (opening->connect_request.len == 0) {
        begin_request(opening);
        return;
    }
    opening->stage = STAGE_PROXY;
    send_request(opening, &opening->connect_request);
}

/* Keeps the name for TLS, without the dot that a host may end with: neither SNI nor certificates know it. */
static int keep_server_name(apus_opening *opening, const char *name)
{
    size_t len = strlen(name);
    if (opening->client->endpoint.tls == NULL)
        return APUS_EINVAL;
    if (len != 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > MOST_SERVER_NAME)
        return APUS_EHOST;
    int error = apus_bytes_append(&opening->server_name, name, len);
    return error == APUS_OK ? apus_bytes_append(&opening->server_name, "", 1) : error;
}

/* Writes both requests before anything is connected: what is wrong with them is the caller's fault, and told at once.
 */
static int write_requests(apus_opening *opening, const apus_destination *destination)
{
    apus_handshake_offer offer = destination->offer;
    uint8_t nonce[APUS_NONCE_SIZE];
    char extensions[APUS_EXTENSION_SIZE];
    apus__random_fill(nonce, sizeof nonce);
    apus_handshake_make_key(nonce, opening->key);
    offer.extensions = (apus_text){extensions, apus_extension_write_offer(compression_of(opening), extensions)};
    int error = apus_bytes_append(&opening->protocols, offer.protocols.data, offer.protocols.len);
    if (error == APUS_OK)
        error = apus_handshake_write_request(&opening->request, &offer, opening->key);
    if (error == APUS_OK && destination->proxied.len != 0)
        error = apus_handshake_write_connect(&opening->connect_request, destination->proxied, destination->proxy_fields,
                                             destination->proxy_field_count);
    if (error == APUS_OK && destination->server_name != NULL)
        error = keep_server_name(opening, destination->server_name);
    return error;
}

int apus__opening_start(apus_opening *opening, const apus_destination *destination)
{
    apus_loop *loop = opening->client->endpoint.loop;
    uint32_t timeout = config_of(opening)->connect_timeout;
    int error = write_requests(opening, destination);
    if (error != APUS_OK)
        return error;
    if (destination->is_unix)
        opening->connect = apus__connect_unix(loop, destination->host, timeout, on_connect, opening);
    else
        opening->connect = apus__connect_tcp(loop, destination->host, destination->port, timeout, on_connect, opening);
    return opening->connect != NULL ? APUS_OK : APUS_ENOMEM;
}

/* The handshake is done. What came behind the answer are frames already. */
static void complete(apus_opening *opening, const apus_response *response, apus_text subprotocol)
{
    apus_client *client = opening->client;
    apus_connection *connection = opening->connection;
    apus_opened opened = {.connection = connection,
                          .request = text_of(&opening->request),
                          .response = response,
                          .subprotocol = subprotocol};
    apus_queue_remove(&opening->node);
    connection->opening = NULL;
    apus__connection_begin(connection);
    client->config.opening.on_open(opening->context, &opened);
    /* The handler begins before the frames are looked at, as it would if they had come later. */
    apus__loop_drain(connection->stream.loop);
    size_t used = response->head.all.len;
    if (opening->received.len > used && connection->phase == PHASE_OPEN)
        apus__connection_receive(connection, opening->received.data + used, opening->received.len - used);
    /* Without a word to the client: it has this connection still. */
    apus__opening_free(opening);
}

/* Whether all of the content of an answer that refuses is there, or as much of it as is wanted. */
static bool has_content(const apus_opening *opening, const apus_head *head)
{
    size_t len = opening->received.len - opening->head_len;
    if (len >= config_of(opening)->body_limit)
        return true;
    /* Without a length it goes on up to the end of the stream (RFC 9112 §6.3). */
    if (!head->is_chunked)
        return apus_head_find(head, "content-length") != NULL && len >= head->content_length;
    apus_chunked chunked = {0};
    const uint8_t *rest = opening->received.data + opening->head_len;
    while (len != 0) {
        apus_text piece;
        ptrdiff_t taken = apus_chunked_read(&chunked, rest, len, &piece);
        if (taken <= 0)
            return true; /* it cannot be understood any further */
        rest += taken;
        len -= (size_t)taken;
    }
    return apus_chunked_is_finished(&chunked);
}

/* Begins to read, or goes on reading, the content of an answer that refuses. */
static void receive_refusal(apus_opening *opening, const apus_response *response)
{
    opening->stage = STAGE_REFUSAL;
    opening->head_len = response->head.all.len;
    bool is_empty = response->status == 204 || response->status == 304 || response->status == 101;
    if (is_empty)
        opening->received.len = opening->head_len;
    if (is_empty || has_content(opening, &response->head))
        fail_refused(opening);
}

/* RFC 9110 §15.2: answers 1xx may come before the one that counts. Takes one out; false where there are too many. */
static bool skip_interim(apus_opening *opening, size_t len)
{
    if (opening->interim_count++ == MOST_INTERIM_ANSWERS)
        return false;
    opening->received.len -= len;
    memmove(opening->received.data, opening->received.data + len, opening->received.len);
    opening->scanner = (apus_head_scanner){0};
    return true;
}

/* A tunnel is there once the proxy says 2xx (RFC 9110 §9.3.6); nothing comes through it before we have spoken. */
static void handle_proxy_answer(apus_opening *opening, const apus_response *response)
{
    if (response->status < 200 || response->status > 299) {
        opening->refusal = APUS_ETUNNEL;
        receive_refusal(opening, response);
        return;
    }
    if (opening->received.len != response->head.all.len) {
        fail(opening, APUS_ERESPONSE);
        return;
    }
    opening->received.len = 0;
    begin_request(opening);
}

/* What the answer says of permessage-deflate (RFC 7692 §7.1), which goes into effect at once. */
static int settle_compression(apus_opening *opening, const apus_head *head)
{
    bool is_agreed;
    apus_deflate_parameters parameters;
    int error = apus_extension_check_answer(head, compression_of(opening), &is_agreed, &parameters);
    if (error != APUS_OK || !is_agreed)
        return error;
    return apus__connection_set_compression(opening->connection, &parameters);
}

static void handle_answer(apus_opening *opening, const apus_response *response)
{
    apus_text subprotocol;
    bool has_offer = compression_of(opening)->mode != APUS_COMPRESSION_OFF;
    apus_handshake_offer offer = {.protocols = text_of(&opening->protocols),
                                  .extensions = {"permessage-deflate", has_offer ? 18 : 0}};
    int error = apus_handshake_check_response(response, &offer, opening->key, &subprotocol);
    if (error == APUS_OK && has_offer)
        error = settle_compression(opening, &response->head);
    if (error == APUS_ESTATUS) {
        opening->refusal = APUS_ESTATUS;
        receive_refusal(opening, response);
    } else if (error != APUS_OK) {
        fail(opening, error);
    } else {
        complete(opening, response, subprotocol);
    }
}

/* Reads the head that stands at the start of what came, once it is whole. Returns whether there may be more to do. */
static bool handle_head(apus_opening *opening)
{
    apus_response response;
    const apus_head_limits *limits = &config_of(opening)->endpoint.head;
    ptrdiff_t size = apus_head_scan(&opening->scanner, opening->received.data, opening->received.len, limits);
    if (size == 0)
        return false;
    int error = size < 0 ? APUS_ERESPONSE : apus_response_parse(&response, opening->received.data, (size_t)size);
    bool is_interim = error == APUS_OK && response.status < 200 && response.status != 101;
    if (is_interim && !skip_interim(opening, (size_t)size))
        error = APUS_ERESPONSE;
    if (error != APUS_OK) {
        fail(opening, error);
        return false;
    }
    if (is_interim)
        return true;
    if (opening->stage == STAGE_PROXY)
        handle_proxy_answer(opening, &response);
    else
        handle_answer(opening, &response);
    return false;
}

void apus__opening_receive(apus_connection *connection, const uint8_t *data, size_t len)
{
    apus_opening *opening = connection->opening;
    if (apus_bytes_append(&opening->received, data, len) != APUS_OK) {
        fail(opening, APUS_ENOMEM);
        return;
    }
    if (opening->stage == STAGE_REFUSAL) {
        apus_response response;
        if (apus_response_parse(&response, opening->received.data, opening->head_len) == APUS_OK)
            receive_refusal(opening, &response);
        return;
    }
    while (opening->received.len != 0 && handle_head(opening))
        ;
}

void apus__opening_end(apus_connection *connection, int error)
{
    apus_opening *opening = connection->opening;
    if (error == APUS_ETIMEDOUT)
        APUS_COUNT(connection->endpoint->statistics.handshake_timeouts, 1);
    /* An answer that refuses is told even where its content is cut. */
    if (opening->stage == STAGE_REFUSAL)
        fail_refused(opening);
    else
        fail(opening, error);
}
