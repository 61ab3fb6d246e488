/* The system calls of a message, made directly: the C library's wrappers of them are cancellation points, which costs
 * some 60 instructions each, and no thread here is ever cancelled. */
#ifndef APUS_TRANSFER_H
#define APUS_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* As recv. */
static inline ssize_t apus__transfer_receive(int fd, uint8_t *data, size_t size)
{
#if defined(__linux__) && defined(SYS_recvfrom)
    return syscall(SYS_recvfrom, fd, data, size, 0, NULL, NULL);
#else
    return recv(fd, data, size, 0);
#endif
}

/* As send; a peer that has gone is an error and no signal. The kernel is spared reading a msghdr and its pieces. */
static inline ssize_t apus__transfer_send_one(int fd, const uint8_t *data, size_t len)
{
#if defined(__linux__) && defined(SYS_sendto)
    return syscall(SYS_sendto, fd, data, len, MSG_NOSIGNAL, NULL, 0);
#else
    return send(fd, data, len, MSG_NOSIGNAL);
#endif
}

/* The same of several pieces, as sendmsg. */
static inline ssize_t apus__transfer_send(int fd, const struct msghdr *message)
{
#if defined(__linux__) && defined(SYS_sendmsg)
    return syscall(SYS_sendmsg, fd, message, MSG_NOSIGNAL);
#else
    return sendmsg(fd, message, MSG_NOSIGNAL);
#endif
}

#endif
