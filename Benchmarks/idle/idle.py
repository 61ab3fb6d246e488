#!/usr/bin/env python3
"""Opens WebSocket connections, lets them idle, and says what memory each takes of the server.

  idle.py PORT PID CONNECTIONS

The figure is the growth of the server's resident set (Rss of /proc/PID/smaps_rollup), divided by the connections. What
the kernel keeps for a socket is not in it.
"""

import os
import socket
import sys

# Linux has some 28,000 ports for outgoing connections of one source address, and keeps those of an earlier run for a
# minute; so a run has addresses of its own, and takes a part of the ports of each.
PORTS_PER_ADDRESS = 5_000
NETWORK = f"127.0.{1 + os.getpid() % 250}"
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen by connect, which knows the other end

REQUEST = ("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def resident(pid):
    """Returns the resident bytes of a process."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup has no Rss")


def connect(port, number):
    """Opens one connection, up to the end of its opening handshake."""
    connection = socket.socket()
    connection.settimeout(30)
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((f"{NETWORK}.{1 + number // PORTS_PER_ADDRESS}", 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(REQUEST.format(port).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            sys.exit(f"idle: the server hung up on connection {number}")
        head += piece
    if not head.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"idle: connection {number} was refused: {head.decode('latin-1')}")
    return connection


def main(arguments):
    port, pid, count = map(int, arguments)
    first = connect(port, 0)  # so that what the first connection sets up once is not counted
    before = resident(pid)
    connections = [connect(port, number) for number in range(count)]
    after = resident(pid)
    print(f"{count} connections: {before} bytes resident before, {after} with them, "
          f"{(after - before) / count:.0f} bytes per connection")
    for connection in (first, *connections):
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
