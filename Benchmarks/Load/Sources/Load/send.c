#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load/connection.h"
#include "load/opening.h"
#include "load/run.h"

void load_connection_watch(load_run *run, load_connection *connection, bool is_wanted)
{
    if (connection->is_watching_writes == is_wanted)
        return;
    struct epoll_event event = {.events = EPOLLIN | (is_wanted ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(run->poll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        load_run_fail(run, "epoll_ctl: %s", strerror(errno));
    connection->is_watching_writes = is_wanted;
}

/* A pong goes between two messages. Returns false where it is not gone yet. */
static bool flush_pong(load_connection *connection)
{
    load_receiver *receiver = connection->receiver;
    if (receiver == NULL || receiver->pong_len == 0 || connection->sent_part > 0)
        return true;
    ssize_t count = load_transport_write(connection, receiver->pong + receiver->pong_sent,
                                         receiver->pong_len - receiver->pong_sent);
    if (count < 0)
        return true; /* reading will say that the connection has ended */
    receiver->pong_sent += (size_t)count;
    if (receiver->pong_sent < receiver->pong_len)
        return false;
    receiver->pong_len = receiver->pong_sent = 0;
    return true;
}

/* Counts what the kernel took: `count` bytes from the place where the last sending ended. */
static void advance(const load_tape *tape, load_connection *connection, size_t slot, size_t count, size_t most)
{
    size_t at = load_tape_start(tape, slot) + connection->sent_part + count;
    if (at == tape->sent_end[slot + most - 1]) {
        connection->sent += most;
        connection->sent_part = 0;
        return;
    }
    for (; tape->sent_end[slot] <= at; slot++)
        connection->sent++;
    connection->sent_part = at - load_tape_start(tape, slot);
}

void load_connection_flush(load_run *run, load_connection *connection)
{
    const load_tape *tape = &run->tape;
    bool is_blocked = !flush_pong(connection);
    while (!is_blocked && connection->sent < connection->due) {
        size_t slot = (connection->offset + connection->sent) & (tape->count - 1);
        size_t most = tape->count + tape->run - slot;
        if (most > connection->due - connection->sent)
            most = connection->due - connection->sent;
        size_t start = load_tape_start(tape, slot) + connection->sent_part;
        size_t len = tape->sent_end[slot + most - 1] - start;
        ssize_t count = load_transport_write(connection, tape->sent + start, len);
        if (count < 0) {
            load_run_fail(run, "connection %u: the server hung up", connection->index);
            return;
        }
        if (count > 0)
            advance(tape, connection, slot, (size_t)count, most);
        /* TLS writes a record at a time; a plain socket that took less than all is full. */
        is_blocked = count == 0 || (connection->ssl == NULL && (size_t)count < len) || !flush_pong(connection);
    }
    load_connection_watch(run, connection, is_blocked);
}

void load_connection_abort(load_run *run, load_connection *connection)
{
    if (connection->state == LOAD_STATE_OPEN)
        run->open--;
    struct linger reset = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    load_connection_deinit(connection);
}

void load_connection_deinit(load_connection *connection)
{
    if (connection->state == LOAD_STATE_CLOSED)
        return;
    SSL_free(connection->ssl);
    close(connection->fd);
    load_receiver_free(connection->receiver);
    load_opening_free(connection->opening);
    connection->ssl = NULL;
    connection->receiver = NULL;
    connection->opening = NULL;
    connection->state = LOAD_STATE_CLOSED;
}
