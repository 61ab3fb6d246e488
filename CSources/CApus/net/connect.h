/* From a host's name to a connected socket: resolving off the loop, then racing its addresses (Happy Eyeballs,
 * RFC 8305). */
#ifndef APUS_CONNECT_H
#define APUS_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "apus/error.h"
#include "apus/loop.h"

/* Addresses of a host that are tried, at most. */
#define APUS_CONNECT_MOST_ADDRESSES 16

/* Milliseconds between the starts of two attempts, where the first neither succeeds nor fails (RFC 8305 §5). */
#define APUS_CONNECT_ATTEMPT_DELAY 250

/* An address as connect takes it. */
typedef struct apus_socket_address {
    struct sockaddr_storage storage;
    socklen_t len;
} apus_socket_address;

/* The end of it, in a turn of the loop after the start: `fd`, which is the callee's, connected and non-blocking and
 * known to no handle; or -1, with `error` APUS_ERESOLVE, APUS_ECONNECT, APUS_ETIMEDOUT or APUS_ENOMEM, and `system`,
 * the negative number of libuv or errno behind it, or 0. */
typedef void (*apus_connect_cb)(void *context, int fd, int error, int system);

typedef struct apus_connect apus_connect;

/* Connects to a TCP port of `host`, a numeric address or a name, within `timeout` ms. Copies `host`. NULL when memory
 * is out, and then `on_done` is not called. On the loop's thread. */
apus_connect *apus__connect_tcp(apus_loop *loop, const char *host, uint16_t port, uint32_t timeout,
                                apus_connect_cb on_done, void *context);

/* The same for a Unix socket. */
apus_connect *apus__connect_unix(apus_loop *loop, const char *path, uint32_t timeout, apus_connect_cb on_done,
                                 void *context);

/* The same for addresses that are known, of which at most APUS_CONNECT_MOST_ADDRESSES are tried, in this order. */
apus_connect *apus__connect_race(apus_loop *loop, const apus_socket_address *addresses, size_t count, uint32_t timeout,
                                 apus_connect_cb on_done, void *context);

/* Gives up, before on_done was called; it will not be. */
void apus__connect_cancel(apus_connect *connect);

/* Brings addresses into the order of RFC 8305 §4: as they are, but the families take turns, the first one's first. */
void apus__connect_interleave(apus_socket_address *addresses, size_t count);

#endif
