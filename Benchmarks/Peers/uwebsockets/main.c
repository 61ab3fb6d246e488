/* An echo, or a broadcast, on uWebSockets. */
#include "uws.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char topic[] = "everybody";
static uws_app *app;
static int is_tls, is_compressed;

static void on_open(uws_websocket *socket, void *data)
{
    (void)data;
    uws_ws_subscribe(is_tls, socket, topic, sizeof topic - 1);
}

static void on_echo(uws_websocket *socket, const char *message, size_t len, int opcode, void *data)
{
    (void)data;
    uws_ws_send_with_options(is_tls, socket, message, len, opcode, is_compressed, true);
}

static void on_broadcast(uws_websocket *socket, const char *message, size_t len, int opcode, void *data)
{
    (void)socket;
    (void)data;
    uws_publish(is_tls, app, topic, sizeof topic - 1, message, len, opcode, is_compressed);
}

static void on_close(uws_websocket *socket, int code, const char *reason, size_t len, void *data)
{
    (void)socket;
    (void)code;
    (void)reason;
    (void)len;
    (void)data;
}

static void on_listen(struct us_listen_socket_t *listener, uws_listen_config config, void *data)
{
    (void)config;
    (void)data;
    if (listener == NULL) {
        fputs("uwebsockets: cannot listen\n", stderr);
        exit(1);
    }
    printf("listening on %d\n", us_socket_local_port(is_tls, listener));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},        {"mode", required_argument, NULL, 'm'},
        {"compression", required_argument, NULL, 'z'}, {"tls-certificate", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'},     {NULL, 0, NULL, 0}};
    uws_tls_options tls = {0};
    uws_behavior behavior = {.max_payload = 64 << 20,
                             .idle_timeout = 120,
                             .max_backpressure = 256 << 20,
                             .sends_pings = true,
                             .on_message = on_echo,
                             .on_close = on_close};
    int port = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'p') {
            port = atoi(optarg);
        } else if (option == 'm' && strcmp(optarg, "broadcast") == 0) {
            behavior.on_message = on_broadcast;
            behavior.on_open = on_open;
        } else if (option == 'z' && strcmp(optarg, "off") != 0) {
            behavior.compression = strcmp(optarg, "shared") == 0 ? UWS_COMPRESS_SHARED : UWS_COMPRESS_DEDICATED;
            is_compressed = 1;
        } else if (option == 'c') {
            tls.certificate_file = optarg;
            is_tls = 1;
        } else if (option == 'k') {
            tls.key_file = optarg;
        } else if (option == '?') {
            return 2;
        }
    }
    app = uws_create_app(is_tls, tls);
    if (app == NULL || uws_constructor_failed(is_tls, app)) {
        fputs("uwebsockets: cannot be set up\n", stderr);
        return 1;
    }
    uws_ws(is_tls, app, "/*", behavior, NULL);
    uws_app_listen_with_config(is_tls, app, (uws_listen_config){.port = port, .host = "127.0.0.1"}, on_listen, NULL);
    uws_app_run(is_tls, app);
    return 1;
}
