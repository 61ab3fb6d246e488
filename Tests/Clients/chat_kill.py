#!/usr/bin/env python3
"""Kills a chat server again and again amid traffic, and counts what its people are left with.

    chat_kill.py .build/release/chat [--kills 6] [--clients 20] [--writers 8] [--messages 1500] [--seed N]

Clients take part in two rooms as docs/chat-protocol.md asks for: they join after the greatest id they have, and send
what was not acknowledged again, in order, under the same keys. The server is killed with SIGKILL whenever a random
number of further messages has been acknowledged, and started again on the same database and port. At the end each
client must hold each acknowledged message exactly once, all in the same order. Needs the package `websockets`.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import pathlib
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import uuid

import websockets

ROOMS = ["North", "南"]
WINDOW = 40  # messages that a writer has under way at most
PATIENCE = 120  # seconds for the whole run; only a run that hangs takes so long
PATIENCE_AT_END = 30  # seconds for the server to end, likewise


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chat", type=pathlib.Path, help="the chat server's binary")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--writers", type=int, default=8, help="how many of the clients write")
    parser.add_argument("--messages", type=int, default=1500, help="how many they write together, at least")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    return parser.parse_args()


class Server:
    """The server under test, on one port and one database for the whole run."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.database = folder / "chat.sqlite"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/chat"

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            self.binary, "--port", str(self.port), "--database", self.database, stdout=asyncio.subprocess.PIPE)
        line = await self.process.stdout.readline()
        if not line.startswith(b"Chat is ready"):
            raise RuntimeError(f"{self.binary} did not start: {line!r}, status {await self.process.wait()}")

    async def end(self, how):
        """Returns its exit status; None where it does not end."""
        self.process.send_signal(how)
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self.process.wait(), PATIENCE_AT_END)


class Traffic:
    """What all clients have done so far, and who waits for it."""

    def __init__(self):
        self.acknowledged = {}  # key: (id, room, text)
        self.resent = 0
        self.faults = []
        self.progress = asyncio.Condition()

    async def told(self):
        async with self.progress:
            self.progress.notify_all()

    async def until(self, condition):
        async with self.progress:
            await self.progress.wait_for(condition)


class Client:
    """One person who reads all rooms, and may write."""

    def __init__(self, name, server, traffic):
        self.name, self.server, self.traffic = name, server, traffic
        self.held = {room: {} for room in ROOMS}  # id: message
        self.unacknowledged = {}  # key: send, in the order written
        self.live = set()
        self.socket = None
        self.connections = 0

    def greatest(self, room):
        return max(self.held[room], default=None)

    def fault(self, words):
        self.traffic.faults.append(f"{self.name}: {words}")

    async def live_on(self):
        """Stays connected, however often the connection is lost."""
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(self.server.url, compression=None) as self.socket:
                    self.connections += 1
                    await self.take_part()
            self.live.clear()
            await asyncio.sleep(random.uniform(0.01, 0.05))  # as a page backs off, only faster

    async def take_part(self):
        await self.tell({"type": "hello", "name": self.name})
        for room in ROOMS:
            await self.tell({"type": "create", "room": room})
            await self.tell({"type": "join", "room": room, "after": self.greatest(room) or 0})
        async for text in self.socket:
            event = json.loads(text)
            await getattr(self, "on_" + event["type"], self.ignore)(event)

    async def tell(self, event):
        await self.socket.send(json.dumps(event))

    async def ignore(self, event):
        pass

    async def on_error(self, event):
        # Everybody asks for both rooms at once, from one address, which may make only so many. Whoever is refused joins
        # what others make, and comes again where they have not yet.
        if event["code"] == "no-such-room":
            await self.socket.close()
        elif event["code"] != "too-fast" or "rooms" not in event["words"]:
            self.fault(f"the server answered {event}")

    async def on_history(self, event):
        room = event["room"]
        if room in self.live:
            self.fault(f"history of {room} after it was done")
        for message in event["messages"]:
            self.take(room, message)
        if not event["done"]:
            return
        self.live.add(room)
        for send in [send for send in self.unacknowledged.values() if send["room"] == room]:
            self.traffic.resent += 1
            await self.tell(send)
        await self.traffic.told()

    async def on_message(self, event):
        room = event["message"]["room"]
        if room not in self.live:
            self.fault(f"a live message in {room} before its history was done")
        self.take(room, event["message"])
        await self.traffic.told()

    def take(self, room, message):
        """Keeps a message. What the server sends is strict: never an id again, never a smaller one."""
        if message["id"] <= (self.greatest(room) or 0):
            self.fault(f"id {message['id']} of {room} came after {self.greatest(room)}")
        self.held[room].setdefault(message["id"], message)

    async def on_sent(self, event):
        send = self.unacknowledged.pop(event["key"], None)
        if send is None:
            return
        self.traffic.acknowledged[event["key"]] = (event["id"], send["room"], send["text"])
        await self.traffic.told()

    async def write(self, enough):
        """Writes until `enough()`, never more than a window ahead of the acknowledgements."""
        number = 0
        while not enough():
            await self.traffic.until(lambda: len(self.unacknowledged) < WINDOW or enough())
            room = random.choice(ROOMS)
            number += 1
            key = str(uuid.UUID(int=random.getrandbits(128), version=4))
            send = {"type": "send", "room": room, "key": key, "text": f"{self.name} {number} <&> 你好"}
            self.unacknowledged[key] = send
            if room in self.live:
                with contextlib.suppress(websockets.ConnectionClosed):  # it is sent again after the next joining
                    await self.tell(send)
            await asyncio.sleep(0)
        await self.traffic.until(lambda: not self.unacknowledged)


async def kill_amid_traffic(server, traffic, writers, kills):
    """Returns how many messages were under way at each kill, and how long each restart took."""
    def count():
        return sum(len(writer.unacknowledged) for writer in writers)

    under_way, restarts = [], []
    for _ in range(kills):
        goal = len(traffic.acknowledged) + random.randint(50, 150)
        await traffic.until(lambda: len(traffic.acknowledged) >= goal and count() > 0)
        under_way.append(count())
        await server.end(signal.SIGKILL)
        start = time.monotonic()
        await server.start()
        restarts.append(time.monotonic() - start)
    return under_way, restarts


async def run(options, server):
    traffic = Traffic()
    clients = [Client(f"client {n}", server, traffic) for n in range(options.clients)]
    writers = clients[:options.writers]
    killing = None

    def enough():
        return killing.done() and len(traffic.acknowledged) >= options.messages

    await server.start()
    lives = [asyncio.create_task(client.live_on()) for client in clients]
    killing = asyncio.create_task(kill_amid_traffic(server, traffic, writers, options.kills))
    await asyncio.gather(*(writer.write(enough) for writer in writers), killing)

    newest = {room: max(id for id, of, _ in traffic.acknowledged.values() if of == room) for room in ROOMS}
    await traffic.until(lambda: all(c.greatest(room) == newest[room] for c in clients for room in ROOMS))

    latecomer = Client("latecomer", server, traffic)
    lives.append(asyncio.create_task(latecomer.live_on()))
    await traffic.until(lambda: len(latecomer.live) == len(ROOMS))
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    return traffic, clients, latecomer, *killing.result()


class Tally:
    """Counts checks; prints each."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, ok, what, detail=""):
        self.passed, self.failed = self.passed + bool(ok), self.failed + (not ok)
        print(f"ok    {what}" if ok else f"FAIL  {what}: {detail}", flush=True)


def check(tally, traffic, clients, latecomer, under_way):
    reference = {room: list(clients[0].held[room].values()) for room in ROOMS}
    everyone = [*clients, latecomer]

    def differing():
        return [c.name for c in everyone if any(list(c.held[room].values()) != reference[room] for room in ROOMS)]

    keys = collections.Counter(message["key"] for room in ROOMS for message in reference[room])
    stored = {m["key"]: (m["id"], room, m["text"]) for room in ROOMS for m in reference[room]}
    lost = [key for key in traffic.acknowledged if key not in stored]
    altered = [key for key, sent in traffic.acknowledged.items() if key in stored and stored[key] != sent]
    twice = [key for key, count in keys.items() if count > 1]
    tally(not lost, "each client holds every acknowledged message", f"{len(lost)} lost, such as {lost[:3]}")
    tally(not twice, "no key is held twice", f"{len(twice)} are, such as {twice[:3]}")
    tally(not altered, "ids, rooms and texts are those acknowledged", f"not of {altered[:3]}")
    tally(set(stored) == set(traffic.acknowledged), "what is held was acknowledged, in the end",
          f"{len(set(stored) - set(traffic.acknowledged))} were not")
    tally(not differing(), "all clients, a latecomer too, hold the same messages in the same order",
          f"different: {differing()}")
    ascending = all([m["id"] for m in reference[room]] == sorted(m["id"] for m in reference[room]) for room in ROOMS)
    tally(ascending, "the order is that of the ids")
    tally(in_writers_order(reference), "each writer's messages stand in the order written")
    tally(not traffic.faults, "on the wire no id came twice or late, and there was no error",
          f"{len(traffic.faults)} faults, such as {traffic.faults[:3]}")
    tally(traffic.resent >= len(under_way), "what a kill left open was sent again", f"only {traffic.resent} messages")


def in_writers_order(reference):
    for messages in reference.values():
        last = {}
        for message in messages:
            number = int(message["text"].removeprefix(message["name"]).split()[0])
            if number <= last.get(message["name"], 0):
                return False
            last[message["name"]] = number
    return True


def check_database(tally, database, traffic):
    connection = sqlite3.connect(database)
    integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    count, keys = connection.execute("SELECT count(*), count(DISTINCT key) FROM messages").fetchone()
    connection.execute("INSERT INTO messageIndex (messageIndex, rank) VALUES ('integrity-check', 1)")
    connection.close()
    tally(integrity == "ok", "the database is whole, its index of the texts too", integrity)
    tally(count == keys == len(traffic.acknowledged), "the database holds each message once",
          f"{count} rows, {keys} keys, {len(traffic.acknowledged)} acknowledged")


async def main():
    options = parse_options()
    random.seed(options.seed)
    print(f"seed {options.seed}", flush=True)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(options.chat, pathlib.Path(folder))
        start = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                traffic, clients, latecomer, under_way, restarts = await run(options, server)
            status = await server.end(signal.SIGTERM)
        except TimeoutError:
            tally(False, "every client comes to hold all that was acknowledged", f"not within {PATIENCE} s")
            print(f"{tally.passed} passed, {tally.failed} failed")
            return 1
        finally:
            if server.process.returncode is None:
                await server.end(signal.SIGKILL)
        check(tally, traffic, clients, latecomer, under_way)
        check_database(tally, server.database, traffic)
        tally(status == 0, "SIGTERM ends the server with status 0", f"status {status}")
    print(f"{len(traffic.acknowledged)} messages acknowledged, {options.writers} writers, {options.clients} clients, "
          f"{sum(c.connections for c in clients)} connections, {time.monotonic() - start:.1f} s\n"
          f"{options.kills} kills, {under_way} messages under way at each, {traffic.resent} sent again, "
          f"restarts {min(restarts):.2f} to {max(restarts):.2f} s")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
