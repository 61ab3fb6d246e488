/* A load generator that counts: sends an exact number of messages over some connections, a fixed number in flight on
 * each, checks every echo byte by byte, and exits with 0 only if all came back.
 *
 *   count PORT CONNECTIONS DEPTH MESSAGES
 *
 * MESSAGES is the total and a multiple of CONNECTIONS. Each is a binary message of 20 bytes. Because the work is exact,
 * the difference of two runs of the server, a short and a long one, is the cost of their difference in messages. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD 20
#define REQUEST_FRAME (6 + PAYLOAD) /* header, masking key, payload: RFC 6455 §5.2 */
#define ECHO_FRAME (2 + PAYLOAD)
#define MOST_DEPTH 1024

typedef struct connection {
    int socket;
    long sent, received; /* messages */
    size_t partial;      /* bytes of an echo that has not come whole */
    uint8_t echo[ECHO_FRAME];
} connection;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != 0 || value < 1) {
        fprintf(stderr, "count: %s is no positive number\n", text);
        exit(2);
    }
    return value;
}

static void write_all(int socket, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t count = send(socket, data, len, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            fail("send");
        if (count > 0) {
            data += count;
            len -= (size_t)count;
        }
    }
}

/* Reads a response head byte by byte, so that nothing behind it is taken. */
static void read_response(int socket)
{
    char head[4096];
    size_t len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof head || recv(socket, head + len, 1, 0) != 1)
            fail("the server's answer to the opening handshake");
        len++;
    }
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0) {
        fprintf(stderr, "count: refused: %.*s\n", (int)len, head);
        exit(1);
    }
}

static void open_connection(connection *connection, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->socket < 0 || connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    int on = 1;
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char request[256];
    int len = snprintf(request, sizeof request,
                       "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       port);
    write_all(connection->socket, (const uint8_t *)request, (size_t)len);
    read_response(connection->socket);
}

/* The payload of a connection's n-th message: no two of a connection are the same. */
static void make_payload(uint8_t payload[PAYLOAD], const connection *connection, long n)
{
    for (size_t i = 0; i < PAYLOAD; i++)
        payload[i] = (uint8_t)(connection->socket + (n >> (8 * (i % 4))) + (long)i);
}

/* Sends the next `count` messages in one write. */
static void send_messages(connection *connection, long count)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t frames[MOST_DEPTH * REQUEST_FRAME], *frame = frames;
    for (long n = 0; n < count; n++, frame += REQUEST_FRAME) {
        frame[0] = 0x82; /* FIN, binary */
        frame[1] = 0x80 | PAYLOAD;
        memcpy(frame + 2, key, sizeof key);
        make_payload(frame + 6, connection, connection->sent++);
        for (size_t i = 0; i < PAYLOAD; i++)
            frame[6 + i] ^= key[i % 4];
    }
    write_all(connection->socket, frames, (size_t)(frame - frames));
}

static void check_echo(connection *connection)
{
    uint8_t expected[ECHO_FRAME] = {0x82, PAYLOAD};
    make_payload(expected + 2, connection, connection->received++);
    if (memcmp(connection->echo, expected, sizeof expected) != 0) {
        fprintf(stderr, "count: echo %ld of a connection differs from what was sent\n", connection->received);
        exit(1);
    }
    connection->partial = 0;
}

/* Takes what has come, and sends one new message for each echo, up to `each`. */
static void take_echoes(connection *connection, long each)
{
    uint8_t data[MOST_DEPTH * ECHO_FRAME];
    ssize_t len = recv(connection->socket, data, sizeof data, 0);
    if (len <= 0)
        fail("the server hung up");
    long before = connection->received;
    for (ssize_t i = 0; i < len; i++) {
        connection->echo[connection->partial++] = data[i];
        if (connection->partial == ECHO_FRAME)
            check_echo(connection);
    }
    long fresh = connection->received - before;
    if (fresh > each - connection->sent)
        fresh = each - connection->sent;
    if (fresh > 0)
        send_messages(connection, fresh);
}

static void run(connection *connections, long count, long depth, long each)
{
    int poll = epoll_create1(0);
    if (poll < 0)
        fail("epoll_create1");
    for (long i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].socket, &event) != 0)
            fail("epoll_ctl");
        send_messages(&connections[i], depth < each ? depth : each);
    }
    for (long left = count; left > 0;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, 60000);
        if (ready <= 0 && errno != EINTR)
            fail("nothing came for a minute");
        for (int i = 0; i < ready; i++) {
            connection *connection = events[i].data.ptr;
            bool was_done = connection->received == each;
            take_echoes(connection, each);
            left -= !was_done && connection->received == each;
        }
    }
    close(poll);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: count PORT CONNECTIONS DEPTH MESSAGES\n");
        return 2;
    }
    uint16_t port = (uint16_t)number(argv[1]);
    long count = number(argv[2]), depth = number(argv[3]), messages = number(argv[4]);
    if (depth > MOST_DEPTH || messages % count != 0) {
        fprintf(stderr, "count: DEPTH is at most %d, and MESSAGES a multiple of CONNECTIONS\n", MOST_DEPTH);
        return 2;
    }
    connection *connections = calloc((size_t)count, sizeof *connections);
    if (connections == NULL)
        fail("calloc");
    for (long i = 0; i < count; i++)
        open_connection(&connections[i], port);
    run(connections, count, depth, messages / count);
    for (long i = 0; i < count; i++)
        close(connections[i].socket);
    free(connections);
    printf("%ld messages came back\n", messages);
    return 0;
}
