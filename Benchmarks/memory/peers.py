"""Peers of memory-test-server, written by hand so that they can stop anywhere."""

import socket
import ssl
import struct
import sys
import time

HOST = "127.0.0.1"
PATIENCE = 30  # seconds until the server has settled
OPCODE_CONTINUATION, OPCODE_TEXT, OPCODE_BINARY, OPCODE_PING = 0, 1, 2, 9


class Server:
    """One server, asked over a connection of its own for what it holds."""

    def __init__(self, port, is_secure):
        self.port = port
        self.is_secure = is_secure
        self.control = self.connect()

    def connect(self, receive_buffer=None):
        """Opens a connection; a small receive buffer is one that the server soon fills."""
        connection = socket.socket()
        # A close drops what the kernel has not sent yet, so that the server sees it at once.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.settimeout(PATIENCE)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((HOST, self.port))
        if self.is_secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = context.wrap_socket(connection)
        return connection

    def ask(self, path="/memory", content=None, fields=""):
        """Asks for `path`, and gives the text of the response; with content by POST."""
        head = f"{'GET' if content is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}"
        if content is not None:
            head += f"Content-Type: text/plain\r\nContent-Length: {len(content)}\r\n"
        self.control.sendall(f"{head}\r\n".encode() + (content or b""))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, content = answer.partition(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if b"content-length" in line).split(b":")[1])
        while len(content) < length:
            content += self.receive()
        return content.decode()

    def receive(self):
        """The next bytes of a response."""
        piece = self.control.recv(65536)
        if not piece:
            sys.exit("memory: the server hung up")
        return piece

    def memory(self):
        """The gauge and malloc's count, once neither has changed for longer than a loop keeps blocks for reuse."""
        last, same = None, 0
        end = time.monotonic() + PATIENCE
        while same < 12 and time.monotonic() < end:
            now = tuple(map(int, self.ask().split()[:2]))
            same = same + 1 if now == last else 0
            last = now
            time.sleep(0.1)
        return last

    def connections(self):
        """How many connections the server has."""
        return int(self.ask().split()[4])


def open_websocket(server, path, extensions="", receive_buffer=None):
    """Opens a WebSocket, up to the end of its opening handshake."""
    connection = server.connect(receive_buffer)
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    if extensions:
        lines.append("Sec-WebSocket-Extensions: " + extensions)
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            break
        head += piece
    if not head.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"memory: refused: {head.decode('latin-1')}")
    return connection


def frame(opcode, payload, fin=True, size=None, rsv1=False):
    """A frame with the masking key 0; its header may announce another size."""
    size = len(payload) if size is None else size
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    if size < 126:
        header = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        header = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        header = struct.pack("!BBQ", first, 0x80 | 127, size)
    return header + bytes(4) + payload


def push(connection, data, patience=1.0):
    """Sends as much as the server takes; it may stop to read."""
    connection.settimeout(patience)
    try:
        connection.sendall(data)
    except TimeoutError:
        pass
    return connection


def each(count, make):
    """So many connections."""
    return [make() for _ in range(count)]


def wait_for(condition):
    """Waits until something is so, for a while."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
