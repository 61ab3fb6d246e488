/* An echo, or a broadcast, on libwebsockets. Its users queue what they send: a connection is written to only when the
 * library says that it is writable. */
#include <getopt.h>
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
    struct message *next;
    size_t len;
    bool is_binary;
    unsigned char data[]; /* LWS_PRE bytes for the header, then the payload */
} message;

typedef struct connection {
    struct lws *wsi;
    message *first, *last;
    unsigned char *incoming; /* a message in pieces */
    size_t incoming_len;
    struct connection *next;
} connection;

static bool is_broadcast;
static connection *everybody;

static void queue_message(connection *connection, const void *data, size_t len, bool is_binary)
{
    message *queued = malloc(sizeof *queued + LWS_PRE + len);
    if (queued == NULL)
        abort();
    *queued = (message){.len = len, .is_binary = is_binary};
    memcpy(queued->data + LWS_PRE, data, len);
    if (connection->last == NULL)
        connection->first = queued;
    else
        connection->last->next = queued;
    connection->last = queued;
    lws_callback_on_writable(connection->wsi);
}

static void deliver(connection *from, const void *data, size_t len)
{
    bool is_binary = lws_frame_is_binary(from->wsi);
    if (!is_broadcast) {
        queue_message(from, data, len, is_binary);
        return;
    }
    for (connection *to = everybody; to != NULL; to = to->next)
        queue_message(to, data, len, is_binary);
}

static void receive(connection *connection, const void *data, size_t len)
{
    bool is_whole = lws_is_final_fragment(connection->wsi) && lws_remaining_packet_payload(connection->wsi) == 0;
    if (is_whole && connection->incoming_len == 0) {
        deliver(connection, data, len);
        return;
    }
    connection->incoming = realloc(connection->incoming, connection->incoming_len + len + 1);
    if (connection->incoming == NULL)
        abort();
    memcpy(connection->incoming + connection->incoming_len, data, len);
    connection->incoming_len += len;
    if (is_whole) {
        deliver(connection, connection->incoming, connection->incoming_len);
        connection->incoming_len = 0;
    }
}

/* Writes until the library says that the socket is full. */
static int write_queued(connection *connection)
{
    while (connection->first != NULL) {
        message *sent = connection->first;
        if (lws_write(connection->wsi, sent->data + LWS_PRE, sent->len,
                      sent->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT) < 0)
            return -1;
        connection->first = sent->next;
        if (connection->first == NULL)
            connection->last = NULL;
        free(sent);
        if (connection->first != NULL && lws_send_pipe_choked(connection->wsi)) {
            lws_callback_on_writable(connection->wsi);
            break;
        }
    }
    return 0;
}

static void forget(connection *connection)
{
    for (struct connection **link = &everybody; *link != NULL; link = &(*link)->next) {
        if (*link == connection) {
            *link = connection->next;
            break;
        }
    }
    for (message *next, *queued = connection->first; queued != NULL; queued = next) {
        next = queued->next;
        free(queued);
    }
    free(connection->incoming);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    connection *connection = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        *connection = (struct connection){.wsi = wsi, .next = everybody};
        if (is_broadcast)
            everybody = connection;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        receive(connection, in, len);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_queued(connection);
    case LWS_CALLBACK_CLOSED:
        forget(connection);
        return 0;
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},        {"mode", required_argument, NULL, 'm'},
        {"compression", required_argument, NULL, 'z'}, {"tls-certificate", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'},     {NULL, 0, NULL, 0}};
    static const struct lws_protocols protocols[] = {
        {.name = "default", .callback = on_event, .per_session_data_size = sizeof(connection), .rx_buffer_size = 65536},
        {0}};
    static const struct lws_extension extensions[] = {
        {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"}, {NULL, NULL, NULL}};
    struct lws_context_creation_info info = {.iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .pt_serv_buf_size = 65536,
                                             .options = LWS_SERVER_OPTION_VALIDATE_UTF8};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'p') {
            info.port = atoi(optarg);
        } else if (option == 'm') {
            is_broadcast = strcmp(optarg, "broadcast") == 0;
        } else if (option == 'z' && strcmp(optarg, "off") != 0) {
            info.extensions = extensions;
        } else if (option == 'c') {
            info.ssl_cert_filepath = optarg;
            info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        } else if (option == 'k') {
            info.ssl_private_key_filepath = optarg;
        } else if (option == '?') {
            return 2;
        }
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *host = context == NULL ? NULL : lws_get_vhost_by_name(context, "default");
    if (host == NULL) {
        fputs("libwebsockets: cannot be set up\n", stderr);
        return 1;
    }
    printf("listening on %d\n", lws_get_vhost_listen_port(host));
    fflush(stdout);
    while (lws_service(context, 0) >= 0) {
    }
    return 1;
}
