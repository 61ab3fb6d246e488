"""What a Socket.IO client can fill."""

import json
import sys

from peers import OPCODE_BINARY, OPCODE_TEXT, PATIENCE, each, frame, open_websocket, push, wait_for


class Polling:
    """A session of Socket.IO by polling: it has no connection between its requests."""

    PATH = "/socket.io/?EIO=4&transport=polling"

    def __init__(self, server, query="", fields=""):
        self.server = server
        opened = server.ask(self.PATH + query, fields=fields)
        self.path = f"{self.PATH}&sid={json.loads(opened[1:])['sid']}"

    def send(self, *packets):
        """Sends packets in one request."""
        answer = self.server.ask(self.path, "\x1e".join(packets).encode())
        if answer != "ok":
            sys.exit(f"memory: a poll was refused: {answer}")
        return self

    def connect(self):
        """Connects to the namespace `/`; an event before the answer would end the session."""
        self.send("40")
        if not self.server.ask(self.path).startswith("40{"):
            sys.exit("memory: no CONNECT was answered")
        return self

    def close(self):
        """Ends the session; the server may have ended it before."""
        self.server.ask(self.path, b"1")


def open_socketio(server, *packets, patience=0.2):
    """A client by WebSocket in the namespace `/`, which then sends packets, as much as the server takes."""
    connection = open_websocket(server, "/socket.io/?EIO=4&transport=websocket")
    connection.sendall(frame(OPCODE_TEXT, b"40"))
    received = b""
    while b"40{" not in received:
        piece = connection.recv(4096)
        if not piece:
            sys.exit("memory: no CONNECT was answered")
        received += piece
    return push(connection, b"".join(frame(OPCODE_TEXT, packet.encode()) for packet in packets), patience)


def polling_sessions(server):
    """Sessions that say nothing more."""
    return each(2000, lambda: Polling(server))


def polling_heads(server):
    """Sessions opened with large requests."""
    fields = "x: " + "x" * 7000 + "\r\n"
    return each(300, lambda: Polling(server, "&q=" + "q" * 7000, fields))


def polling_queues(size):
    """Packets of a size for clients that do not poll."""
    def fill(server):
        return each(30, lambda: Polling(server).connect().send(
            f'42["flood",{1200000 // (size + 20)},{size}]'))
    return fill


def unhandled(packet):
    """Events behind one that is being handled."""
    def fill(server):
        return each(50, lambda: open_socketio(server, '42["hold"]', *[packet] * (2000000 // len(packet))))
    return fill


def attachments(server):
    """Packets of which the last attachment is missing."""
    def begin():
        connection = open_socketio(server, '4510-["x",' + ",".join(
            f'{{"_placeholder":true,"num":{number}}}' for number in range(10)) + "]")
        return push(connection, frame(OPCODE_BINARY, bytes(100000)) * 9)
    return each(50, begin)


def acknowledgements(server):
    """Acknowledgements that the server waits for."""
    return each(50, lambda: open_socketio(server, '42["ask",100]'))


def socketio_rooms(server):
    """Rooms, a hundred for each client."""
    return each(50, lambda: open_socketio(server, '42["join",100]'))


def namespaces(are_shared):
    """A hundred namespaces for each client, of their own or the same."""
    def fill(server):
        return [open_socketio(server, *(f"40/dynamic-{0 if are_shared else client}-{number},"
                                        for number in range(99))) for client in range(50)]
    return fill


def auths(server):
    """What clients send in their CONNECT."""
    auth = json.dumps({str(number): "x" * 100 for number in range(400)})
    return each(50, lambda: push(open_websocket(server, "/socket.io/?EIO=4&transport=websocket"),
                                 frame(OPCODE_TEXT, f"40{auth}".encode())))


def missed(server):
    """Packets that are remembered for those who may come back."""
    publisher = open_socketio(server, '42["publish",3000,2000]')
    publisher.settimeout(PATIENCE)
    received = 0
    while received < 3000 * 2000:
        received += len(publisher.recv(1 << 20))
    return [publisher]


def lost(server):
    """Clients whose connections are lost, with their rooms."""
    clients = each(200, lambda: open_socketio(server, '42["join",100]'))
    wait_for(lambda: server.memory() is not None)
    for client in clients:
        client.close()
    return []


SOCKETIO = {
    "polling sessions": polling_sessions, "polling heads": polling_heads, "polling, 100 bytes": polling_queues(100),
    "polling, 50 kB": polling_queues(50000), "unhandled events": unhandled('42["x"]'),
    "unhandled arrays": unhandled('42["x",[' + ",".join(["[]"] * 1000) + "]]"),
    "unhandled objects": unhandled('42["x",[' + ",".join(['{"a":1}'] * 1000) + "]]"), "attachments": attachments,
    "acknowledgements": acknowledgements, "rooms": socketio_rooms, "namespaces": namespaces(False),
    "shared namespaces": namespaces(True), "auth": auths,
}
RECOVERING = {"missed packets": missed, "lost clients": lost}
