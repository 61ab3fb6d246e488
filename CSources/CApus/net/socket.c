/* Opening, binding and naming sockets. */
#include "apus/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/listen.h"

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int fail_and_close(int fd)
{
    int error = -errno;
    close(fd);
    return error;
}

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* Opens a listening TCP socket. The first one of a port is bound for itself alone, so that a port which anybody else
 * holds is refused, and shares it only then. */
static int listen_tcp(const struct sockaddr *address, socklen_t len, bool is_first, int backlog)
{
    int fd = open_socket(address->sa_family);
    if (fd < 0)
        return fd;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return fail_and_close(fd);
    /* "::" takes IPv4 too, as a person who asks for all addresses expects. */
    if (address->sa_family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) != 0)
        return fail_and_close(fd);
    if (!is_first && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return fail_and_close(fd);
    if (bind(fd, address, len) != 0)
        return fail_and_close(fd);
    if (is_first && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return fail_and_close(fd);
    if (listen(fd, backlog) != 0)
        return fail_and_close(fd);
    return fd;
}

static int close_all(int *fds, size_t count, int error)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return error;
}

static int listen_all(const struct addrinfo *found, int backlog, int *fds, size_t count)
{
    struct sockaddr_storage bound;
    socklen_t len = found->ai_addrlen;
    memcpy(&bound, found->ai_addr, len);
    for (size_t i = 0; i < count; i++) {
        fds[i] = listen_tcp((const struct sockaddr *)&bound, len, i == 0, backlog);
        if (fds[i] < 0)
            return close_all(fds, i, fds[i]);
        /* Where any free port was asked for, the others follow the first. */
        if (i == 0 && getsockname(fds[0], (struct sockaddr *)&bound, &len) != 0)
            return close_all(fds, 1, -errno);
    }
    return APUS_OK;
}

int apus__listen_any(const struct addrinfo *found, int backlog, int *fds, size_t count)
{
    int first = APUS_OK;
    for (; found != NULL; found = found->ai_next) {
        int error = listen_all(found, backlog, fds, count);
        if (error == APUS_OK || error == -EADDRINUSE)
            return error;
        first = first != APUS_OK ? first : error;
    }
    return first;
}

int apus_socket_listen_tcp(const char *host, uint16_t port, int backlog, int *fds, size_t count)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0)
        return failure == EAI_SYSTEM ? -errno : -EADDRNOTAVAIL;
    int error = apus__listen_any(found, backlog, fds, count);
    freeaddrinfo(found);
    return error;
}

/* Whether a Unix socket stands at `address` and nobody listens on it any more. */
static bool is_abandoned(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int fd = open_socket(AF_UNIX);
    if (fd < 0)
        return false;
    bool is_refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

int apus_socket_listen_unix(const char *path, int backlog, int *fds, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    if (is_abandoned(&address))
        unlink(path);
    fds[0] = open_socket(AF_UNIX);
    if (fds[0] < 0)
        return fds[0];
    if (bind(fds[0], (const struct sockaddr *)&address, sizeof address) != 0 || listen(fds[0], backlog) != 0)
        return fail_and_close(fds[0]);
    for (size_t i = 1; i < count; i++) {
        fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0)
            return close_all(fds, i, -errno);
    }
    return APUS_OK;
}

static int describe(const struct sockaddr_storage *storage, socklen_t len, apus_address *out)
{
    *out = (apus_address){0};
    if (storage->ss_family == AF_UNIX) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)storage;
        out->is_unix = true;
        if (len > offsetof(struct sockaddr_un, sun_path))
            snprintf(out->host, sizeof out->host, "%s", local->sun_path);
        return APUS_OK;
    }
    if (storage->ss_family == AF_INET) { /* nearly all; getnameinfo takes some 2,000 instructions */
        const struct sockaddr_in *remote = (const struct sockaddr_in *)storage;
        apus_ip ip = apus_ip_from_v4((const uint8_t *)&remote->sin_addr);
        apus_ip_write(&ip, out->host);
        out->port = ntohs(remote->sin_port);
        return APUS_OK;
    }
    int failure =
        getnameinfo((const struct sockaddr *)storage, len, out->host, sizeof out->host, NULL, 0, NI_NUMERICHOST);
    if (failure != 0)
        return -EINVAL;
    out->port = ntohs(((const struct sockaddr_in6 *)storage)->sin6_port);
    return APUS_OK;
}

int apus_socket_local(int fd, apus_address *out)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0)
        return -errno;
    return describe(&storage, len, out);
}

int apus_socket_peer(int fd, apus_address *out)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &len) != 0)
        return -errno;
    return describe(&storage, len, out);
}

int apus_socket_peer_ip(int fd, apus_ip *out)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &len) != 0)
        return -errno;
    if (storage.ss_family == AF_INET6) {
        memcpy(out->bytes, &((const struct sockaddr_in6 *)&storage)->sin6_addr, sizeof out->bytes);
        return APUS_OK;
    }
    if (storage.ss_family != AF_INET)
        return APUS_EINVAL;
    *out = apus_ip_from_v4((const uint8_t *)&((const struct sockaddr_in *)&storage)->sin_addr);
    return APUS_OK;
}

apus_peer_state apus_socket_look(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    if (poll(&poll_fd, 1, 0) <= 0)
        return APUS_PEER_OPEN;
    if ((poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return APUS_PEER_GONE;
    return (poll_fd.revents & POLLRDHUP) != 0 ? APUS_PEER_ENDED : APUS_PEER_OPEN;
}

void apus_socket_close(int fd)
{
    close(fd);
}

bool apus_socket_is_in_use(int error)
{
    return error == -EADDRINUSE;
}

const char *apus_socket_error_message(int error)
{
    return strerror(-error);
}
