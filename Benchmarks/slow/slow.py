#!/usr/bin/env python3
"""Broadcasts a stream to quick readers, with and without readers that take nothing, and compares.

  slow.py PORT PID SLOW MEGABYTES

Every message holds the time it was sent, so that a quick reader knows how long it took. Slow readers keep their
connections open and never read. Prints the quick readers' median latency without and with the slow ones, how much the
server's resident memory grew, and how many of the slow ones the server has closed.
"""

import asyncio
import socket
import statistics
import struct
import sys
import time

MESSAGE = 100_000
RATE = 100  # messages a second
QUICK = 4
LITTLE = 4096  # what a slow reader's kernel takes for it
REQUEST = ("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def resident(pid):
    """Returns the resident bytes of a process."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup has no Rss")


async def connect(port, receive_buffer=None):
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(("127.0.0.1", port))
    connection.sendall(REQUEST.format(port).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            sys.exit("slow: the server hung up")
        head += piece
    if not head.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"slow: refused: {head.decode('latin-1')}")
    connection.setblocking(False)
    return connection


def frame(payload):
    """A binary message as a client sends it, masked with zeros."""
    return b"\x82\xff" + struct.pack(">Q", len(payload)) + bytes(4) + payload


async def read_stream(reader, count, latencies):
    """Takes `count` messages, none missing, and notes how long each was on its way."""
    for number in range(count):
        first, length = struct.unpack(">BB", await reader.readexactly(2))
        if first != 0x82 or length != 127:
            sys.exit(f"slow: not the message expected: {first:#x} {length}")
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
        payload = await reader.readexactly(size)
        sent, which = struct.unpack_from(">QQ", payload)
        if which != number or size != MESSAGE:
            sys.exit(f"slow: message {which} of {size} bytes came where {number} was due")
        latencies.append((time.perf_counter_ns() - sent) / 1e3)


async def publish(connection, count, peak, pid):
    loop = asyncio.get_running_loop()
    rest = bytes(MESSAGE - 16)
    start = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))
        await loop.sock_sendall(connection, frame(struct.pack(">QQ", time.perf_counter_ns(), number) + rest))
        if number % 20 == 0:
            peak[0] = max(peak[0], resident(pid))


async def stream(port, pid, count):
    """Runs one stream; returns the quick readers' latencies in µs, and the server's largest resident set."""
    publisher = await connect(port)
    sockets = [await connect(port) for _ in range(QUICK - 1)]
    # The publisher hears itself too, and has to read. Both ends of each are kept: a writer nobody holds is closed.
    sockets.append(publisher.dup())
    ends = [await asyncio.open_connection(sock=one, limit=1 << 22) for one in sockets]
    latencies, unused, peak = [], [], [resident(pid)]
    tasks = [read_stream(reader, count, latencies) for reader, _ in ends[:-1]]
    tasks.append(read_stream(ends[-1][0], count, unused))
    await asyncio.gather(publish(publisher, count, peak, pid), *tasks)
    for _, writer in ends:
        writer.close()
    publisher.close()
    return latencies, peak[0]


def is_closed(connection):
    """Whether a slow reader finds, now that it reads, a Close or an end behind what came."""
    connection.setblocking(True)
    connection.settimeout(0.2)
    last = b""
    try:
        while piece := connection.recv(1 << 16):
            last = (last + piece)[-64:]
    except TimeoutError:
        return False
    return True


async def main(port, pid, slow_count, megabytes):
    count = megabytes * 1_000_000 // MESSAGE
    quiet, before = await stream(port, pid, count)
    slow = [await connect(port, LITTLE) for _ in range(slow_count)]
    disturbed, peak = await stream(port, pid, count)
    ratio = statistics.median(disturbed) / statistics.median(quiet)
    print(f"median {statistics.median(quiet):.0f} µs without, {statistics.median(disturbed):.0f} µs with {slow_count} "
          f"slow readers ({ratio:.2f} ×); resident {before >> 10} KiB without, at most {peak >> 10} KiB with; "
          f"{sum(map(is_closed, slow))} slow readers closed")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    asyncio.run(main(*map(int, sys.argv[1:])))
