"""The chat over its protocol, from outside: nothing lost, nothing twice, in order, and kept over a restart."""

import json
import sqlite3
import urllib.request
import uuid

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from servers import Server


class Visitor:
    """A client of the chat that waits for the events it is asked for, and keeps the others."""

    def __init__(self, server, name="Ada"):
        self.connection = connect(server.url + "chat")
        self.socket = self.connection.__enter__()
        self.kept = []
        self.send("hello", name=name)
        self.welcome = self.wait_for("welcome")

    def send(self, event, **members):
        self.socket.send(json.dumps({"type": event, **members}))

    def wait_for(self, event, **members):
        """Returns the next event of that type whose members are these."""
        def is_it(candidate):
            return candidate["type"] == event and all(candidate.get(key) == value for key, value in members.items())

        for candidate in self.kept:
            if is_it(candidate):
                self.kept.remove(candidate)
                return candidate
        while True:
            candidate = json.loads(self.socket.recv(timeout=30))
            if is_it(candidate):
                return candidate
            self.kept.append(candidate)

    def join(self, room, after=None):
        """Joins a room, and returns the messages of its past that come first."""
        self.send("join", room=room, after=after)
        messages, is_done = [], False
        while not is_done:
            page = self.wait_for("history", room=room)
            messages += page["messages"]
            is_done = page["done"]
        return messages

    def say(self, room, text, key=None):
        """Sends a message, and returns its id once it is stored."""
        key = key or str(uuid.uuid4())
        self.send("send", room=room, key=key, text=text)
        return self.wait_for("sent", key=key)["id"]

    def hear(self, text):
        return self.wait_for_message(text)["id"]

    def wait_for_message(self, text):
        while True:
            message = self.wait_for("message")["message"]
            if message["text"] == text:
                return message

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.__exit__(*exception)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "chat.sqlite"


@pytest.fixture
def chat(database):
    with Server("chat", "--database", str(database)) as running:
        yield running


@pytest.fixture
def room(chat):
    with Visitor(chat) as visitor:
        visitor.send("create", room="harbour")
        visitor.join("harbour")
    return "harbour"


def get(chat, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{chat.port}{path}", timeout=30)


def test_the_page_and_the_health_are_served(chat):
    with get(chat, "/") as page:
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert b"<title>" in page.read()
    with get(chat, "/healthz") as health:
        assert health.read() == b"ok"


def test_a_page_of_another_origin_is_refused(chat):
    with pytest.raises(InvalidStatus) as refusal:
        connect(chat.url + "chat", origin="http://evil.example")
    assert refusal.value.response.status_code == 403


def test_what_one_says_all_of_the_room_hear_and_it_is_acknowledged(chat, room):
    with Visitor(chat, "Ada") as ada, Visitor(chat, "Bo") as bo:
        ada.join(room)
        bo.join(room)
        number = ada.say(room, "<b>hello</b> & 你好 😀")
        assert ada.hear("<b>hello</b> & 你好 😀") == number
        message = bo.wait_for_message("<b>hello</b> & 你好 😀")
        assert (message["id"], message["name"], message["room"]) == (number, "Ada", room)


def test_the_same_key_again_stores_nothing_and_gets_the_first_id(chat, room):
    with Visitor(chat) as ada:
        ada.join(room)
        first = ada.say(room, "once", key="11111111-1111-4111-8111-111111111111")
        again = ada.say(room, "once", key="11111111-1111-4111-8111-111111111111")
    assert first == again
    with Visitor(chat) as bo:
        assert [message["text"] for message in bo.join(room)] == ["once"]


def test_who_comes_back_gets_what_was_missed_once_and_in_order(chat, room):
    with Visitor(chat, "Bo") as bo:
        bo.join(room)
        with Visitor(chat, "Ada") as ada:
            ada.join(room)
            last_seen = ada.say(room, "before")
        missed = [bo.say(room, f"missed {number}") for number in range(20)]
        with Visitor(chat, "Ada") as ada:
            assert [message["id"] for message in ada.join(room, after=last_seen)] == missed
            live = bo.say(room, "live")
            assert ada.hear("live") == live > missed[-1]


def test_the_past_outlives_the_server(database):
    with Server("chat", "--database", str(database)) as chat:
        with Visitor(chat) as ada:
            ada.send("create", room="harbour")
            ada.join("harbour")
            number = ada.say("harbour", "kept")
    with sqlite3.connect(database) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Server("chat", "--database", str(database)) as chat:
        with Visitor(chat) as bo:
            assert "harbour" in [room["name"] for room in bo.welcome["rooms"]]
            assert [(message["id"], message["text"]) for message in bo.join("harbour")] == [(number, "kept")]


def test_an_acknowledged_message_outlives_a_killed_server(database):
    chat = Server("chat", "--database", str(database))
    with Visitor(chat) as ada:
        ada.send("create", room="harbour")
        ada.join("harbour")
        numbers = [ada.say("harbour", f"acknowledged {number}") for number in range(10)]
        chat.process.kill()
        chat.stop()
    with Server("chat", "--database", str(database)) as chat:
        with Visitor(chat) as bo:
            assert [message["id"] for message in bo.join("harbour")] == numbers


def test_words_are_found(chat, room):
    with Visitor(chat) as ada:
        ada.join(room)
        number = ada.say(room, "the lighthouse blinks")
        ada.send("search", query="lighthouse", room=None)
        assert [message["id"] for message in ada.wait_for("found")["messages"]] == [number]


@pytest.mark.parametrize("message", ["no JSON", "[]", '{"type": "dance"}', '{"type": "send"}'])
def test_what_is_no_message_is_answered_with_an_error(chat, message):
    with Visitor(chat) as visitor:
        visitor.socket.send(message)
        assert visitor.wait_for("error")["code"] == "bad-request"


def test_a_stopping_chat_says_1001(database):
    chat = Server("chat", "--database", str(database))
    with Visitor(chat) as visitor:
        chat.process.terminate()
        with pytest.raises(ConnectionClosed) as end:
            while True:
                visitor.socket.recv(timeout=30)
    assert end.value.rcvd.code == 1001
    assert chat.stop() == 0
