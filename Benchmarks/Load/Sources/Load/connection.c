#include "load/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load/clock.h"
#include "load/opening.h"
#include "load/run.h"

#define CONNECTIONS_PER_ADDRESS 20000 /* fewer than the ephemeral ports that Linux has for one address */

static void fail_connection(load_run *run, const load_connection *connection, const char *words)
{
    load_run_fail(run, "connection %u: %s", connection->index, words);
}

/* Many connections to one address of the loopback network need several addresses of their own. */
static void choose_source(const load_run *run, const load_connection *connection)
{
    const struct sockaddr_in *server = (const struct sockaddr_in *)run->address->ai_addr;
    int on = 1;
    if (run->count <= CONNECTIONS_PER_ADDRESS || run->address->ai_family != AF_INET ||
        ntohl(server->sin_addr.s_addr) >> 24 != 127)
        return;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + connection->index / CONNECTIONS_PER_ADDRESS);
    setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    /* Where this fails, connecting will say so. */
    (void)bind(connection->fd, (const struct sockaddr *)&source, sizeof source);
}

void load_connection_open(load_run *run, load_connection *connection)
{
    connection->began_at = load_now();
    connection->fd = socket(run->address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        load_run_fail(run, "socket: %s", strerror(errno));
        return;
    }
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    choose_source(run, connection);
    connection->state = LOAD_STATE_CONNECTING;
    connection->is_watching_writes = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    if (epoll_ctl(run->poll, EPOLL_CTL_ADD, connection->fd, &event) != 0 ||
        (connect(connection->fd, run->address->ai_addr, run->address->ai_addrlen) != 0 && errno != EINPROGRESS))
        load_run_fail(run, "cannot connect to %s port %s: %s", run->options->host, run->options->port, strerror(errno));
}

static void begin_tls(load_run *run, load_connection *connection)
{
    connection->state = LOAD_STATE_SECURING;
    connection->ssl = SSL_new(run->tls);
    if (connection->ssl == NULL || SSL_set_fd(connection->ssl, connection->fd) != 1 ||
        SSL_set_tlsext_host_name(connection->ssl, run->options->host) != 1 ||
        (!run->options->is_insecure && SSL_set1_host(connection->ssl, run->options->host) != 1)) {
        fail_connection(run, connection, "cannot begin TLS");
        return;
    }
    SSL_set_connect_state(connection->ssl);
}

static void secure(load_run *run, load_connection *connection)
{
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1) {
        connection->state = LOAD_STATE_SHAKING;
        return;
    }
    int error = SSL_get_error(connection->ssl, result);
    load_connection_watch(run, connection, error == SSL_ERROR_WANT_WRITE);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    const char *why = ERR_reason_error_string(ERR_get_error());
    long verified = SSL_get_verify_result(connection->ssl);
    if (verified != X509_V_OK)
        why = X509_verify_cert_error_string(verified);
    load_run_fail(run, "connection %u: TLS: %s%s", connection->index, why == NULL ? "the server hung up" : why,
                  verified != X509_V_OK ? " (see --ca and --insecure)" : "");
}

static void connected(load_run *run, load_connection *connection)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        load_run_fail(run, "cannot connect to %s port %s: %s", run->options->host, run->options->port, strerror(error));
        return;
    }
    if (!run->options->is_raw) {
        connection->opening = load_opening_new(run);
        if (connection->opening == NULL) {
            load_run_fail(run, "out of memory");
            return;
        }
    }
    if (run->tls != NULL)
        begin_tls(run, connection);
    else
        connection->state = LOAD_STATE_SHAKING;
}

/* Counts what was as it should be. Most often that is one whole message, and no division. */
static void count_expected(const load_tape *tape, load_connection *connection, size_t len)
{
    size_t whole = connection->heard_part + len;
    if (whole == tape->heard_len) {
        connection->heard++;
        connection->heard_part = 0;
        return;
    }
    connection->heard += whole / tape->heard_len;
    connection->heard_part = whole % tape->heard_len;
}

/* Takes what came as the tape has it, while it is that; returns how many bytes were. */
static size_t take_expected(load_run *run, load_connection *connection, const uint8_t *data, size_t len)
{
    const load_tape *tape = &run->tape;
    size_t ring = tape->count * tape->heard_len, taken = 0;
    while (taken < len) {
        size_t slot = (connection->offset + connection->heard) & (tape->count - 1);
        size_t at = slot * tape->heard_len + connection->heard_part;
        size_t piece = len - taken < ring - at ? len - taken : ring - at;
        if (!run->options->is_raw && memcmp(data + taken, tape->heard + at, piece) != 0)
            break;
        count_expected(tape, connection, piece);
        taken += piece;
    }
    return taken;
}

/* Goes the long way, from the beginning of the message that is coming on. */
static void take_frames(load_run *run, load_connection *connection, const uint8_t *data, size_t len)
{
    char error[LOAD_ERROR_SIZE];
    uint64_t next = connection->offset + connection->heard, first = next;
    int64_t count = 0;
    if (connection->receiver == NULL && (connection->receiver = load_receiver_new(false, false)) == NULL) {
        load_run_fail(run, "out of memory");
        return;
    }
    if (connection->heard_part > 0) {
        const uint8_t *part = run->tape.heard + (next & (run->tape.count - 1)) * run->tape.heard_len;
        count = load_receiver_take(connection->receiver, &run->tape, &next, part, connection->heard_part, error);
        connection->heard_part = 0;
    }
    if (count >= 0)
        count = load_receiver_take(connection->receiver, &run->tape, &next, data, len, error);
    connection->heard += next - first;
    if (count < 0)
        load_run_fail(run, "connection %u, message %llu: %s", connection->index, (unsigned long long)connection->heard,
                      error);
    else if (connection->receiver->pong_len > 0)
        load_connection_flush(run, connection);
}

static void take(load_run *run, load_connection *connection, const uint8_t *data, size_t len)
{
    uint64_t first = connection->heard;
    const load_receiver *receiver = connection->receiver;
    size_t taken = 0;
    if (receiver == NULL || (!receiver->is_inflating && load_receiver_is_between(receiver)))
        taken = take_expected(run, connection, data, len);
    if (taken < len)
        take_frames(run, connection, data + taken, len - taken);
    if (run->has_failed || connection->heard == first)
        return;
    if (connection->heard > connection->due && run->options->mode == LOAD_MODE_ECHO)
        fail_connection(run, connection, "more came back than was sent");
    else
        run->work->on_heard(run, connection, first, connection->heard - first);
}

static void receive(load_run *run, load_connection *connection)
{
    for (;;) {
        ssize_t count = load_transport_read(connection, run->buffer, LOAD_BUFFER_SIZE);
        if (count < 0 && run->phase < LOAD_PHASE_DRAINING)
            fail_connection(run, connection, "the server hung up");
        if (count < 0 && run->phase >= LOAD_PHASE_DRAINING)
            load_connection_abort(run, connection);
        if (count <= 0)
            return;
        run->heard_bytes += (uint64_t)count;
        take(run, connection, run->buffer, (size_t)count);
        /* TLS may hold more than it handed out; a plain socket that had less than asked for is empty. */
        bool may_have_more = connection->ssl != NULL || count == LOAD_BUFFER_SIZE;
        if (!may_have_more || run->has_failed || connection->state != LOAD_STATE_OPEN)
            return;
    }
}

static void opened(load_run *run, load_connection *connection, size_t head_len)
{
    load_opening *opening = connection->opening;
    load_accepted accepted = {0};
    char error[LOAD_ERROR_SIZE];
    connection->state = LOAD_STATE_OPEN;
    load_connection_watch(run, connection, false);
    if (opening != NULL && !load_opening_check(opening, run->options, &accepted, error)) {
        load_run_fail(run, "%s", error);
        return;
    }
    if (accepted.is_deflate && (connection->receiver = load_receiver_new(true, accepted.is_resetting)) == NULL) {
        load_run_fail(run, "out of memory");
        return;
    }
    run->open++;
    connection->opening = NULL;
    run->work->on_open(run, connection);
    if (opening != NULL && opening->head_len > head_len && connection->state == LOAD_STATE_OPEN)
        take(run, connection, (uint8_t *)opening->head + head_len, opening->head_len - head_len);
    load_opening_free(opening);
}

/* Joins a namespace of Socket.IO behind the handshake; returns the end of the server's two packets, 0 before it. */
static size_t join(load_run *run, load_connection *connection, size_t head_len)
{
    static const uint8_t connect[] = {0x81, 0x82, 0,   0,
                                      0,    0,    '4', '0'}; /* a key of zeros leaves the bytes as they are */
    load_opening *opening = connection->opening;
    if (strncmp(opening->head, "HTTP/1.1 101", 12) != 0)
        return head_len;
    if (!opening->has_joined && load_transport_write(connection, connect, sizeof connect) != sizeof connect)
        fail_connection(run, connection, "the server hung up before a namespace was joined");
    opening->has_joined = true;
    return load_opening_frames_end(opening, head_len, 2);
}

static void shake(load_run *run, load_connection *connection)
{
    load_opening *opening = connection->opening;
    if (opening == NULL) {
        opened(run, connection, 0);
        return;
    }
    if (opening->request_sent < opening->request_len) {
        ssize_t sent = load_transport_write(connection, (const uint8_t *)opening->request + opening->request_sent,
                                            opening->request_len - opening->request_sent);
        if (sent < 0)
            fail_connection(run, connection, "the server hung up during the opening handshake");
        else
            opening->request_sent += (size_t)sent;
        load_connection_watch(run, connection, opening->request_sent < opening->request_len);
    }
    ssize_t count = load_transport_read(connection, (uint8_t *)opening->head + opening->head_len,
                                        LOAD_MOST_HEAD - opening->head_len);
    if (count < 0) {
        fail_connection(run, connection, "the server hung up during the opening handshake");
        return;
    }
    opening->head_len += (size_t)count;
    size_t head_len = load_opening_head_len(opening);
    if (head_len != 0 && run->options->is_socketio)
        head_len = join(run, connection, head_len);
    if (head_len != 0)
        opened(run, connection, head_len);
    else if (opening->head_len == LOAD_MOST_HEAD)
        fail_connection(run, connection, "the server's answer to the handshake does not end");
}

void load_connection_handle(load_run *run, load_connection *connection, uint32_t events)
{
    if (connection->state == LOAD_STATE_OPEN) {
        if (events & EPOLLOUT)
            load_connection_flush(run, connection);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && connection->state == LOAD_STATE_OPEN)
            receive(run, connection);
        return;
    }
    if (connection->state == LOAD_STATE_CONNECTING)
        connected(run, connection);
    if (connection->state == LOAD_STATE_SECURING && !run->has_failed)
        secure(run, connection);
    if (connection->state == LOAD_STATE_SHAKING && !run->has_failed)
        shake(run, connection);
}
