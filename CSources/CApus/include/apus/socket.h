/* Sockets as the loop wants them: non-blocking, closed on exec, without Nagle's delay. */
#ifndef APUS_SOCKET_H
#define APUS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/ip.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Room for the text of any IPv4 or IPv6 address with its zone, or a Unix path. */
#define APUS_HOST_SIZE 112

/* One end of a connection. */
typedef struct apus_address {
    char host[APUS_HOST_SIZE]; /* numeric address, or the path of a Unix socket (empty for an unnamed one) */
    uint16_t port;             /* 0 for a Unix socket */
    bool is_unix;
} apus_address;

/* Opens `count` sockets that listen on one TCP port of `host` (a numeric address or a name; port 0: any free one), one
 * for each loop: the kernel spreads connections over them (SO_REUSEPORT). A port that anybody else listens on is
 * refused.
 *
 * APUS_OK, or a negative errno, and then no socket is left open; a name that does not resolve is -EADDRNOTAVAIL. */
int apus_socket_listen_tcp(const char *host, uint16_t port, int backlog, int *fds, size_t count);

/* The same for a Unix socket: `count` descriptors of one. A socket file that nobody listens on any more is replaced;
 * anything else at `path` is left alone (-EADDRINUSE). */
int apus_socket_listen_unix(const char *path, int backlog, int *fds, size_t count);

/* The address that a socket is bound to; APUS_OK or a negative errno. */
int apus_socket_local(int fd, apus_address *out);

/* The address at the other end; APUS_OK or a negative errno. */
int apus_socket_peer(int fd, apus_address *out);

/* The same as bytes; APUS_OK, a negative errno, or APUS_EINVAL where it is a Unix socket. */
int apus_socket_peer_ip(int fd, apus_ip *out);

/* What there is to see of the peer of a connected socket, without reading. */
typedef enum apus_peer_state {
    APUS_PEER_OPEN,
    APUS_PEER_ENDED, /* it has sent its last byte, and may read on */
    APUS_PEER_GONE,  /* the connection is reset, or broken */
} apus_peer_state;

/* Looks at the peer; asks the system once. */
apus_peer_state apus_socket_look(int fd);

/* Closes a descriptor that no loop has taken. */
void apus_socket_close(int fd);

/* Whether a negative errno says that somebody else holds the address. */
bool apus_socket_is_in_use(int error);

/* The words for a negative errno, such as "Address already in use". */
const char *apus_socket_error_message(int error);

APUS_ASSUME_NONNULL_END

#endif
