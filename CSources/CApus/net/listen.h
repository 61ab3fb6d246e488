/* Listening on whichever of several addresses this machine has. */
#ifndef APUS_LISTEN_H
#define APUS_LISTEN_H

#include <netdb.h>
#include <stddef.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Opens `count` sockets on one port of the first address of `found` that can be listened on, or that somebody else
 * holds; one of a family that the machine does not have is passed over. As apus_socket_listen_tcp, with the error of
 * the first address. */
int apus__listen_any(const struct addrinfo *found, int backlog, int *fds, size_t count);

APUS_ASSUME_NONNULL_END

#endif
