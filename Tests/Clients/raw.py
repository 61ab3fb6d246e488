"""A WebSocket client of bare bytes, for what well-behaved clients never send (RFC 6455)."""

import socket
import struct

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 §1.3, with the answer that it must get
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def request(port, changes=None, method="GET", target="/"):
    """The bytes of an opening handshake; `changes` replaces fields, and leaves out those that are None."""
    fields = {
        "Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", **(changes or {}),
    }
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x37\xfa\x21\x3d"):
    """A frame (§5.2); without a `mask` as a server would send it."""
    size = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def close_payload(code, reason=""):
    return struct.pack(">H", code) + reason.encode()


class Response:
    """The head of an HTTP response."""

    def __init__(self, text):
        status_line, *lines = text.split("\r\n")
        self.status = int(status_line.split(" ")[1])
        self.fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()


class Connection:
    """A TCP connection that speaks only the bytes it is given."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def send_bytewise(self, data):
        for byte in data:
            self.socket.sendall(bytes([byte]))

    def read_response(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.input.readline()
            if not line:
                raise EOFError(f"the connection ended inside a response head: {head!r}")
            head += line
        return Response(head.decode("latin-1")[:-4])

    def open(self, changes=None, target="/"):
        """Does the opening handshake, and returns the connection."""
        self.send(request(self.port, changes, target=target))
        response = self.read_response()
        assert response.status == 101, response.fields
        assert response.fields["sec-websocket-accept"] == ACCEPT
        return self

    def read_exactly(self, size):
        data = self.input.read(size)
        if len(data) < size:
            raise EOFError("the connection ended inside a frame")
        return data

    def read_frame(self):
        """Returns (FIN, opcode, payload) of the next frame, which must be unmasked and without reserved bits."""
        first, second = self.read_exactly(2)
        assert not first & 0x70, "a reserved bit is set"
        assert not second & 0x80, "a server must not mask (§5.1)"
        size = second
        if size == 126:
            size, = struct.unpack(">H", self.read_exactly(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.read_exactly(8))
        return bool(first & 0x80), first & 0x0F, self.read_exactly(size)

    def read_message(self):
        """Returns (opcode, payload) of the next message, whole."""
        fin, opcode, payload = self.read_frame()
        parts = [payload]
        while not fin:
            fin, continuation, payload = self.read_frame()
            assert continuation == CONTINUATION
            parts.append(payload)
        return opcode, b"".join(parts)

    def read_close(self):
        """Returns (code, reason) of the close frame that must come next."""
        fin, opcode, payload = self.read_frame()
        assert (fin, opcode) == (True, CLOSE)
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def is_at_end(self):
        """Whether the server ends the connection without another byte."""
        return self.input.read(1) == b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.input.close()
        self.socket.close()
