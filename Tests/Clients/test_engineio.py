"""Engine.IO 4 from outside, in strings: what the protocol's own suite asks for, and what it leaves out."""

import json
import time

import pytest

import raw
from engine_raw import SEPARATOR, Exchange, Poller, WebSocket, fetch
from servers import Server

BOTH = ["/engine.io/", "/socket.io/"]
ECHO = "/engine.io/"


@pytest.fixture(scope="module")
def port():
    with Server("socketio-test-server", where=("127.0.0.1:0",)) as running:
        yield running.port


@pytest.fixture(params=BOTH)
def path(request):
    return request.param


# Handshake

def test_polling_opens_with_exactly_the_handshake(port, path):
    poller = Poller(port, path)
    assert poller.opening[0] == "0"
    assert list(poller.handshake) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
    assert isinstance(poller.sid, str)
    assert poller.handshake == {**poller.handshake, "upgrades": ["websocket"], "pingInterval": 300,
                                "pingTimeout": 200, "maxPayload": 1000000}
    assert '"pingInterval":300,' in poller.opening


def test_websocket_opens_with_exactly_the_handshake(port, path):
    with WebSocket(port, path) as client:
        opening = client.receive()
        handshake = json.loads(opening[1:])
        assert opening[0] == "0"
        assert list(handshake) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
        assert handshake["upgrades"] == []


REFUSED = {
    "transport=polling": (400, 5, "Unsupported protocol version"),
    "EIO=3&transport=polling": (400, 5, "Unsupported protocol version"),
    "EIO=abc&transport=polling": (400, 5, "Unsupported protocol version"),
    "EIO=4": (400, 0, "Transport unknown"),
    "EIO=4&transport=abc": (400, 0, "Transport unknown"),
    "EIO=4&transport=websocket": (400, 3, "Bad request"),
    "EIO=4&transport=polling&sid=unknown": (400, 1, "Session ID unknown"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_a_refusal_has_its_status_and_body(port, path, query):
    status, code, message = REFUSED[query]
    answer, fields, content = Exchange(port, "GET", f"{path}?{query}").response()
    assert (answer, content.decode()) == (status, f'{{"code":{code},"message":"{message}"}}')
    assert fields["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_another_method_opens_nothing(port, path, method):
    status, content = fetch(port, method, f"{path}?EIO=4&transport=polling", body="")
    assert (status, content) == (400, '{"code":2,"message":"Bad handshake method"}')


@pytest.mark.parametrize("query", ["EIO=3&transport=websocket", "transport=websocket", "EIO=4&transport=abc", "EIO=4",
                                   "EIO=4&transport=websocket&sid=unknown", "EIO=4&transport=polling"])
def test_a_websocket_is_refused_with_400(port, path, query):
    with raw.Connection(port) as connection:
        connection.send(raw.request(port, target=f"{path}?{query}"))
        assert connection.read_response().status == 400


# Heartbeat

def test_pings_come_300_ms_after_the_handshake_and_after_each_pong(port, path):
    with WebSocket(port, path) as client:
        client.receive()
        if path == "/socket.io/":
            client.emit("40")
            client.receive(), client.receive()
        for _ in range(3):
            begin = time.monotonic()
            assert client.receive() == "2"
            assert 0.2 < time.monotonic() - begin < 1
            client.emit("3")


def test_pings_come_by_polling_and_pongs_get_200(port, path):
    poller = Poller(port, path)
    for _ in range(2):
        assert poller.poll() == (200, "2")
        assert poller.post("3") == (200, "ok")


def test_without_a_pong_a_websocket_closes(port, path):
    with WebSocket(port, path) as client:
        client.receive()
        assert client.receive() == "2"
        assert client.receive() is None


def test_without_a_pong_a_poll_500_ms_after_the_handshake_gets_400(port, path):
    poller = Poller(port, path)
    time.sleep(max(0, poller.opened + 0.5 - time.monotonic()))
    assert poller.poll()[0] == 400


# Close

def test_a_close_by_post_ends_the_poll_with_a_noop(port, path):
    poller = Poller(port, path)
    poll = poller.start_poll()
    assert poller.post("1") == (200, "ok")
    status, _, content = poll.response()
    assert (status, content) == (200, b"6")
    assert poller.poll()[0] == 400


def test_a_close_by_websocket_closes_it(port, path):
    with WebSocket(port, path) as client:
        client.receive()
        client.emit("1")
        assert client.receive() is None


# Upgrade

def upgrade(port, path):
    """Returns a poller whose session has gone over to the WebSocket beside it."""
    poller = Poller(port, path)
    client = WebSocket(port, path, poller.sid)
    client.emit("2probe")
    assert client.receive() == "3probe"
    client.emit("5")
    return poller, client


def test_an_upgrade_moves_the_messages(port):
    _, client = upgrade(port, ECHO)
    with client:
        client.emit("4hello")
        assert client.receive_beside_pings() == "4hello"


def test_a_poll_that_hangs_at_the_probe_gets_a_noop(port):
    poller = Poller(port, ECHO)
    poll = poller.start_poll()
    with WebSocket(port, ECHO, poller.sid) as client:
        client.emit("2probe")
        assert client.receive() == "3probe"
        assert poll.response()[::2] == (200, b"6")


def test_a_poll_behind_the_probe_gets_a_noop_which_the_websocket_never_sees(port):
    poller = Poller(port, ECHO)
    with WebSocket(port, ECHO, poller.sid) as client:
        client.emit("2probe")
        assert client.receive() == "3probe"
        assert poller.poll() == (200, "6")
        client.emit("5")
        client.emit("4hello")
        assert client.receive() == "4hello"


def test_a_poll_after_the_upgrade_gets_400(port, path):
    poller, client = upgrade(port, path)
    with client:
        assert poller.poll()[0] == 400


@pytest.mark.parametrize("attempt", range(20))
def test_a_poll_sent_right_behind_the_upgrade_gets_400(port, attempt):
    poller, client = upgrade(port, ECHO)
    with client:
        assert poller.poll() == (400, '{"code":3,"message":"Bad request"}')


@pytest.mark.parametrize("attempt", range(20))
def test_a_second_websocket_is_accepted_and_closed_and_the_first_goes_on(port, path, attempt):
    poller, client = upgrade(port, path)
    with client:
        with WebSocket(port, path, poller.sid) as second:
            assert second.receive() is None
        client.emit("4hello" if path == ECHO else "40")
        assert client.receive_beside_pings().startswith("4")


def test_messages_of_both_transports_keep_their_order_over_an_upgrade(port):
    poller = Poller(port, ECHO)
    assert poller.post(SEPARATOR.join(["4a", "4b"])) == (200, "ok")
    with WebSocket(port, ECHO, poller.sid) as client:
        client.emit("2probe")
        assert client.receive() == "3probe"
        client.emit("5")
        client.emit("4c")
        assert [client.receive() for _ in range(3)] == ["4a", "4b", "4c"]


def test_what_is_no_probe_closes_the_websocket_and_the_session_polls_on(port):
    poller = Poller(port, ECHO)
    for nonsense in ["5", "4hello", "2", "x", b"\x01"]:
        with WebSocket(port, ECHO, poller.sid) as client:
            client.emit(nonsense)
            assert client.receive() is None
    assert poller.post("4hello") == (200, "ok")
    assert poller.poll() == (200, "4hello")


def test_a_websocket_that_leaves_after_its_probe_changes_nothing(port):
    poller = Poller(port, ECHO)
    for _ in range(3):
        with WebSocket(port, ECHO, poller.sid) as client:
            client.emit("2probe")
            assert client.receive() == "3probe"
    assert poller.post("4hello") == (200, "ok")
    assert poller.poll() == (200, "4hello")


# Messages

def test_a_message_by_post_comes_by_the_next_poll(port):
    poller = Poller(port, ECHO)
    assert poller.post("4hello") == (200, "ok")
    assert poller.poll() == (200, "4hello")


@pytest.mark.parametrize("payload", [
    SEPARATOR.join(["4one", "4two", "4three"]), SEPARATOR.join(["4hello", "bAQIDBA=="]), "b", "4", "4😀ü",
    SEPARATOR.join(["b/////w==", "4"] * 50),
])
def test_batches_come_back_as_they_were(port, payload):
    poller = Poller(port, ECHO)
    assert poller.post(payload) == (200, "ok")
    assert poller.poll() == (200, payload)


@pytest.mark.parametrize("body", [
    "abc", "", "4a\x1e", "\x1e4a", "b???", "bA", "9", b"4\xff\xfe", b"4\xed\xa0\x80", "2",
])
def test_a_post_that_is_no_payload_ends_the_session(port, path, body):
    poller = Poller(port, path)
    answer = poller.post(body)
    # A ping is a packet, but none that a client sends.
    assert answer == ((200, "ok") if body == "2" else (400, '{"code":3,"message":"Bad request"}'))
    assert poller.is_gone()


@pytest.mark.parametrize("message", ["abc", "", "7", "2"])
def test_a_websocket_message_that_is_no_packet_closes(port, path, message):
    with WebSocket(port, path) as client:
        client.receive()
        client.emit(message)
        assert client.is_closed()


def test_websocket_messages_come_back(port):
    with WebSocket(port, ECHO) as client:
        client.receive()
        client.emit("4hello")
        assert client.receive() == "4hello"
        client.emit(b"\x01\x02\x03\x04")
        assert client.receive() == b"\x01\x02\x03\x04"


# Several at once

def test_a_second_poll_ends_the_first_and_the_session(port, path):
    poller = Poller(port, path)
    # The server may read either of them first.
    polls = [poller.start_poll(), poller.start_poll()]
    answers = sorted(poll.response()[::2] for poll in polls)
    assert answers == [(200, b"1"), (400, b'{"code":3,"message":"Bad request"}')]
    assert poller.is_gone()


def test_a_poll_whose_client_goes_away_ends_the_session(port, path):
    poller = Poller(port, path)
    poller.start_poll().give_up()
    assert poller.poll() == (400, '{"code":1,"message":"Session ID unknown"}')


def test_a_poll_whose_connection_drops_ends_the_session(port, path):
    poller = Poller(port, path)
    poller.start_poll().drop()
    # Pongs would keep it alive for ever.
    while (answer := poller.post("3")) == (200, "ok"):
        pass
    assert answer == (400, '{"code":1,"message":"Session ID unknown"}')


def test_a_second_post_at_once_ends_the_session(port, path):
    poller = Poller(port, path)
    unfinished = poller.start_unfinished_post()
    assert poller.post("4hello")[0] == 400
    assert poller.is_gone()
    unfinished.drop()


def test_a_post_that_never_ends_leaves_the_session(port):
    poller = Poller(port, ECHO)
    poller.start_unfinished_post().give_up()
    assert poller.post("4hello") == (200, "ok")
    assert poller.poll() == (200, "4hello")


# The sids of others

def test_a_sid_that_is_nobody_s_is_refused(port, path):
    target = f"{path}?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"
    for method, body in [("GET", None), ("POST", "4x")]:
        assert fetch(port, method, target, body) == (400, '{"code":1,"message":"Session ID unknown"}')


def test_a_session_that_began_by_websocket_is_neither_polled_nor_posted_to_nor_upgraded(port, path):
    with WebSocket(port, path) as client:
        sid = json.loads(client.receive()[1:])["sid"]
        target = f"{path}?EIO=4&transport=polling&sid={sid}"
        for method, body in [("GET", None), ("POST", "1")]:
            assert fetch(port, method, target, body) == (400, '{"code":3,"message":"Bad request"}')
        with WebSocket(port, path, sid) as second:
            assert second.receive() is None
        client.emit("4hello" if path == ECHO else "40")
        assert client.receive_beside_pings().startswith("4")


# Limits

def test_a_post_over_the_payload_limit_gets_413(port):
    poller = Poller(port, ECHO)
    assert poller.post("4" + "x" * 1_000_000)[0] == 413
    assert poller.post("4" + "x" * 999_999) == (200, "ok")
    assert poller.poll() == (200, "4" + "x" * 999_999)


def test_a_websocket_message_over_the_payload_limit_closes_with_1009(port, path):
    with WebSocket(port, path) as client:
        client.receive()
        client.emit("4" + "x" * 1_000_000)
        assert client.read_close()[0] == 1009


def test_other_methods_and_content_types_are_refused(port, path):
    poller = Poller(port, path)
    for method in ["PUT", "DELETE", "PATCH"]:
        assert fetch(port, method, poller.target, body="4x")[0] == 400
    assert poller.post("4x", {"Content-Type": "application/octet-stream"})[0] == 400
    assert poller.is_gone()


# CORS

def test_pages_of_other_origins_may_read_the_answers(port, path):
    target = f"{path}?EIO=4&transport=polling"
    _, fields, _ = Exchange(port, "GET", target, headers={"Origin": "http://example.org"}).response()
    assert fields["access-control-allow-origin"] == "*"
    preflight = {"Origin": "http://example.org", "Access-Control-Request-Method": "POST"}
    status, fields, _ = Exchange(port, "OPTIONS", target, headers=preflight).response()
    assert (status, fields["access-control-allow-origin"]) == (204, "*")
