"""python-socketio's client, by polling alone, by WebSocket alone and going over from the one to the other."""

import queue
import threading
import time

import engineio.payload
import pytest
import requests
import socketio

from engine_raw import Exchange, fetch
from servers import Server

WAYS = {"polling": ["polling"], "websocket": ["websocket"], "upgrading": ["polling", "websocket"]}
PATIENCE = 10

# A poll takes all there is; this client would refuse more than 16 packets at once.
engineio.payload.Payload.max_decode_packets = 1 << 20


@pytest.fixture(scope="module")
def url():
    with Server("socketio-test-server", "--features", where=("127.0.0.1:0",)) as running:
        yield f"http://127.0.0.1:{running.port}"


def joining(url, usual):
    """Yields what makes clients, which leave in the end."""
    clients = []

    def make(way=usual, **options):
        client = Client(url, WAYS[way], **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.io.disconnect()


@pytest.fixture(params=WAYS)
def join(request, url):
    """Makes clients of the server that all share."""
    yield from joining(url, request.param)


@pytest.fixture(params=WAYS)
def join_alone(request):
    """Makes clients of a server that has no others."""
    with Server("socketio-test-server", "--features", where=("127.0.0.1:0",)) as running:
        yield from joining(f"http://127.0.0.1:{running.port}", request.param)


class Client:
    """A client whose events wait to be asked for."""

    def __init__(self, url, transports, namespaces=None, auth=None, kind=socketio.Client, wait=True, **options):
        self.io = kind(**{"reconnection": False, **options})
        self.events = queue.Queue()
        self.io.on("*", lambda event, *arguments: self.events.put((event, *arguments)))
        self.io.on("*", lambda event, namespace, *arguments: self.events.put((event, *arguments)), namespace="*")
        self.io.on("question", lambda question: f"{self.io.get_sid()} {question}")
        self.io.connect(
            url, transports=transports, namespaces=namespaces, auth=auth, wait=wait, wait_timeout=PATIENCE)

    def ask(self, event, *arguments, namespace=None):
        return self.io.call(event, arguments, namespace=namespace, timeout=PATIENCE)

    def tell(self, event, *arguments, namespace=None):
        self.io.emit(event, arguments, namespace=namespace)

    def heard(self):
        return self.events.get(timeout=PATIENCE)

    def hears_nothing(self):
        """Whether no event has come before the answer to a question."""
        self.ask("rooms")
        return self.events.empty()


def test_an_upgrading_client_ends_up_on_a_websocket(join):
    client = join("upgrading")
    assert client.io.transport() == "websocket"
    assert client.ask("echo", 1) == 1


@pytest.mark.parametrize("arguments", [
    [1], ["text", None, True], [{"a": [1, 2.5, {"b": None}]}], [b"\x00\xff"], [{"x": b"12", "y": [b"34"]}, b"56"],
    ["é😀\n\"\\"], [10 ** 30], [[b""] * 10],
], ids=range(8))
def test_arguments_come_back(join, arguments):
    client = join()
    answer = client.ask("echo", *arguments)
    assert answer == (arguments[0] if len(arguments) == 1 else tuple(arguments))
    client.tell("back", *arguments)
    assert client.heard() == ("back", *arguments)


def test_typed_handlers_get_their_types(join):
    client = join()
    assert client.ask("sum", [1, 2, 3]) == 6
    assert client.ask("sum", [1, 2, 3], 10) == 60
    assert client.ask("size", b"12345") == 5


def test_a_handler_that_throws_ends_nothing_but_its_call(join):
    client = join()
    client.tell("throw")
    client.tell("sum", "no numbers")
    client.tell("nobody listens")
    assert client.ask("sum", [4]) == 4


def test_events_keep_their_order(join):
    client = join()
    for number in range(500):
        client.tell("back", number)
    assert [client.heard() for _ in range(500)] == [("back", number) for number in range(500)]


def test_the_server_asks_and_the_client_acknowledges(join):
    client = join()
    assert client.ask("ask", "why?") == f"{client.io.get_sid()} why?"


def test_an_acknowledgement_that_does_not_come_in_time(join):
    client = join()
    client.io.on("question", lambda question: threading.Event().wait(0.5))
    assert client.ask("ask-briefly") == "timedOut"


def test_all_of_a_room_acknowledge(join):
    clients = [join() for _ in range(3)]
    room = clients[0].io.get_sid() + "-room"
    for client in clients:
        assert client.ask("join", room)
    assert sorted(clients[0].ask("ask-all", room)) == sorted(f"{client.io.get_sid()} all" for client in clients)


# Rooms

def test_rooms_hear_what_is_said_to_them(join):
    one, two, three = join(), join("polling"), join("websocket")
    room = one.io.get_sid() + "-room"
    for client in (one, two):
        assert client.ask("join", room)
    assert one.ask("rooms") == [room]
    three.tell("say", room, "hello")
    assert [one.heard(), two.heard()] == [("said", "hello")] * 2
    one.tell("say-to-others", room, {"b": b"bytes"})
    assert two.heard() == ("said", {"b": b"bytes"})
    assert one.ask("leave", room)
    three.tell("say", room, "again")
    assert two.heard() == ("said", "again")
    assert one.hears_nothing() and three.hears_nothing()


def test_a_client_is_a_room_of_its_own(join):
    one, two = join(), join()
    one.tell("say", two.io.get_sid(), "only you")
    assert two.heard() == ("said", "only you")
    assert one.hears_nothing()


def test_those_left_out_hear_nothing(join):
    one, two, three = join(), join("polling"), join("websocket")
    room = one.io.get_sid() + "-room"
    assert one.ask("join", room) and two.ask("join", room)
    one.tell("say-except", room, "not for the room")
    assert three.heard() == ("said", "not for the room")
    two.tell("say-except", two.io.get_sid(), "not for me")
    assert one.heard() == three.heard() == ("said", "not for me")
    three.tell("shout", "all others")
    assert one.heard() == two.heard() == ("said", "all others")
    assert all(client.hears_nothing() for client in (one, two, three))


def test_clients_are_gathered_scattered_and_thrown_out(join_alone):
    one, two = join_alone(), join_alone()
    one.tell("remember", {"name": "one"})
    assert one.ask("recall") == {"name": "one"}
    room = one.io.get_sid() + "-room"
    assert one.ask("gather", room) == 2
    assert {"name": "one"} in two.ask("people")
    assert one.ask("scatter", room) == 0
    gone = threading.Event()
    two.io.on("disconnect", lambda reason: gone.set())
    one.tell("kick", two.io.get_sid(), True)
    assert gone.wait(PATIENCE)
    assert one.ask("gather", room) == 1


def test_leaving_is_told_with_its_reason_and_rooms(join):
    watcher, leaver = join(), join()
    room = leaver.io.get_sid() + "-room"
    assert leaver.ask("join", room)
    leaver.io.disconnect()
    # By WebSocket, this client may close before it has sent that it leaves.
    reasons = ["client namespace disconnect", "transport close"]
    deadline = time.monotonic() + PATIENCE

    def told(journal, reason):
        line = f'disconnecting {reason} ["{room}"]'
        return line in journal and f"disconnect {reason}" in journal[journal.index(line):]

    while not any(told(journal, reason) for journal in [watcher.ask("journal")] for reason in reasons):
        assert time.monotonic() < deadline


# Namespaces and middlewares

def test_a_middleware_refuses_with_words_and_data(join):
    with pytest.raises(socketio.exceptions.ConnectionError):
        join(namespaces=["/admin"])
    client = join(namespaces=["/admin"], auth={"token": "secret"})
    assert client.ask("echo", "in", namespace="/admin") == "in"


def test_a_connection_handler_that_throws_leaves_the_client_connected(join):
    client = join(namespaces=["/admin"], auth={"token": "secret", "throws": True})
    assert client.ask("echo", "still", namespace="/admin") == "still"


def test_namespaces_are_made_as_they_are_asked_for(join):
    one = join(namespaces=["/dynamic-1", "/"])
    two = join(namespaces=["/dynamic-2"])
    assert one.ask("where", namespace="/dynamic-1") == "/dynamic-1"
    one.tell("tell", "hello", namespace="/dynamic-1")
    assert one.heard() == ("told", "hello")
    assert two.events.empty()
    with pytest.raises(socketio.exceptions.ConnectionError):
        join(namespaces=["/other"])


def test_what_a_socket_s_middleware_refuses_reaches_no_handler(join):
    client = join()
    client.tell("forbidden")
    client.tell("any", 1, b"2")
    assert client.heard() == ("heard", "any", [1, b"2"])
    assert "this must not be" not in client.ask("journal")


def thrown_out(client):
    """Lets the client note when and why it is disconnected, and when it tries again."""
    left, back = queue.Queue(), threading.Event()
    client.io.on("disconnect", left.put)
    client.io.on("connect", back.set)
    return left, back


def test_a_client_that_is_thrown_out_hears_all_before_and_stays_away(join):
    # One that was lost would come back at once.
    client = join(reconnection=True, reconnection_delay=0.01, reconnection_delay_max=0.02)
    left, back = thrown_out(client)
    client.tell("farewell", 100)
    assert left.get(timeout=PATIENCE) == client.io.reason.SERVER_DISCONNECT
    assert [client.heard() for _ in range(100)] == [("last", number) for number in range(100)]
    client.io.wait()  # returns at once where there is nothing to come back for
    assert not client.io.connected and not back.is_set()


def test_all_of_a_room_are_thrown_out_of_all_their_namespaces(join):
    speaker, client = join(), join(namespaces=["/", "/second"], reconnection=True, reconnection_delay=0.01)
    left, back = thrown_out(client)
    client.io.on("disconnect", left.put, namespace="/second")
    speaker.tell("farewell-to-all", client.io.get_sid())
    assert client.heard() == ("last", 0)
    assert [left.get(timeout=PATIENCE) for _ in range(2)] == [client.io.reason.SERVER_DISCONNECT] * 2
    client.io.wait()
    assert not client.io.connected and not back.is_set()


def test_one_who_is_thrown_out_by_the_connection_s_handler_hears_its_last_word(join):
    client = join(namespaces=["/denied"], wait=False)
    assert client.heard() == ("denied", "not you")


def test_a_middleware_disconnects_nobody_and_the_room_it_joins_is_kept(join):
    client = join(namespaces=["/meddling"])
    assert client.ask("rooms", namespace="/meddling") == ["early"]


def test_acknowledgements_overtake_events_whose_handlers_wait_for_them(join):
    client = join()
    for _ in range(6):
        client.tell("ask-with-much", bytes(60_000))
    answers = [client.heard() for _ in range(6)]
    assert answers == [("answered", f"{client.io.get_sid()} 60000")] * 6


def test_dates_are_texts_and_bytes_are_bytes(join):
    client = join()
    answer = client.ask("report", {"time": "2023-11-14T22:13:20.123Z", "parts": [b"123", b""]})
    assert answer == {"time": "2023-11-14T22:13:20.124Z", "parts": [b"321", b""]}


def test_a_client_leaves_its_own_room(join):
    client, speaker = join(), join()
    assert client.ask("leave-own-room")
    speaker.tell("say", client.io.get_sid(), "not for it")
    assert speaker.ask("rooms") == [] and client.hears_nothing()


# Around it

def test_a_session_has_its_cookie(url):
    answer = requests.get(f"{url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE)
    sid = answer.text.split('"sid":"')[1].split('"')[0]
    assert answer.headers["set-cookie"] == f"io={sid}; Path=/; HttpOnly; SameSite=Lax"


def test_a_request_that_is_not_allowed_gets_403(url):
    port = int(url.rsplit(":")[-1])
    target = "/socket.io/?EIO=4&transport=polling&forbidden=true"
    assert fetch(port, "GET", target) == (403, '{"code":4,"message":"Not you"}')


def test_large_answers_are_compressed_for_those_who_can(url):
    port = int(url.rsplit(":")[-1])
    base = "/socket.io/?EIO=4&transport=polling"
    _, _, opening = Exchange(port, "GET", base).response()
    target = f"{base}&sid=" + opening.decode().split('"sid":"')[1].split('"')[0]
    assert fetch(port, "POST", target, "40")[0] == 200
    assert fetch(port, "GET", target)[1].startswith("40{")
    event = f'42["back","{"x" * 5000}"]'
    assert fetch(port, "POST", target, event)[0] == 200
    answer = requests.get(f"http://127.0.0.1:{port}{target}", timeout=PATIENCE)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == event
