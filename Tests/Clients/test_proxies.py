"""Behind nginx and HAProxy: WebSockets and HTTP pass, and the server knows whom it speaks to."""

import contextlib
import functools
import http.client

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from proxies import PROXIES, Proxy, find
from servers import Server

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def backends():
    """An echo server for either way of telling the client, both trusting 127.0.0.1."""
    with Server("echo-server", "--mode", "client", "--trust", "127.0.0.1") as plain:
        with Server("echo-server", "--mode", "client", "--trust", "127.0.0.1", "--proxy-protocol") as proxied:
            yield {"PLAIN": plain.port, "PROXIED": proxied.port}


@pytest.fixture(scope="module")
def start(backends):
    """Starts a proxy before them, once, and ends it with the last test."""
    with contextlib.ExitStack() as stack:
        @functools.cache
        def start(name):
            program = find(name)
            if program is None:
                pytest.skip(f"there is no {name}: it is not installed, and Scripts/setup test could not unpack it")
            return stack.enter_context(Proxy(program, *PROXIES[name], **backends))
        yield start


# Each way in which a proxy tells the client: fields of HTTP, and the PROXY protocol's two versions.
WAYS = {"nginx": ("nginx", "PORT"), "haproxy": ("haproxy", "PORT"), "haproxy-v1": ("haproxy", "LINE"),
        "haproxy-v2": ("haproxy", "BINARY")}


class Way:
    """A port of a proxy; `has_fields` where HTTP's fields tell the client, which have no port of it."""

    def __init__(self, proxy, port):
        self.port = proxy.ports[port]
        self.has_fields = port == "PORT"


@pytest.fixture(params=WAYS)
def way(request, start):
    name, port = WAYS[request.param]
    return Way(start(name), port)


@pytest.fixture
def port(way):
    return way.port


@contextlib.contextmanager
def open_socket(port, **options):
    """Connects; `seen` is what the server says of the client before anything else."""
    with connect(f"ws://127.0.0.1:{port}/", max_size=4 * MEBIBYTE, compression=None, **options) as socket:
        socket.seen = socket.recv(timeout=30).split()[0]
        yield socket


def test_text_and_binary_messages_come_back(port):
    with open_socket(port) as socket:
        for message in ["hello", "höher 🐝", "", b"\x00\xff" * 40, b""]:
            socket.send(message)
            assert socket.recv(timeout=30) == message


def test_a_mebibyte_comes_back(port):
    with open_socket(port) as socket:
        for message in [b"\xa5" * MEBIBYTE, "ä" * (MEBIBYTE // 2)]:
            socket.send(message)
            assert socket.recv(timeout=30) == message


def test_a_ping_is_answered(port):
    with open_socket(port) as socket:
        assert socket.ping(b"there?").wait(30)


def test_a_close_is_answered(port):
    with open_socket(port) as socket:
        socket.close(4001, "enough")
        assert socket.close_code == 4001


def test_the_page_of_the_proxy_may_connect_and_another_may_not(port):
    with open_socket(port, origin=f"http://127.0.0.1:{port}") as socket:
        socket.send("hello")
        assert socket.recv(timeout=30) == "hello"
    with pytest.raises(InvalidStatus, match="403"), open_socket(port, origin="http://example.org"):
        pass


class Client(http.client.HTTPConnection):
    """An HTTP client that knows its own address."""

    def fetch(self, method="GET", path="/", **options):
        self.request(method, path, **options)
        self.address = "%s:%d" % self.sock.getsockname()
        response = self.getresponse()
        return response.status, response.read()


def test_the_server_sees_the_client_and_not_the_proxy(way):
    client = Client("127.0.0.1", way.port, timeout=30)
    status, body = client.fetch(path="/client")
    seen, scheme, authority = body.decode().split()
    assert (status, scheme, authority) == (200, "http", f"127.0.0.1:{way.port}")
    assert seen == ("127.0.0.1:0" if way.has_fields else client.address)
    client.close()


def test_what_the_client_says_of_itself_is_not_believed(way):
    client = Client("127.0.0.1", way.port, timeout=30)
    fields = {"X-Forwarded-For": "6.6.6.6, 7.7.7.7", "Forwarded": "for=6.6.6.6;host=evil", "X-Forwarded-Host": "evil"}
    status, body = client.fetch(path="/client", headers=fields)
    assert status == 200
    seen, _, authority = body.decode().split()
    if way.has_fields:
        # 127.0.0.1, the test's own address, is trusted, so its word on 7.7.7.7 counts; no further.
        assert seen == "7.7.7.7:0"
        assert authority == f"127.0.0.1:{way.port}"
    else:
        assert "6.6.6.6" not in seen
    client.close()


def test_a_websocket_has_the_clients_address(way):
    with open_socket(way.port) as socket:
        own = "%s:%d" % socket.local_address[:2]
        assert socket.seen == ("127.0.0.1:0" if way.has_fields else own)


@pytest.mark.parametrize("size", [0, 1, 65536, MEBIBYTE])
def test_content_comes_back(port, size):
    client = Client("127.0.0.1", port, timeout=30)
    content = bytes(index % 251 for index in range(size))
    for _ in range(2):  # on one connection
        assert client.fetch("POST", "/", body=content) == (200, content)
    client.close()


def test_content_in_chunks_comes_back(port):
    client = Client("127.0.0.1", port, timeout=30)
    pieces = [b"x" * size for size in (1, 10, 1000, 100_000, 1)]
    for _ in range(2):
        assert client.fetch("POST", "/", body=iter(pieces), encode_chunked=True) == (200, b"".join(pieces))
    client.close()


def test_content_over_the_limit_is_refused(port):
    client = Client("127.0.0.1", port, timeout=30)
    client.putrequest("POST", "/")
    client.putheader("Content-Length", str(MEBIBYTE + 1))
    client.endheaders()
    response = client.getresponse()
    assert response.status == 413
    client.close()
