"""Many clients, half by polling and half by WebSocket: each gets every broadcast once, in order."""

import asyncio
import json

import raw
from servers import Server

CLIENTS, BROADCASTS = 200, 10_000
TICK = '42["tick",'


class Polling:
    """A session by polling, on one connection that is kept."""

    async def open(self, port):
        self.connection = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        self.target = "/socket.io/?EIO=4&transport=polling"
        packets = await self.request("GET")
        self.target += "&sid=" + json.loads(packets[0][1:])["sid"]
        assert await self.request("POST", "40") == ["ok"]
        self.early = []
        assert (await self.next())[0].startswith("40{")
        return self

    async def request(self, method, body=""):
        reader, writer = self.connection
        head = f"{method} {self.target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200"), head
        size = int(head.split("content-length: ")[1].split("\r\n")[0])
        return (await reader.readexactly(size)).decode().split("\x1e")

    async def next(self):
        packets = await self.request("GET")
        if "2" in packets:
            assert await self.request("POST", "3") == ["ok"]
        return [packet for packet in packets if packet != "2"] or await self.next()

    async def send(self, packet):
        assert await self.request("POST", packet) == ["ok"]


class WebSocket:
    async def open(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        self.writer.write(raw.request(port, target="/socket.io/?EIO=4&transport=websocket"))
        await self.reader.readuntil(b"\r\n\r\n")
        self.rest = b""
        assert (await self.next())[0][0] == "0"
        await self.send("40")
        assert (await self.next())[0].startswith("40{")
        return self

    async def next(self):
        """All messages that have come, of which none is larger than 125 bytes."""
        data = self.rest + await self.reader.read(1 << 20)
        assert data != self.rest, "the server has closed"
        at, packets = 0, []
        while at + 1 < len(data) and (end := at + 2 + data[at + 1]) <= len(data):
            assert data[at + 1] < 126 and data[at] in (0x81, 0x89), data[at:at + 20]
            if data[at] == 0x81:
                packets.append(data[at + 2:end].decode())
            at = end
        self.rest = data[at:]
        if "2" in packets:
            await self.send("3")
        return [packet for packet in packets if packet != "2"] or await self.next()

    async def send(self, packet):
        self.writer.write(raw.frame(raw.TEXT, packet.encode()))


async def listen(client):
    numbers = []
    while len(numbers) < BROADCASTS:
        numbers += [int(packet[len(TICK):-1]) for packet in await client.next()]
    return numbers


async def broadcast(port):
    clients = []
    for number in range(CLIENTS):
        clients.append(await (Polling if number % 2 else WebSocket)().open(port))
    await clients[0].send(f'42["burst",{BROADCASTS}]')
    return await asyncio.gather(*map(listen, clients))


def test_every_client_gets_every_broadcast_once_in_order():
    with Server("socketio-test-server", "--features", where=("127.0.0.1:0",)) as running:
        heard = asyncio.run(asyncio.wait_for(broadcast(running.port), 120))
    assert all(numbers == list(range(BROADCASTS)) for numbers in heard)
