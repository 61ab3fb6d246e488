/* The part of a client that lives on one loop: the way from an address to an open WebSocket, and what connections
 * opened so have in common. Everything here is called on the loop, and every callback comes from there. */
#ifndef APUS_CLIENT_H
#define APUS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/endpoint.h"
#include "apus/error.h"
#include "apus/handshake_client.h"
#include "apus/head.h"
#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/response_head.h"
#include "apus/statistics.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_client apus_client;
typedef struct apus_opening apus_opening;

/* A WebSocket that has opened; the texts are valid during the call. */
typedef struct apus_opened {
    apus_connection *connection;
    apus_text request; /* the request head, as it was sent */
    const apus_response *response;
    apus_text subprotocol; /* the one to speak; empty for none */
} apus_opened;

/* Why a WebSocket has not opened. */
typedef struct apus_failure {
    int error; /* from the table */
    /* The system's words behind APUS_ERESOLVE, APUS_ECONNECT and APUS_ETIMEDOUT, OpenSSL's behind a failure of TLS;
     * perhaps empty. */
    const char *cause;
    bool has_connected;                      /* it is not for want of a connection */
    const apus_response *_Nullable response; /* the answer of APUS_ESTATUS and APUS_ETUNNEL; else NULL */
    const uint8_t *_Nullable body;           /* of the answer, as much as has come within the limit */
    size_t body_len;
} apus_failure;

/* How an opening ends: one of the two is called, once, after apus_client_connect has returned. */
typedef struct apus_opening_callbacks {
    /* The connection is open, with APUS_DEMAND_NONE; its own callbacks follow when this has returned. */
    void (*on_open)(void *_Nullable context, const apus_opened *opened);
    void (*on_fail)(void *_Nullable context, const apus_failure *failure);
} apus_opening_callbacks;

/* Copied by apus_client_open. */
typedef struct apus_client_config {
    /* The handshake timeout counts from the connection on: the proxy's answer, TLS, the server's answer. The masking
     * keys are the client's own affair; `compression` is offered where it is on. */
    apus_endpoint_config endpoint;
    uint32_t connect_timeout; /* ms to find the host's addresses and connect to one of them */
    uint32_t body_limit;      /* bytes of a refusal's content that are kept */
    apus_opening_callbacks opening;
} apus_client_config;

/* Fills in every limit and timeout with its default; callbacks are the caller's to set. */
void apus_client_config_init(apus_client_config *config);

/* What to open; copied by apus_client_connect. */
typedef struct apus_destination {
    const char *host; /* a numeric address or a name to connect to, be it the proxy's; or the path of a Unix socket */
    uint16_t port;
    bool is_unix;
    /* For TLS, by the endpoint's context: the name or numeric address that the server's certificate must be for. NULL:
     * no TLS. A dot at its end is left out (RFC 6066 §3). */
    const char *_Nullable server_name;
    apus_handshake_offer offer; /* but for `extensions`, which the client's compression says */
    apus_text proxied;          /* host and port that the proxy is asked to CONNECT to; empty where there is none */
    const apus_field *_Nullable proxy_fields; /* for the proxy alone */
    size_t proxy_field_count;
} apus_destination;

/* Makes a client on a loop. APUS_OK or APUS_ENOMEM. */
int apus_client_open(apus_client *_Nullable *_Nonnull out, apus_loop *loop, const apus_client_config *config,
                     void *_Nullable context);

/* Starts to open a WebSocket. `out` is valid until one of the opening's callbacks is called with `context`, or it is
 * cancelled. APUS_OK, APUS_ENOMEM, or what apus_handshake_write_request and apus_handshake_write_connect say of the
 * destination, APUS_EHOST for a server's name that is empty or longer than 255 bytes, APUS_EINVAL for one without a TLS
 * context, or APUS_ECLOSED for a client that was stopped. */
int apus_client_connect(apus_client *client, const apus_destination *destination, void *_Nullable context,
                        apus_opening *_Nullable *_Nonnull out);

/* Gives up; neither of the opening's callbacks is called. */
void apus_opening_cancel(apus_opening *opening);

/* Fails openings under way with APUS_ECLOSED, and closes WebSockets with 1001 that are not closing yet. Once all are
 * gone, at the latest after the close timeout, it calls `on_stop`, perhaps before it returns, and the client is freed.
 * To be called once. */
void apus_client_stop(apus_client *client, void (*on_stop)(void *_Nullable context, const apus_statistics *statistics),
                      void *_Nullable context);

APUS_ASSUME_NONNULL_END

#endif
