/* Accepting, the limits on it, and the graceful stop. */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apus/alloc.h"
#include "net/tcp.h"

/* Connections taken in one go, before the loop looks at those it has. */
#define ACCEPTS_PER_EVENT 64

/* How long accepting rests when descriptors have run out, in milliseconds. */
#define ACCEPT_PAUSE 100

void apus_listener_config_init(apus_listener_config *config)
{
    *config = (apus_listener_config){
        .most_connections = 100000,
        .origin_policy = APUS_ORIGIN_SAME,
        .forwarding = APUS_FORWARDING_X,
    };
    apus_endpoint_config_init(&config->endpoint, APUS_ROLE_SERVER);
}

/* All connections of the server count, whichever loop they are on. */
static bool admit(apus_listener *listener)
{
    uint32_t *connections = &listener->admission->connections;
    if (__atomic_fetch_add(connections, 1, __ATOMIC_RELAXED) < listener->config->most_connections)
        return true;
    __atomic_fetch_sub(connections, 1, __ATOMIC_RELAXED);
    return false;
}

static void release_admission(apus_listener *listener)
{
    __atomic_fetch_sub(&listener->admission->connections, 1, __ATOMIC_RELAXED);
}

static void tell_refusal(apus_listener *listener, int fd)
{
    const apus_connection_callbacks *callbacks = &listener->endpoint.config->callbacks;
    if (callbacks->on_refused == NULL)
        return;
    apus_refusal refusal = {.error = APUS_ETOOMANY, .detail = {"", 0}};
    if (apus_socket_peer(fd, &refusal.address) != APUS_OK)
        refusal.address = (apus_address){0};
    callbacks->on_refused(listener->endpoint.context, &refusal);
}

/* Says that there are too many. Best effort: what the socket does not take at once is not worth waiting for. */
static void refuse(apus_listener *listener, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Retry-After: 1\r\n"
                                 "Connection: close\r\n"
                                 "Content-Length: 0\r\n\r\n";
    APUS_COUNT(listener->endpoint.statistics.connections_refused, 1);
    tell_refusal(listener, fd);
    ssize_t sent = send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    (void)sent;
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* Fails for a Unix socket, which needs none. */
static void send_at_once(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void take(apus_listener *listener, int fd)
{
    if (apus__budget_is_spent(&listener->budget)) {
        APUS_COUNT(listener->endpoint.statistics.memory_budget_refused, 1);
        refuse(listener, fd);
        return;
    }
    if (!admit(listener)) {
        refuse(listener, fd);
        return;
    }
#ifndef __linux__
    send_at_once(fd);
#endif
    if (apus__connection_open(&listener->endpoint, fd, NULL) != APUS_OK) {
        APUS_COUNT(listener->endpoint.statistics.accept_failures, 1);
        release_admission(listener);
        close(fd);
        return;
    }
    apus__budget_arm(&listener->budget);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Another thread may take the descriptor that was to be the reserve; then a later call gets one. */
static void take_reserve(apus_listener *listener)
{
    if (listener->reserve_fd < 0)
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void resume_accepting(apus_listener *listener)
{
    take_reserve(listener);
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

/* No descriptor is left. The reserve lets one waiting connection be closed, rather than left without any answer; then
 * accepting rests, or the loop would spin on a socket that stays readable. */
static void rest(apus_listener *listener)
{
    APUS_COUNT(listener->endpoint.statistics.accept_failures, 1);
    if (listener->reserve_fd >= 0) {
        close(listener->reserve_fd);
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        listener->reserve_fd = -1;
        take_reserve(listener);
    }
    uv_poll_stop(&listener->poll);
    apus__loop_arm(listener->endpoint.loop, &listener->timer, ACCEPT_PAUSE);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    apus_listener *listener = poll->data;
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(listener, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(listener);
            return;
        }
        /* Anything else is EAGAIN, or a connection that went before it was taken. */
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void on_timer(apus_timer *timer)
{
    apus_listener *listener = APUS_QUEUE_MEMBER(timer, apus_listener, timer);
    if (listener->endpoint.is_stopping)
        apus__endpoint_drop(&listener->endpoint);
    else
        resume_accepting(listener);
}

/* Once nothing points to it any more: neither libuv nor a connection. */
static void free_if_done(apus_listener *listener)
{
    if (!listener->is_closed || !apus_queue_is_empty(&listener->endpoint.connections))
        return;
    apus__loop_disarm(listener->endpoint.loop, &listener->timer);
    apus__budget_end(&listener->budget);
    apus_statistics statistics = {0};
    apus_listener_add_statistics(listener, &statistics);
    listener->on_stop(listener->endpoint.context, &statistics);
    apus__endpoint_deinit(&listener->endpoint);
    apus_free(listener);
}

static void on_handle_close(uv_handle_t *handle)
{
    apus_listener *listener = handle->data;
    listener->is_closed = true;
    free_if_done(listener);
}

static void on_forget(apus_endpoint *endpoint)
{
    apus_listener *listener = APUS_QUEUE_MEMBER(endpoint, apus_listener, endpoint);
    release_admission(listener);
    APUS_COUNT(listener->endpoint.statistics.connections_now, -1);
    free_if_done(listener);
}

int apus_listener_open(apus_listener **out, apus_loop *loop, int fd, const apus_listener_config *config,
                       apus_admission *admission, void *context)
{
    int error = apus_compression_config_check(&config->endpoint.compression);
    if (error != APUS_OK)
        return error;
    apus_listener *listener = apus_calloc(1, sizeof *listener);
    if (listener == NULL)
        return APUS_ENOMEM;
    apus__endpoint_init(&listener->endpoint, loop, &config->endpoint, context);
    listener->endpoint.on_forget = on_forget;
    listener->config = config;
    listener->admission = admission;
    listener->fd = fd;
    listener->reserve_fd = -1;
    apus__timer_init(&listener->timer, on_timer);
    error = uv_poll_init(&loop->uv, &listener->poll, fd);
    if (error != 0) {
        apus__endpoint_deinit(&listener->endpoint);
        apus_free(listener);
        return error;
    }
    listener->poll.data = listener;
    send_at_once(fd); /* on Linux every connection inherits it */
    apus__tcp_limit_silence(fd, config->endpoint.stall_timeout);
    take_reserve(listener);
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    apus__budget_begin(&listener->budget, &listener->endpoint, config, admission);
    *out = listener;
    return APUS_OK;
}

void apus_listener_set_tls(apus_listener *listener, apus_tls_context *tls)
{
    apus_tls_context *before = listener->endpoint.tls;
    listener->endpoint.tls = apus_tls_context_retain(tls);
    apus_tls_context_release(before);
}

void apus_listener_stop(apus_listener *listener, uint32_t deadline,
                        void (*on_stop)(void *context, const apus_statistics *statistics))
{
    if (listener->endpoint.is_stopping)
        return;
    listener->on_stop = on_stop;
    /* Before the descriptor: libuv takes its number out of epoll, which may be another socket's as soon as it is
     * closed. */
    uv_close((uv_handle_t *)&listener->poll, on_handle_close);
    close(listener->fd);
    if (listener->reserve_fd >= 0)
        close(listener->reserve_fd);
    apus__endpoint_stop(&listener->endpoint);
    apus__loop_arm(listener->endpoint.loop, &listener->timer, deadline);
}

void apus_listener_add_statistics(const apus_listener *listener, apus_statistics *out)
{
    apus__endpoint_add_statistics(&listener->endpoint, out);
    apus_loop_counts counts;
    apus_loop_count(listener->endpoint.loop, &counts);
    out->publications_refused += counts.refused;
    out->publications_delayed += counts.delayed;
}

void apus_statistics_add(apus_statistics *sum, const apus_statistics *more)
{
#define X(name, words) sum->name += more->name;
    APUS_STATISTICS_MAP(X)
#undef X
}
