"""permessage-deflate with the Python package websockets, which has zlib of its own, as the peer."""

import contextlib
import random
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from servers import Server

MODES = ["shared", "dedicated"]
LEVELS = ["1", "4"]  # one of each compressor


@pytest.fixture(scope="module", params=[(mode, level) for mode in MODES for level in LEVELS])
def compressing(request, echo_command):
    """An echo server that compresses, shared by the tests of this file."""
    mode, level = request.param
    with Server(*echo_command, "--compression", mode, "--compression-level", level) as running:
        running.mode = mode
        yield running


def accepted(socket):
    return socket.response.headers.get("Sec-WebSocket-Extensions")


def prose(size, seed=1):
    """Text of about that size, which shrinks."""
    words, source = ["swift", "roof", "wing", "naïve", "😀", "over", "the"], random.Random(seed)
    return " ".join(source.choice(words) for _ in range(size // 5))


def test_compression_is_agreed_on(compressing):
    with connect(compressing.url) as socket:
        takeover = "; server_no_context_takeover; client_no_context_takeover"
        assert accepted(socket) == "permessage-deflate" + (takeover if compressing.mode == "shared" else "")


@pytest.mark.parametrize("size", [0, 1, 31, 32, 125, 126, 256, 5000, 65535, 1 << 20, 16 << 20])
def test_messages_come_back(compressing, size):
    with connect(compressing.url, max_size=None) as socket:
        for message in (prose(size), random.Random(size).randbytes(size), "a" * size, prose(size)):
            socket.send(message)
            assert socket.recv(timeout=60) == message


def test_fragments_come_back_as_one_message(compressing):
    with connect(compressing.url, max_size=None) as socket:
        for pieces in (["frag", "ment", "", "ed"] * 100, [prose(5000, seed) for seed in range(20)]):
            socket.send(pieces)
            assert socket.recv(timeout=60) == "".join(pieces)


def offer(**parameters):
    return ClientPerMessageDeflateFactory(**parameters)


@pytest.mark.parametrize("server_bits", [None, 9])
@pytest.mark.parametrize("client_bits", [True, 9])
@pytest.mark.parametrize("without", [(False, False), (True, False), (False, True)])
def test_whatever_is_agreed_on_both_inflate(compressing, server_bits, client_bits, without):
    extension = offer(server_no_context_takeover=without[0], client_no_context_takeover=without[1],
                      server_max_window_bits=server_bits, client_max_window_bits=client_bits)
    with connect(compressing.url, compression=None, extensions=[extension]) as socket:
        assert accepted(socket).startswith("permessage-deflate")
        for seed in range(5):
            message = prose(40000, seed)
            socket.send(message)
            assert socket.recv(timeout=60) == message


def test_an_offer_that_zlib_cannot_serve_is_passed_over(compressing):
    with connect(compressing.url, compression=None, extensions=[offer(server_max_window_bits=8)]) as socket:
        assert accepted(socket) is None
        socket.send(prose(1000))
        assert socket.recv(timeout=60) == prose(1000)
    both = [offer(server_max_window_bits=8), offer(server_max_window_bits=10)]
    with connect(compressing.url, compression=None, extensions=both) as socket:
        assert "server_max_window_bits=10" in accepted(socket)


def test_42_kib_that_stand_for_40_mib_are_refused(echo_command):
    with Server(*echo_command, "--compression", "dedicated", "--max-message", str(1 << 20)) as server:
        with connect(server.url) as socket:
            with pytest.raises(ConnectionClosed) as end:
                socket.send(bytes(40 << 20))
                socket.recv(timeout=60)
        assert end.value.rcvd.code == 1009


def test_a_broadcast_reaches_all_whatever_they_agreed_on(echo_command):
    extensions = [[], [offer()], [offer(server_max_window_bits=9)], [offer(server_no_context_takeover=True)]] * 3
    with Server(*echo_command, "--mode", "broadcast", "--compression", "dedicated") as server, \
            contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(server.url, compression=None, extensions=extension or None))
                   for extension in extensions]
        # Whoever is answered has subscribed.
        for socket in sockets:
            socket.send("hello")
            while socket.recv(timeout=60) != "hello":
                pass
        messages = [prose(2000, seed) for seed in range(30)]
        sender = threading.Thread(target=lambda: [sockets[0].send(message) for message in messages])
        sender.start()
        for socket in sockets:
            received = []
            while len(received) < len(messages):
                message = socket.recv(timeout=60)
                if message != "hello":
                    received.append(message)
            assert received == messages
        sender.join()
