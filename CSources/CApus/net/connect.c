/* One attempt after the other is started, each while those before it go on; the first that connects ends all others.
 *
 *   resolving --addresses--> racing --one connects, all failed, time is up--> done --handles closed--> freed
 *       |                                                                      ^
 *       +------------------- no address, time is up, cancelled ----------------+ */
#include "net/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "apus/alloc.h"
#include "net/loop.h"

typedef struct attempt {
    apus_connect *connect;
    int fd;
    uv_poll_t poll;
} attempt;

struct apus_connect {
    apus_loop *loop;
    apus_connect_cb on_done; /* NULL once done */
    void *context;
    apus_timer timeout;
    apus_timer next; /* to start the next attempt */
    uv_getaddrinfo_t request;
    uint32_t busy; /* handles to close, a resolution to come back: whatever still points here */
    uint32_t running;
    int error;   /* what it comes to when no attempt is left */
    int failure; /* of the first attempt that failed, or of resolving */
    bool is_starting;
    size_t count;
    size_t started;
    apus_socket_address addresses[APUS_CONNECT_MOST_ADDRESSES];
    attempt attempts[APUS_CONNECT_MOST_ADDRESSES];
};

static void let_go(apus_connect *connect)
{
    if (--connect->busy == 0)
        apus_free(connect);
}

static void on_poll_close(uv_handle_t *handle)
{
    attempt *closed = handle->data;
    let_go(closed->connect);
}

/* Ends an attempt and returns its descriptor, which nothing watches any more. */
static int detach(attempt *running)
{
    int fd = running->fd;
    running->fd = -1;
    running->connect->running--;
    uv_close((uv_handle_t *)&running->poll, on_poll_close);
    return fd;
}

/* Closes what is open. */
static void end(apus_connect *connect)
{
    connect->on_done = NULL;
    apus__loop_disarm(connect->loop, &connect->timeout);
    apus__loop_disarm(connect->loop, &connect->next);
    uv_cancel((uv_req_t *)&connect->request); /* fails where it runs, or where there is none: it comes back anyhow */
    for (size_t i = 0; i < connect->started; i++)
        if (connect->attempts[i].fd >= 0)
            close(detach(&connect->attempts[i]));
}

static void finish(apus_connect *connect, int fd, int error, int system)
{
    apus_connect_cb on_done = connect->on_done;
    void *context = connect->context;
    end(connect);
    on_done(context, fd, error, system);
    let_go(connect);
}

void apus__connect_cancel(apus_connect *connect)
{
    end(connect);
    let_go(connect);
}

static void start_next(apus_connect *connect);

static void fail_attempt(apus_connect *connect, int system)
{
    if (connect->failure == 0)
        connect->failure = system;
    start_next(connect);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)events;
    attempt *running = poll->data;
    apus_connect *connect = running->connect;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(running->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0 && status < 0)
        error = -status;
    int fd = detach(running);
    if (error == 0) {
        finish(connect, fd, APUS_OK, 0);
        return;
    }
    close(fd);
    fail_attempt(connect, -error);
}

/* Starts to connect to one address; a negative errno where that fails at once. */
static int start(attempt *fresh, const apus_socket_address *address)
{
    fresh->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fresh->fd < 0)
        return -errno;
    int one = 1;
    setsockopt(fresh->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails for a Unix socket, which needs none */
    int error = 0;
    if (connect(fresh->fd, (const struct sockaddr *)&address->storage, address->len) != 0 && errno != EINPROGRESS)
        error = -errno;
    if (error == 0)
        error = uv_poll_init(&fresh->connect->loop->uv, &fresh->poll, fresh->fd);
    if (error != 0) {
        close(fresh->fd);
        fresh->fd = -1;
        return error;
    }
    fresh->poll.data = fresh;
    uv_poll_start(&fresh->poll, UV_WRITABLE, on_poll);
    fresh->connect->busy++;
    fresh->connect->running++;
    return 0;
}

/* Starts the next attempt; those that fail at once are passed over. When none is left and none runs, all have failed;
 * which is told in a later turn where the caller has only just asked. */
static void start_next(apus_connect *connect)
{
    while (connect->started < connect->count) {
        attempt *fresh = &connect->attempts[connect->started];
        fresh->connect = connect;
        int error = start(fresh, &connect->addresses[connect->started++]);
        if (error == 0) {
            if (connect->started < connect->count)
                apus__loop_arm(connect->loop, &connect->next, APUS_CONNECT_ATTEMPT_DELAY);
            return;
        }
        if (connect->failure == 0)
            connect->failure = error;
    }
    if (connect->running != 0)
        return;
    if (connect->is_starting)
        apus__loop_arm(connect->loop, &connect->next, 0);
    else
        finish(connect, -1, connect->error, connect->failure);
}

static void start_first(apus_connect *connect)
{
    connect->is_starting = true;
    start_next(connect);
    connect->is_starting = false;
}

static void on_next(apus_timer *timer)
{
    start_next(APUS_QUEUE_MEMBER(timer, apus_connect, next));
}

static void on_timeout(apus_timer *timer)
{
    finish(APUS_QUEUE_MEMBER(timer, apus_connect, timeout), -1, APUS_ETIMEDOUT, 0);
}

void apus__connect_interleave(apus_socket_address *addresses, size_t count)
{
    for (size_t at = 1; at < count; at++) {
        sa_family_t before = addresses[at - 1].storage.ss_family;
        size_t other = at;
        while (other < count && addresses[other].storage.ss_family == before)
            other++;
        if (other == count)
            return;
        apus_socket_address chosen = addresses[other];
        memmove(&addresses[at + 1], &addresses[at], (other - at) * sizeof chosen);
        addresses[at] = chosen;
    }
}

static void take_addresses(apus_connect *connect, const struct addrinfo *found)
{
    for (; found != NULL && connect->count < APUS_CONNECT_MOST_ADDRESSES; found = found->ai_next) {
        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        apus_socket_address *address = &connect->addresses[connect->count++];
        memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
        address->len = found->ai_addrlen;
    }
    apus__connect_interleave(connect->addresses, connect->count);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    apus_connect *connect = request->data;
    bool is_awaited = connect->on_done != NULL;
    if (is_awaited && status == 0)
        take_addresses(connect, found);
    uv_freeaddrinfo(found);
    if (connect->count == 0)
        connect->error = APUS_ERESOLVE;
    connect->failure = status;
    if (is_awaited)
        start_next(connect);
    let_go(connect);
}

static apus_connect *make(apus_loop *loop, uint32_t timeout, apus_connect_cb on_done, void *context)
{
    apus_connect *connect = apus_calloc(1, sizeof *connect);
    if (connect == NULL)
        return NULL;
    connect->loop = loop;
    connect->on_done = on_done;
    connect->context = context;
    connect->error = APUS_ECONNECT;
    connect->busy = 1;
    connect->request.data = connect;
    apus__timer_init(&connect->timeout, on_timeout);
    apus__timer_init(&connect->next, on_next);
    apus__loop_arm(loop, &connect->timeout, timeout);
    return connect;
}

/* A numeric address needs no resolver, and so no other thread. */
static bool take_numeric(apus_connect *connect, const char *host, const char *service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return false;
    take_addresses(connect, found);
    freeaddrinfo(found);
    return true;
}

apus_connect *apus__connect_tcp(apus_loop *loop, const char *host, uint16_t port, uint32_t timeout,
                                apus_connect_cb on_done, void *context)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    apus_connect *connect = make(loop, timeout, on_done, context);
    if (connect == NULL)
        return NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (!take_numeric(connect, host, service)) {
        connect->failure = uv_getaddrinfo(&loop->uv, &connect->request, on_resolved, host, service, &hints);
        if (connect->failure == 0) {
            connect->busy++;
            return connect;
        }
        connect->error = APUS_ERESOLVE;
    }
    start_first(connect);
    return connect;
}

apus_connect *apus__connect_unix(apus_loop *loop, const char *path, uint32_t timeout, apus_connect_cb on_done,
                                 void *context)
{
    apus_socket_address address = {.len = sizeof(struct sockaddr_un)};
    struct sockaddr_un *local = (struct sockaddr_un *)&address.storage;
    local->sun_family = AF_UNIX;
    /* A path that is too long leads to no socket, and is refused as one that leads to none. */
    size_t len = strlen(path);
    bool fits = len < sizeof local->sun_path;
    if (fits)
        memcpy(local->sun_path, path, len + 1);
    apus_connect *connect = apus__connect_race(loop, &address, fits ? 1 : 0, timeout, on_done, context);
    if (connect != NULL && !fits)
        connect->failure = -ENAMETOOLONG;
    return connect;
}

apus_connect *apus__connect_race(apus_loop *loop, const apus_socket_address *addresses, size_t count, uint32_t timeout,
                                 apus_connect_cb on_done, void *context)
{
    apus_connect *connect = make(loop, timeout, on_done, context);
    if (connect == NULL)
        return NULL;
    connect->count = count < APUS_CONNECT_MOST_ADDRESSES ? count : APUS_CONNECT_MOST_ADDRESSES;
    if (connect->count != 0)
        memcpy(connect->addresses, addresses, connect->count * sizeof *addresses);
    start_first(connect);
    return connect;
}
