/* The inside of a client, for the files of this folder. */
#ifndef APUS_SERVER_CLIENT_H
#define APUS_SERVER_CLIENT_H

#include "apus/client.h"
#include "net/connect.h"
#include "server/connection.h"
#include "server/endpoint.h"

struct apus_client {
    apus_endpoint endpoint;
    apus_client_config config;
    apus_queue openings; /* under way, with a connection or without */
    uint32_t busy;       /* calls on the stack that come back to the client */
    void (*on_stop)(void *context, const apus_statistics *statistics);
    void *stop_context;
};

/* What an opening waits for. */
enum opening_stage {
    STAGE_CONNECT, /* a connected socket */
    STAGE_PROXY,   /* the proxy's answer */
    STAGE_ANSWER,  /* the server's answer */
    STAGE_REFUSAL, /* the content of an answer that refuses */
};

struct apus_opening {
    apus_client *client;
    void *context;
    apus_queue node;             /* in the client's list */
    apus_connect *connect;       /* in STAGE_CONNECT only */
    apus_connection *connection; /* in the later stages */
    apus_bytes connect_request;  /* the proxy's; empty without one */
    apus_bytes request;
    apus_bytes protocols;   /* those offered, as in the request */
    apus_bytes server_name; /* with a zero at its end; empty without TLS */
    apus_bytes received;
    apus_head_scanner scanner;
    size_t head_len; /* of the answer that refuses; its content stands behind it in `received` */
    int refusal;     /* APUS_ESTATUS or APUS_ETUNNEL */
    uint8_t stage;
    uint8_t interim_count; /* answers before the last one */
    char key[APUS_KEY_SIZE];
};

/* Masks from now on, with keys of the one supply that all clients of a loop share. APUS_OK or APUS_ENOMEM. */
int apus__client_set_keys(apus_session_config *config, apus_loop *loop);

/* Takes a new opening to where it waits for its connection (opening.c). */
int apus__opening_start(apus_opening *opening, const apus_destination *destination);

/* Ends an opening that has failed, tells of it unless it was cancelled, and frees it. */
void apus__opening_fail(apus_opening *opening, const apus_failure *failure);

/* Frees what an opening holds, and itself. */
void apus__opening_free(apus_opening *opening);

/* An opening or a connection of the client's has gone. */
void apus__client_forget(apus_client *client);

#endif
