"""Connection state recovery, in strings: a client that was lost goes on where it was."""

import json

import pytest

from engine_raw import SEPARATOR, Poller, WebSocket
from servers import Server


@pytest.fixture(scope="module")
def port():
    with Server("socketio-test-server", "--features", "--recovery", where=("127.0.0.1:0",)) as running:
        yield running.port


class Client(WebSocket):
    """A client that remembers where it is in the stream of events."""

    def __init__(self, port, known=None):
        super().__init__(port, "/socket.io/")
        assert self.receive()[0] == "0"
        self.emit("40" + (json.dumps(known) if known else ""))
        answer = self.receive()
        assert answer.startswith("40{"), answer
        self.identity = json.loads(answer[2:])
        self.offset = None

    @property
    def known(self):
        return {"pid": self.identity["pid"], "offset": self.offset}

    def ask(self, event, *arguments):
        self.emit("421" + json.dumps([event, *arguments]))
        answer = self.receive()
        assert answer.startswith("431"), answer
        return json.loads(answer[3:])[0]

    def tell(self, event, *arguments):
        self.emit("42" + json.dumps([event, *arguments]))

    def hear(self):
        """The next event without its place in the stream."""
        *event, self.offset = json.loads(self.receive()[2:])
        return event

    def lose(self):
        """Ends without a word."""
        self.input.close()
        self.socket.close()


@pytest.fixture
def pair(port):
    """A client in a room, and another who will go on speaking."""
    lost, speaker = Client(port), Client(port)
    room = lost.identity["sid"] + "-room"
    assert lost.ask("join", room)
    lost.tell("remember", {"name": "lost"})
    speaker.tell("say", room, 0)
    assert lost.hear() == ["said", 0]
    with speaker:
        yield lost, speaker, room


def gone(speaker, lost):
    """Waits until the server knows."""
    while {"name": "lost"} in speaker.ask("people"):
        pass


def test_identity_rooms_data_and_what_was_missed_come_back(port, pair):
    lost, speaker, room = pair
    lost.lose()
    gone(speaker, lost)
    for number in range(1, 4):
        speaker.tell("say", room, number)
    speaker.tell("say", "another room", "not for it")
    speaker.tell("say-except", room, "nor this")
    assert speaker.hear() == ["said", "nor this"]
    with Client(port, lost.known) as back:
        assert back.identity == lost.identity
        assert [back.hear() for _ in range(3)] == [["said", 1], ["said", 2], ["said", 3]]
        assert back.ask("whoami") == {"id": lost.identity["sid"], "recovered": True}
        assert back.ask("rooms") == [room]
        assert back.ask("recall") == {"name": "lost"}
        speaker.tell("say", room, 4)
        assert back.hear() == ["said", 4]


def test_it_comes_back_once(port, pair):
    lost, speaker, _ = pair
    lost.lose()
    gone(speaker, lost)
    with Client(port, lost.known) as back, Client(port, lost.known) as other:
        assert back.identity["sid"] == lost.identity["sid"]
        assert other.identity["sid"] != lost.identity["sid"]
        assert other.ask("whoami")["recovered"] is False


@pytest.mark.parametrize("known", [
    {"pid": "unknown", "offset": "1"}, {"pid": 1, "offset": 2}, {"pid": "unknown"}, {"offset": "1"},
])
def test_who_names_what_was_not_begins_anew(port, known):
    with Client(port, known) as client:
        assert client.ask("whoami")["recovered"] is False


def test_who_has_said_goodbye_does_not_come_back(port, pair):
    lost, speaker, _ = pair
    lost.emit("41")
    gone(speaker, lost)
    lost.lose()
    with Client(port, lost.known) as client:
        assert client.identity["sid"] != lost.identity["sid"]


def test_it_comes_back_by_polling_too(port, pair):
    lost, speaker, room = pair
    lost.lose()
    gone(speaker, lost)
    speaker.tell("say", room, {"missed": True})
    assert speaker.ask("rooms") == []
    poller = Poller(port, "/socket.io/")
    assert poller.post("40" + json.dumps(lost.known)) == (200, "ok")
    status, content = poller.poll()
    packets = content.split(SEPARATOR)
    if len(packets) == 1:
        packets += poller.poll()[1].split(SEPARATOR)
    assert json.loads(packets[0][2:]) == lost.identity
    assert json.loads(packets[1][2:])[:2] == ["said", {"missed": True}]
