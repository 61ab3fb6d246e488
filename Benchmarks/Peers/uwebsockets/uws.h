/* The part that we use of uWebSockets' C interface, as the shared library in PyPI's `socketify` 0.0.31 exports it. That
 * package has no header for it to be compiled with, so this says what its functions and structures look like. */
#ifndef UWS_H
#define UWS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct uws_app uws_app;
typedef struct uws_websocket uws_websocket;
struct us_listen_socket_t;

enum {
    UWS_COMPRESS_OFF = 0,
    UWS_COMPRESS_SHARED = 1 | 1 << 8,
    UWS_COMPRESS_DEDICATED = (15 << 4 | 8) | 15 << 8, /* 256 KiB to compress, 32 KiB to inflate, a connection */
};

typedef struct uws_tls_options {
    const char *key_file, *certificate_file, *passphrase, *dh_params_file, *ca_file, *ciphers;
    int prefers_low_memory;
} uws_tls_options;

typedef struct uws_listen_config {
    int port;
    const char *host;
    int options;
} uws_listen_config;

typedef void (*uws_socket_cb)(uws_websocket *socket, void *data);
typedef void (*uws_message_cb)(uws_websocket *socket, const char *message, size_t len, int opcode, void *data);
typedef void (*uws_close_cb)(uws_websocket *socket, int code, const char *reason, size_t len, void *data);

typedef struct uws_behavior {
    int compression;
    unsigned max_payload;
    unsigned short idle_timeout;
    unsigned max_backpressure;
    bool closes_on_backpressure, send_resets_timeout, sends_pings;
    unsigned short max_lifetime;
    void (*on_upgrade)(void); /* NULL: accepts */
    uws_socket_cb on_open;
    uws_message_cb on_message;
    uws_socket_cb on_drain;
    void (*on_ping)(void);
    void (*on_pong)(void);
    uws_close_cb on_close;
    void (*on_subscription)(void);
} uws_behavior;

uws_app *uws_create_app(int is_tls, uws_tls_options options);
bool uws_constructor_failed(int is_tls, uws_app *app);
void uws_ws(int is_tls, uws_app *app, const char *pattern, uws_behavior behavior, void *data);
void uws_app_listen_with_config(int is_tls, uws_app *app, uws_listen_config config,
                                void (*on_listen)(struct us_listen_socket_t *, uws_listen_config, void *), void *data);
void uws_app_run(int is_tls, uws_app *app);
int us_socket_local_port(int is_tls, struct us_listen_socket_t *listener);

int uws_ws_send_with_options(int is_tls, uws_websocket *socket, const char *message, size_t len, int opcode,
                             bool is_compressed, bool is_final);
bool uws_ws_subscribe(int is_tls, uws_websocket *socket, const char *topic, size_t len);
bool uws_publish(int is_tls, uws_app *app, const char *topic, size_t topic_len, const char *message, size_t len,
                 int opcode, bool is_compressed);

#endif
