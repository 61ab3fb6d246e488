"""Engine.IO and Socket.IO as bare strings: requests whose answers may be long in coming, and WebSockets."""

import json
import socket
import time

import raw

SEPARATOR = "\x1e"


class Exchange:
    """One HTTP request on a connection of its own, sent at once; the response is read when it is asked for."""

    def __init__(self, port, method, target, body=None, headers=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = body.encode() if isinstance(body, str) else body
        fields = {"Host": f"127.0.0.1:{port}", **(headers or {})}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + (body or b""))

    def response(self):
        """Returns (status, header fields, content)."""
        with self.socket, self.socket.makefile("rb") as file:
            status = int(file.readline().split(b" ")[1])
            fields = {}
            while (line := file.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                fields[name.strip().lower()] = value.strip()
            content = file.read(int(fields.get("content-length", "0")))
        return status, fields, content

    def drop(self):
        self.socket.close()

    def give_up(self):
        """Says that no more will come, and waits until the server has closed for that."""
        self.socket.shutdown(socket.SHUT_WR)
        with self.socket:
            while self.socket.recv(4096):
                pass

    def wait_until_asked_for(self):
        """Waits until the server wants the content, which it was told to ask for."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert self.socket.recv(len(interim), socket.MSG_WAITALL) == interim

    def is_silent(self, seconds):
        """Whether nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)


def fetch(port, method, target, body=None, headers=None):
    """Returns (status, content as text)."""
    status, _, content = Exchange(port, method, target, body, headers).response()
    return status, content.decode()


class Poller:
    """A session by polling."""

    def __init__(self, port, path):
        self.port = port
        self.base = f"{path}?EIO=4&transport=polling"
        status, self.opening = fetch(port, "GET", self.base)
        assert status == 200
        self.opened = time.monotonic()
        self.handshake = json.loads(self.opening[1:])
        self.sid = self.handshake["sid"]
        self.target = f"{self.base}&sid={self.sid}"

    def start_poll(self):
        return Exchange(self.port, "GET", self.target)

    def poll(self):
        return fetch(self.port, "GET", self.target)

    def post(self, body, headers=None):
        return fetch(self.port, "POST", self.target, body, headers)

    def start_post(self, body):
        return Exchange(self.port, "POST", self.target, body)

    def start_unfinished_post(self):
        """A POST that the server reads, and whose content never comes."""
        headers = {"Content-Length": "100", "Expect": "100-continue"}
        post = Exchange(self.port, "POST", self.target, headers=headers)
        post.wait_until_asked_for()
        return post

    def is_gone(self):
        return self.poll()[0] == 400


class WebSocket(raw.Connection):
    """A WebSocket to a session, new or that of a `sid`."""

    def __init__(self, port, path, sid=None):
        super().__init__(port)
        self.socket.settimeout(10)
        target = f"{path}?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        self.open(target=target)

    def emit(self, message):
        if isinstance(message, str):
            self.send(raw.frame(raw.TEXT, message.encode()))
        else:
            self.send(raw.frame(raw.BINARY, message))

    def receive(self):
        """The next message: text, bytes, or None once the server closes."""
        try:
            opcode, payload = self.read_message()
        except (EOFError, ConnectionResetError):
            return None
        if opcode == raw.CLOSE:
            return None
        return payload.decode() if opcode == raw.TEXT else payload

    def receive_beside_pings(self):
        """The next message that is no ping; pings are answered."""
        while (message := self.receive()) == "2":
            self.emit("3")
        return message

    def is_closed(self):
        """Whether the server closes next; pings on the way do not count."""
        while (message := self.receive()) == "2":
            pass
        return message is None


def connected(port, namespace="", auth=""):
    """A Socket.IO client by WebSocket that has joined a namespace."""
    client = WebSocket(port, "/socket.io/")
    assert client.receive()[0] == "0"
    client.emit(f"40{namespace}{auth}")
    assert client.receive_beside_pings().startswith("40" + namespace)
    assert client.receive_beside_pings().startswith("42" + namespace)
    return client
