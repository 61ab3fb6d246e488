/* Linux tells what was acknowledged; elsewhere a stream goes by what the socket accepts. */
#include "net/tcp.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifdef __linux__
#include <linux/sockios.h>
#include <linux/tcp.h>
#endif

void apus__tcp_limit_silence(int fd, uint32_t timeout)
{
#ifdef __linux__
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
#else
    (void)fd;
    (void)timeout;
#endif
}

bool apus__tcp_acknowledged(int fd, uint64_t *out)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return false;
    *out = info.tcpi_bytes_acked;
    return true;
#else
    (void)fd;
    (void)out;
    return false;
#endif
}

bool apus__tcp_is_outstanding(int fd)
{
#ifdef SIOCOUTQ
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) == 0 && count != 0;
#else
    (void)fd;
    return false;
#endif
}
