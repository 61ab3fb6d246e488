#!/usr/bin/env python3
"""Fills everything a peer can fill of memory-test-server, one thing after the other, and compares the growth of the
server's memory gauge with that of what malloc has handed out.

  memory.py PORT TLS_PORT COMPRESSING_PORT SOCKETIO_PORT RECOVERY_PORT [NAME...]

Prints a line for each thing; exits 1 where the two differ by more than twice, or the gauge does not fall again once all
connections have gone. Growth of less than 1 MiB by both is too little to tell.
"""

import socket
import ssl
import sys
import zlib

from clients import RECOVERING, SOCKETIO
from peers import (HOST, OPCODE_BINARY, OPCODE_CONTINUATION, OPCODE_PING, OPCODE_TEXT, Server, each, frame,
                   open_websocket, push, wait_for)

LEAST_GROWTH = 1 << 20


# What a peer can fill: a function that gives the connections, of which the server must hold on to something.

def idle_sockets(server):
    """Connections that have not sent a byte."""
    return each(1000, server.connect)


def heads(server):
    """Request heads, cut before their end."""
    return each(300, lambda: push(server.connect(), b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"x" * 16000))


def contents(server):
    """Content of requests that nobody reads."""
    head = b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    return each(50, lambda: push(server.connect(), head + bytes(1000000), 0.05))


def pipelined(server):
    """Requests behind one that is not answered."""
    request = b"GET /unread HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return each(50, lambda: push(server.connect(), request * 20000, 0.05))


def whole_responses(server):
    """Whole responses that are not read."""
    return each(100, lambda: push(server.connect(4096), b"GET /whole HTTP/1.1\r\nHost: localhost\r\n\r\n"))


def streamed_responses(server):
    """Streamed responses that are not read."""
    return each(50, lambda: push(server.connect(4096), b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"))


def idle_websockets(server):
    """WebSockets that say nothing."""
    return each(1000, lambda: open_websocket(server, "/"))


def unread_messages(server):
    """Messages that nobody reads."""
    data = frame(OPCODE_BINARY, bytes(1000)) * 1000
    return each(50, lambda: push(open_websocket(server, "/unread"), data, 0.05))


def unread_small_messages(server):
    """Messages without content that nobody reads."""
    data = frame(OPCODE_TEXT, b"") * 100000
    return each(50, lambda: push(open_websocket(server, "/unread"), data, 0.05))


def partial_messages(server):
    """Large messages, but for their last byte."""
    data = frame(OPCODE_BINARY, bytes((1 << 20) - 1), size=1 << 20)
    return each(50, lambda: push(open_websocket(server, "/"), data))


def fragments(server):
    """Messages in small fragments, without the last one."""
    data = frame(OPCODE_BINARY, b"", fin=False) + frame(OPCODE_CONTINUATION, bytes(100), fin=False) * 10000
    return each(50, lambda: push(open_websocket(server, "/"), data))


def control_frames(server):
    """Pings, cut before their end."""
    return each(1000, lambda: push(open_websocket(server, "/"), frame(OPCODE_PING, bytes(100), size=125)))


def outbound_queues(size):
    """Messages of a size for a peer that does not read."""
    def fill(server):
        def flood():
            return push(open_websocket(server, "/flood", receive_buffer=4096), frame(OPCODE_TEXT, str(size).encode()))
        return each(30, flood)
    return fill


def published(server):
    """Messages of a topic for peers that do not read."""
    peers = each(200, lambda: open_websocket(server, "/topic", receive_buffer=4096))
    server.ask("/publish")
    return peers


def answers_behind_published(server):
    """One small message behind each of a topic's."""
    peers = published(server)
    for peer in peers:
        push(peer, frame(OPCODE_BINARY, b"x") * 5)
    return peers


def subscriptions(server):
    """Subscriptions, a hundred for each WebSocket."""
    return each(200, lambda: open_websocket(server, "/topics"))


def waiting_pings(server):
    """Pings of the application that the peer does not answer."""
    return each(100, lambda: open_websocket(server, "/pings"))


def unread_pongs(server):
    """Pings by a peer that does not read the Pongs."""
    data = frame(OPCODE_PING, bytes(125)) * 20000
    return each(30, lambda: push(open_websocket(server, "/", receive_buffer=4096), data, 0.2))


def tls_handshakes(server):
    """TLS handshakes that have only begun."""
    def begin():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        outgoing = ssl.MemoryBIO()
        session = context.wrap_bio(ssl.MemoryBIO(), outgoing)
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        connection = socket.create_connection((HOST, server.port))
        connection.sendall(outgoing.read())
        return connection
    return each(300, begin)


def tls_records(server):
    """TLS records, cut before their end."""
    def begin():
        raw = socket.create_connection((HOST, server.port))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        session.write(b"GET / HTTP/1.1\r\nx: " + b"x" * 15000)
        raw.sendall(outgoing.read()[:-100])
        return raw
    return each(300, begin)


def compression_contexts(server):
    """Compression contexts, both ways."""
    compressor = zlib.compressobj(wbits=-15)
    text = bytes(1000)
    payload = (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def use():
        connection = open_websocket(server, "/", "permessage-deflate")
        push(connection, frame(OPCODE_BINARY, payload, rsv1=True))
        connection.recv(100)
        return connection
    return each(50, use)


PLAIN = {
    "idle sockets": idle_sockets, "request heads": heads, "contents": contents, "pipelined requests": pipelined,
    "whole responses": whole_responses, "streamed responses": streamed_responses, "idle WebSockets": idle_websockets,
    "unread messages": unread_messages, "unread empty messages": unread_small_messages,
    "partial messages": partial_messages, "fragments": fragments, "cut control frames": control_frames,
    "outbound, 100 bytes": outbound_queues(100), "outbound, 64 KiB": outbound_queues(65536),
    "outbound, 4 MiB": outbound_queues(4 << 20), "published": published, "answers behind": answers_behind_published,
    "subscriptions": subscriptions, "waiting pings": waiting_pings, "unread pongs": unread_pongs,
}
SECURE = {"TLS connections": idle_sockets, "TLS WebSockets": idle_websockets, "TLS handshakes": tls_handshakes,
          "TLS cut records": tls_records}
COMPRESSING = {"compression contexts": compression_contexts}


def judge(gauge, malloc):
    """What is wrong with two growths; empty where nothing is."""
    if gauge < LEAST_GROWTH and malloc < LEAST_GROWTH:
        return ""
    if gauge > 2 * malloc:
        return "the gauge counts too much"
    return "the gauge counts too little" if malloc > 2 * gauge else ""


def measure(server, name, fill):
    """Fills one thing; whether the gauge was right."""
    server.ask("/trim")
    before = server.memory()
    connections = fill(server)
    during = server.memory()
    gauge, malloc = (now - then for now, then in zip(during, before))
    complaint = judge(gauge, malloc)
    for connection in connections:
        connection.close()
    server.ask("/release")
    wait_for(lambda: server.connections() <= 1)
    allowed = LEAST_GROWTH + gauge // 20
    wait_for(lambda: server.memory()[0] - before[0] <= allowed)
    left = server.memory()[0] - before[0]
    if left > allowed:
        complaint += f"; the gauge keeps {left} bytes"
    print(f"{name:24} {len(connections):5} peers  gauge {gauge / 1e6:8.2f} MB  malloc {malloc / 1e6:8.2f} MB  "
          f"{complaint or 'ok'}", flush=True)
    return not complaint


def main(arguments):
    """Measures all things, or those named."""
    kinds = PLAIN, SECURE, COMPRESSING, SOCKETIO, RECOVERING
    ports, names = list(map(int, arguments[:len(kinds)])), arguments[len(kinds):]
    fine = True
    for port, things in zip(ports, kinds):
        chosen = {name: fill for name, fill in things.items() if not names or name in names}
        if not chosen:
            continue
        server = Server(port, things is SECURE)
        for name, fill in chosen.items():
            fine = measure(server, name, fill) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
