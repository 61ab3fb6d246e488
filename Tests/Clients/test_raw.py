"""What only bare bytes can show: refused handshakes, broken frames, and bytes that come one at a time."""

import pytest

import raw
from raw import Connection, close_payload, frame, request
from servers import Server


@pytest.fixture
def connection(server):
    with Connection(server.port) as fresh:
        yield fresh


def answer(connection, *arguments, **options):
    connection.send(request(connection.port, *arguments, **options))
    return connection.read_response()


def test_a_key_gets_the_accept_value_of_rfc_6455_1_3(connection):
    response = answer(connection)
    assert response.status == 101
    assert response.fields["sec-websocket-accept"] == raw.ACCEPT
    assert response.fields["upgrade"].lower() == "websocket"
    assert response.fields["connection"].lower() == "upgrade"


def test_the_own_origin_is_let_in(connection):
    assert answer(connection, {"Origin": f"http://127.0.0.1:{connection.port}"}).status == 101


@pytest.mark.parametrize("origin", ["http://example.org", "http://127.0.0.1", "null", "https://127.0.0.1:1"])
def test_another_origin_is_refused(connection, origin):
    assert answer(connection, {"Origin": origin}).status == 403
    assert not connection.input.read().startswith(b"\x81")


def test_a_subprotocol_that_nobody_speaks_is_not_confirmed(connection):
    response = answer(connection, {"Sec-WebSocket-Protocol": "chat, superchat"})
    assert response.status == 101
    assert "sec-websocket-protocol" not in response.fields


def test_an_extension_that_is_off_is_not_confirmed(connection):
    response = answer(connection, {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"})
    assert response.status == 101
    assert "sec-websocket-extensions" not in response.fields


@pytest.mark.parametrize("version", ["8", "14", "0x0d", None])
def test_another_version_is_refused_and_13_is_offered(connection, version):
    response = answer(connection, {"Sec-WebSocket-Version": version})
    assert response.status == 426
    assert response.fields["sec-websocket-version"] == "13"
    assert response.fields["upgrade"] == "websocket"  # RFC 9110 §15.5.22 and §7.8
    assert response.fields["connection"] == "upgrade, close"


@pytest.mark.parametrize("changes", [
    {"Sec-WebSocket-Key": None}, {"Sec-WebSocket-Key": "c2hvcnQ="}, {"Sec-WebSocket-Key": "not base64 at all!!"},
    {"Connection": "close"}, {"Host": None},
], ids=["no key", "a short key", "a malformed key", "no Connection: Upgrade", "no Host"])
def test_a_malformed_handshake_is_refused(connection, changes):
    assert answer(connection, changes).status == 400


def test_only_get_upgrades(connection):
    response = answer(connection, method="POST")
    assert response.status == 405
    assert response.fields["allow"] == "GET"  # RFC 9110 §15.5.6


def test_a_request_that_is_no_upgrade_gets_an_http_answer(connection):
    response = answer(connection, {"Upgrade": None, "Connection": "close"})
    assert response.status in (404, 426)


def test_bytes_one_at_a_time_are_the_same_handshake_and_message(connection):
    connection.send_bytewise(request(connection.port))
    assert connection.read_response().status == 101
    connection.send_bytewise(frame(raw.TEXT, "grüße".encode()))
    assert connection.read_message() == (raw.TEXT, "grüße".encode())


def test_frames_may_follow_the_handshake_in_one_write(connection):
    connection.send(request(connection.port) + frame(raw.TEXT, b"one") + frame(raw.BINARY, b"two"))
    assert connection.read_response().status == 101
    assert connection.read_message() == (raw.TEXT, b"one")
    assert connection.read_message() == (raw.BINARY, b"two")


def test_control_frames_may_stand_between_fragments(connection):
    connection.open()
    connection.send(frame(raw.TEXT, b"a", fin=False) + frame(raw.PING, b"p") + frame(raw.CONTINUATION, b"b"))
    assert connection.read_frame() == (True, raw.PONG, b"p")
    assert connection.read_message() == (raw.TEXT, b"ab")


BROKEN = {
    "a frame that is not masked": (frame(raw.TEXT, b"x", mask=None), 1002),
    "a reserved bit": (frame(raw.TEXT, b"x", rsv=4), 1002),
    "an opcode that nobody defined": (frame(3, b"x"), 1002),
    "a continuation of nothing": (frame(raw.CONTINUATION, b"x"), 1002),
    "a message inside a message": (frame(raw.TEXT, b"x", fin=False) + frame(raw.TEXT, b"y"), 1002),
    "a fragmented ping": (frame(raw.PING, b"x", fin=False), 1002),
    "a ping of 126 bytes": (frame(raw.PING, bytes(126)), 1002),
    "a close payload of one byte": (frame(raw.CLOSE, b"x"), 1002),
    "a close code that may not be sent": (frame(raw.CLOSE, close_payload(1006)), 1002),
    "text that is not UTF-8": (frame(raw.TEXT, b"\xed\xa0\x80"), 1007),
    "text that ends inside a character": (frame(raw.TEXT, b"\xe2\x82"), 1007),
    "a close reason that is not UTF-8": (frame(raw.CLOSE, close_payload(1000) + b"\xff"), 1007),
}


@pytest.mark.parametrize("data, code", BROKEN.values(), ids=BROKEN.keys())
def test_broken_frames_close_with_their_code(connection, data, code):
    connection.open().send(data)
    assert connection.read_close()[0] == code
    assert connection.is_at_end()


@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (3000, "registered"), (4999, "ours, ünïcode")])
def test_a_close_is_answered_with_its_own_code_and_then_the_server_hangs_up(connection, code, reason):
    connection.open().send(frame(raw.CLOSE, close_payload(code, reason)))
    assert connection.read_close()[0] == code
    assert connection.is_at_end()


def test_a_close_without_a_code_is_answered_without_one(connection):
    connection.open().send(frame(raw.CLOSE))
    fin, opcode, payload = connection.read_frame()
    assert (fin, opcode) == (True, raw.CLOSE)
    assert payload in (b"", close_payload(1000))
    assert connection.is_at_end()


def test_a_message_over_the_limit_closes_with_1009(echo_command):
    with Server(*echo_command, "--max-message", "1000") as server:
        with Connection(server.port) as connection:
            connection.open().send(frame(raw.BINARY, bytes(1000)))
            assert connection.read_message() == (raw.BINARY, bytes(1000))
            connection.send(frame(raw.BINARY, bytes(600), fin=False) + frame(raw.CONTINUATION, bytes(401)))
            assert connection.read_close()[0] == 1009
            assert connection.is_at_end()


def test_a_stopping_server_closes_every_connection_with_1001(echo_command):
    server = Server(*echo_command)
    with Connection(server.port) as one, Connection(server.port) as two:
        for connection in (one.open(), two.open()):
            connection.send(frame(raw.TEXT, b"here"))
            assert connection.read_message() == (raw.TEXT, b"here")
        server.process.terminate()
        for connection in (one, two):
            assert connection.read_close()[0] == 1001
            connection.send(frame(raw.CLOSE, close_payload(1001)))
            assert connection.is_at_end()
    assert server.stop() == 0
