/* One connection of a run: what it sent and heard so far, and how it is connected. */
#ifndef LOAD_CONNECTION_H
#define LOAD_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "load/receiver.h"

typedef struct load_run load_run;

typedef enum load_state {
    LOAD_STATE_CLOSED,
    LOAD_STATE_CONNECTING,
    LOAD_STATE_SECURING,
    LOAD_STATE_SHAKING, /* the opening handshake is under way */
    LOAD_STATE_OPEN,
} load_state;

typedef struct load_opening load_opening;

typedef struct load_connection {
    int fd;
    uint32_t index;
    uint8_t state;
    bool is_watching_writes;
    SSL *ssl;         /* NULL: plain */
    uint64_t offset;  /* of its first message in the ring */
    uint64_t due;     /* messages to have been sent by now */
    uint64_t sent;    /* whole messages that the kernel took */
    size_t sent_part; /* bytes of the next one */
    uint64_t heard;
    size_t heard_part;       /* bytes of the next one, on the short way */
    uint64_t *sent_at;       /* when each message in flight was sent, by its number and the run's mask */
    uint64_t began_at;       /* when the connection began to be opened */
    load_receiver *receiver; /* NULL where every byte so far was as on the tape */
    load_opening *opening;   /* NULL once open */
} load_connection;

/* Starts to connect; the run hears of it through `on_open`. */
void load_connection_open(load_run *run, load_connection *connection);

/* Takes what epoll said. */
void load_connection_handle(load_run *run, load_connection *connection, uint32_t events);

/* Sends what is due, as far as the kernel takes it. */
void load_connection_flush(load_run *run, load_connection *connection);

/* Lets epoll tell of room to write, or no longer. */
void load_connection_watch(load_run *run, load_connection *connection, bool is_wanted);

/* Closes at once, with a reset: no port stays behind in TIME_WAIT. */
void load_connection_abort(load_run *run, load_connection *connection);

/* Frees what it holds. */
void load_connection_deinit(load_connection *connection);

/* The transport, plain or TLS: returns the count, 0 where it would block, or -1 where the connection has ended. */
ssize_t load_transport_read(load_connection *connection, uint8_t *data, size_t len);
ssize_t load_transport_write(load_connection *connection, const uint8_t *data, size_t len);

#endif
