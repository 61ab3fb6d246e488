#!/usr/bin/env python3
"""Asks `echo-server --mode burst` for a burst, a flood or a duel, and counts what its subscribers get.

  burst.py HOST PORT PID SUBSCRIBERS COMMAND... [--rate BYTES]

COMMAND is `burst COUNT SIZE`, `flood SECONDS SIZE` or `duel SECONDS SIZE`. With --rate all subscribers together read
no more than so many bytes a second. Prints one line of JSON: the server's answer, its peak memory in KiB, how many
messages arrived, how many were due, how many subscribers were closed, and how long it took until all had been read.
"""

import argparse
import json
import select
import socket
import struct
import sys
import time

REQUEST = ("GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
QUIET = 3.0  # seconds without a byte after which nothing more is expected
SLICE = 64 * 1024


def memory(pid, what):
    """Returns a line of /proc/PID/status in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(what + ":"):
                return int(line.split()[1])
    raise ValueError(f"/proc/{pid}/status has no {what}")


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")


def text_frame(text):
    """A text message as a client sends it, masked with zeros."""
    payload = text.encode()
    return b"\x81" + struct.pack(">B", 0x80 | len(payload)) + bytes(4) + payload


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            sys.exit("burst: the server hung up")
        data += piece
    return data


def read_text(connection):
    head = read_exactly(connection, 2)
    length = head[1]
    if length == 126:
        (length,) = struct.unpack(">H", read_exactly(connection, 2))
    return read_exactly(connection, length).decode()


def connect(host, port):
    connection = socket.create_connection((host, port))
    connection.sendall(REQUEST.format(host).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(connection, 1)
    if not head.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"burst: refused: {head.decode('latin-1')}")
    return connection


def subscribe(host, port):
    connection = connect(host, port)
    connection.sendall(text_frame("join"))
    if read_text(connection) != "joined":
        sys.exit("burst: did not join")
    connection.setblocking(False)
    return connection


def frame_size(size):
    return size + (2 if size < 126 else 4 if size < 65536 else 10)


class Readers:
    """Subscribers that count bytes; one that is closed shows by an end behind a Close."""

    def __init__(self, connections):
        self.poll = select.epoll()
        self.connections = {connection.fileno(): connection for connection in connections}
        for number in self.connections:
            self.poll.register(number, select.EPOLLIN)
        self.bytes = dict.fromkeys(self.connections, 0)
        self.ended = 0
        self.buffer = bytearray(SLICE)

    def read(self, number, limit):
        try:
            count = self.connections[number].recv_into(self.buffer, min(limit, SLICE))
        except BlockingIOError:
            return 0
        except ConnectionResetError:
            count = 0
        if count == 0:
            self.poll.unregister(number)
            self.ended += 1
        self.bytes[number] += count
        return count

    def turn(self, allowance):
        """Reads what there is, at most `allowance` bytes, first for those that have had least; returns how many."""
        total = 0
        ready = [number for number, _ in self.poll.poll(0.01)]
        if allowance < len(ready) * SLICE:
            ready.sort(key=self.bytes.__getitem__)
        for number in ready:
            if total >= allowance:
                break
            total += self.read(number, allowance - total)
        return total


def run(options):
    control = connect(options.host, options.port)
    readers = Readers([subscribe(options.host, options.port) for _ in range(options.subscribers)])
    reset_peak(options.pid)
    before = memory(options.pid, "VmRSS")
    control.sendall(text_frame(" ".join(options.command)))
    control.setblocking(False)
    start = last = time.monotonic()
    answer, total = b"", 0
    while not answer or time.monotonic() - last < QUIET:
        now = time.monotonic()
        due = (now - start) * options.rate - total if options.rate else 1 << 40
        count = readers.turn(int(due)) if due >= 1 else 0
        if due < 1:
            time.sleep(0.001)
        if count:
            last, total = now, total + count
        if not answer:
            try:
                answer = control.recv(4096)
                last = now
            except BlockingIOError:
                pass
    result = json.loads(answer[4 if answer[1] == 126 else 2:])
    size = frame_size(int(options.command[2]))
    whole = result["published"] * size
    result.update({
        "subscribers": options.subscribers,
        "arrived": sum(count // size for count in readers.bytes.values()),
        "due": result["published"] * options.subscribers,
        "complete": sum(count == whole for count in readers.bytes.values()),
        "closed": readers.ended,
        "until": round(last - start, 2),
        "rate": int(total / max(last - start, 1e-9)),
        "before": before,
        "peak": memory(options.pid, "VmHWM"),
    })
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("pid", type=int)
    parser.add_argument("subscribers", type=int)
    parser.add_argument("command", nargs=3)
    parser.add_argument("--rate", type=int, default=0)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
