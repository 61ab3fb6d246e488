/* What the system knows of a TCP connection, without libuv, whose headers and Linux's declare the same things. */
#ifndef APUS_NET_TCP_H
#define APUS_NET_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* Lets the system end a connection whose peer acknowledges nothing for so many milliseconds, where it can (RFC 5482).
 * A listening socket hands it on. Does nothing for other sockets. */
void apus__tcp_limit_silence(int fd, uint32_t timeout);

/* How many bytes the peer has acknowledged. False where the system does not say, or it is no TCP socket. */
bool apus__tcp_acknowledged(int fd, uint64_t *out);

/* Whether bytes were sent that the peer has not acknowledged; of a Unix socket, not read. False where nobody knows. */
bool apus__tcp_is_outstanding(int fd);

#endif
