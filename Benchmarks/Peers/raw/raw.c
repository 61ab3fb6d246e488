/* The limit: TCP on bare epoll, without a protocol. For every REQUEST bytes that come, REPLY bytes go back, the ones
 * that came: what an echo of masked messages costs when nobody looks at them.
 *
 *   raw --port PORT --request BYTES --reply BYTES */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE (512 << 10)
#define EVENTS 1024

typedef struct connection {
    int fd;
    int is_watching_writes;
    uint64_t came, went; /* bytes */
} connection;

static uint64_t request, reply;
static uint8_t buffer[BUFFER_SIZE];

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int poll, connection *connection, int wants_writes)
{
    if (connection->is_watching_writes == wants_writes)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wants_writes ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        fail("epoll_ctl");
    connection->is_watching_writes = wants_writes;
}

/* Sends what is owed for what has come so far. Returns 0, or -1 where the connection has ended. */
static int answer(int poll, connection *connection)
{
    uint64_t owed = (connection->came / request * reply + connection->came % request * reply / request);
    while (connection->went < owed) {
        uint64_t len = owed - connection->went;
        ssize_t count = send(connection->fd, buffer, len < BUFFER_SIZE ? len : BUFFER_SIZE, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            watch(poll, connection, 1);
            return 0;
        }
        if (count < 0)
            return -1;
        connection->went += (uint64_t)count;
    }
    watch(poll, connection, 0);
    return 0;
}

static void handle(int poll, connection *connection, uint32_t events)
{
    int ended = 0;
    if (events & EPOLLOUT)
        ended = answer(poll, connection);
    /* A peer that does not read is not read from, as any server would have it. */
    if (!ended && !connection->is_watching_writes && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t count = recv(connection->fd, buffer, BUFFER_SIZE, 0);
        if (count > 0) {
            connection->came += (uint64_t)count;
            ended = answer(poll, connection);
        } else {
            ended = count == 0 || errno != EAGAIN;
        }
    }
    if (ended) {
        close(connection->fd);
        free(connection);
    }
}

static void take_connections(int poll, int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            fail("calloc");
        connection->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
            fail("epoll_ctl");
    }
}

static int listen_on(long port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail("listen");
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"request", required_argument, NULL, 'q'},
                                          {"reply", required_argument, NULL, 'r'},
                                          {NULL, 0, NULL, 0}};
    long port = -1;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'p')
            port = atol(optarg);
        else if (option == 'q')
            request = strtoull(optarg, NULL, 10);
        else if (option == 'r')
            reply = strtoull(optarg, NULL, 10);
    }
    if (port < 0 || request == 0 || reply == 0 || reply > request) {
        fputs("usage: raw --port PORT --request BYTES --reply BYTES\n", stderr);
        return 2;
    }
    int listener = listen_on(port), poll = epoll_create1(0);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0)
        fail("epoll");
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                take_connections(poll, listener);
            else
                handle(poll, events[i].data.ptr, events[i].events);
        }
    }
}
