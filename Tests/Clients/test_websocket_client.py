"""The Python package websocket-client, which blocks."""

import os

import pytest
import websocket
from websocket import ABNF

LARGE = 16 << 20


def connect(server, **options):
    return websocket.create_connection(server.url, timeout=60, suppress_origin=True, **options)


@pytest.fixture
def socket(server):
    fresh = connect(server)
    yield fresh
    fresh.shutdown()


@pytest.mark.parametrize("text", ["", "hello", "😀" * 5000])
def test_text_comes_back(socket, text):
    socket.send(text)
    assert socket.recv() == text


def test_binary_comes_back(socket):
    data = os.urandom(100_000)
    socket.send_binary(data)
    assert socket.recv() == data


def test_a_message_of_16_mib_comes_back(socket):
    data = os.urandom(1 << 20) * 16
    socket.send_binary(data)
    assert socket.recv() == data


def test_fragments_come_back_as_one_message(socket):
    socket.send_frame(ABNF.create_frame("first, ", ABNF.OPCODE_TEXT, fin=0))
    socket.send_frame(ABNF.create_frame("second, ", ABNF.OPCODE_CONT, fin=0))
    socket.send_frame(ABNF.create_frame("last", ABNF.OPCODE_CONT, fin=1))
    assert socket.recv() == "first, second, last"


def test_a_ping_is_answered_with_its_payload(socket):
    socket.ping("still there?")
    assert socket.recv_data(control_frame=True) == (ABNF.OPCODE_PONG, b"still there?")


def test_the_default_origin_of_the_client_is_the_servers_own(server):
    socket = websocket.create_connection(server.url, timeout=60)
    socket.send("same origin")
    assert socket.recv() == "same origin"
    socket.close()


def test_another_origin_is_refused(server):
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        websocket.create_connection(server.url, timeout=60, origin="http://evil.example")
    assert refusal.value.status_code == 403


def test_a_subprotocol_that_nobody_speaks_is_not_confirmed(server):
    # This client gives up then, as RFC 6455 §4.1 lets it.
    with pytest.raises(websocket.WebSocketException, match="Invalid WebSocket Header"):
        connect(server, subprotocols=["chat", "superchat"])


def test_the_clients_close_is_answered_with_its_code(socket):
    socket.send_close(4002, b"enough")
    opcode, payload = socket.recv_data(control_frame=True)
    assert (opcode, int.from_bytes(payload[:2], "big")) == (ABNF.OPCODE_CLOSE, 4002)


def test_a_broken_frame_is_closed_with_1002(socket):
    socket.send_frame(ABNF.create_frame("x", ABNF.OPCODE_CONT))
    opcode, payload = socket.recv_data(control_frame=True)
    assert (opcode, int.from_bytes(payload[:2], "big")) == (ABNF.OPCODE_CLOSE, 1002)
