"""Lets one of many WebSocket clients broadcast, and waits until all have heard everything.

  broadcast.py PORT CLIENTS BROADCASTS {plain,socketio,except,attachment}

A message has 100 bytes; for `attachment` that is its attachment. By `except` and `attachment` the one who broadcasts
is another client, and hears nothing: by the former it is in the room that is left out. For Scripts/measure-broadcasts.
"""

import base64
import os
import selectors
import socket
import struct
import sys

SIZE = 100


def frame(payload):
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def connect(port, target):
    client = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(4096)
    return client, data.split(b"\r\n\r\n", 1)[1]


def open_socketio(port):
    client, data = connect(port, "/socket.io/?EIO=4&transport=websocket")
    client.sendall(frame(b"40"))
    while b'40{"sid"' not in data:
        data += client.recv(4096)
    return client


def open_all(port, clients, kind):
    """Returns the clients that hear, the one that broadcasts, its message, and the bytes that each hears of it."""
    if kind == "plain":
        sockets = [connect(port, "/")[0] for _ in range(clients)]
        return sockets, sockets[0], frame(b"x" * SIZE), SIZE + 2
    sockets = [open_socketio(port) for _ in range(clients)]
    text = b"x" * (SIZE - len('42["said",""]'))
    if kind == "socketio":
        return sockets, sockets[0], frame(b'42["announce","' + text + b'"]'), SIZE + 2
    sender = open_socketio(port)
    if kind == "except":
        sender.sendall(frame(b'420["join","quiet"]'))
        data = b""
        while not data.endswith(b"430[true]"):
            data += sender.recv(4096)
        return sockets, sender, frame(b'42["say-except","quiet","' + text + b'"]'), SIZE + 2
    placeholder = b'{"_placeholder":true,"num":0}]'
    message = frame(b'451-["shout",' + placeholder) + bytes([0x82, 0x80 | SIZE]) + bytes(4 + SIZE)
    return sockets, sender, message, len(b'451-["said",' + placeholder) + 2 + SIZE + 2


def main():
    port, clients, broadcasts, kind = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    sockets, sender, message, size = open_all(port, clients, kind)
    selector = selectors.DefaultSelector()
    for client in sockets:
        selector.register(client, selectors.EVENT_READ)
    for _ in range(broadcasts):
        # One at a time, as chats do: what belongs to a broadcast as such is counted with it.
        sender.sendall(message)
        missing = clients * size
        while missing:
            for key, _ in selector.select():
                missing -= len(key.fileobj.recv(65536))
    for client in {*sockets, sender}:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


main()
