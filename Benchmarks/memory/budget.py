#!/usr/bin/env python3
"""Lets many peers each send a message of 1 MiB but for its last byte, beside some that only echo, and says what memory
the server has taken at most.

  budget.py PORT PID PEERS BUDGET_IN_MIB

Exits 1 if a healthy peer was ended, if the budget ended nobody, or if the server took more than twice its budget.
"""

import socket
import sys
import time

from peers import OPCODE_BINARY, Server, frame, open_websocket, push, wait_for

HEALTHY = 20


def peak(pid):
    """The largest resident set that a process has had, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def greed(server):
    """A peer with a message that does not end; None where the server is full."""
    try:
        connection = open_websocket(server, "/")
        return push(connection, frame(OPCODE_BINARY, bytes((1 << 20) - 1), size=1 << 20), 0.2)
    except (OSError, SystemExit):
        return None


def is_alive(connection):
    """Whether a peer still gets its echo."""
    try:
        connection.settimeout(30)
        connection.sendall(frame(OPCODE_BINARY, b"still here?"))
        return connection.recv(100).endswith(b"still here?")
    except OSError:
        return False


def main(arguments):
    """Fills the server, and says what came of it."""
    port, pid, count, budget = map(int, arguments)
    server = Server(port, False)
    healthy = [open_websocket(server, "/") for _ in range(HEALTHY)]
    greedy = [greed(server) for _ in range(count)]
    alive = sum(map(is_alive, healthy))
    fields = server.ask().split()
    most, ended = peak(pid), int(fields[5])
    print(f"{count} peers of 1 MiB ({sum(peer is None for peer in greedy)} refused): at most {most / 1e6:.0f} MB "
          f"resident, gauge {int(fields[0]) / 1e6:.0f} MB; {ended} ended for the budget, {fields[6]} refused; "
          f"{alive} of {HEALTHY} healthy peers served")
    for peer in filter(None, greedy):
        peer.close()
    wait_for(lambda: server.connections() <= HEALTHY + 1)
    time.sleep(1)  # for what is given back a little later
    fields = server.ask().split()
    gauge, used, taken, resident = (int(field) / 1e6 for field in fields[:4])
    print(f"a second after they have left: {resident:.0f} MB resident, gauge {gauge:.0f} MB; "
          f"malloc has {used:.0f} MB of {taken:.0f} MB in use")
    return 0 if alive == HEALTHY and ended > 0 and most <= 2 * (budget << 20) else 1


if __name__ == "__main__":
    socket.setdefaulttimeout(30)
    sys.exit(main(sys.argv[1:]))
