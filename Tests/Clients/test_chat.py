"""The chat over its protocol, from outside: nothing lost, nothing twice, in order, and kept over a restart."""

import json
import os
import sqlite3
import subprocess
import urllib.error
import urllib.request
import uuid

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from servers import BINARIES, Server


class Visitor:
    """A client of the chat that waits for the events it is asked for, and keeps the others."""

    def __init__(self, server, name="Ada", **hello):
        self.connection = connect(server.url + "chat")
        self.socket = self.connection.__enter__()
        self.kept = []
        self.send("hello", name=name, **hello)
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


MARKS = "\u0301\u0323" * 120_000


@pytest.mark.parametrize("event", [
    {"type": "name", "name": MARKS}, {"type": "create", "room": MARKS}, {"type": "join", "room": MARKS},
    {"type": "search", "query": MARKS}, {"type": MARKS}, {"type": "name", MARKS: "Ada"},
    {"type": "send", "room": "harbour", "key": MARKS, "text": "x"},
    {"type": "send", "room": "harbour", "key": "k", "text": MARKS},
])
def test_half_a_megabyte_of_combining_marks_holds_nobody_up(chat, room, event):
    with Visitor(chat) as visitor:
        for _ in range(5):
            visitor.socket.send(json.dumps(event, ensure_ascii=False))
        for _ in range(5):
            assert visitor.wait_for("error")["code"] in ("bad-request", "bad-name", "no-such-room", "too-long")


@pytest.mark.parametrize("name", ["\u200b", "\u202eadA", "\u2067Ada\u2069", "\u2800"])
def test_a_name_that_cannot_be_seen_or_turns_the_text_is_refused(chat, name):
    with Visitor(chat) as visitor:
        visitor.send("name", name=name)
        assert visitor.wait_for("error")["code"] == "bad-name"


def test_a_search_for_the_null_character_is_refused_in_words(chat, room):
    with Visitor(chat) as visitor:
        for query in ["a\0b", "\0"]:
            visitor.send("search", query=query, room=None)
            assert "U+0000" in visitor.wait_for("error")["words"]
        for query in ['"\u0301', 'a"\u0301b', "%\u0301", "NEAR(\"", "'"]:
            visitor.send("search", query=query, room=None)
            assert visitor.wait_for("found", query=query)["messages"] == []


def test_a_search_that_compares_too_much_stops_and_says_so(chat, room):
    with Visitor(chat) as visitor:
        visitor.join(room)
        for number in range(1_500):
            visitor.send("send", room=room, key=f"crafted {number}", text="abb" + "ab" * 1_990)
        for number in range(1_500):
            visitor.wait_for("sent", key=f"crafted {number}")
        visitor.send("search", query="ab" * 98 + "abb", room=None)
        found = visitor.wait_for("found")
        assert (found["messages"], found["complete"]) == ([], False)


def test_whoever_makes_rooms_too_fast_is_refused_and_can_join(chat):
    with Visitor(chat, changes=True) as visitor:
        for number in range(6):
            visitor.send("create", room=f"room {number}")
        assert visitor.wait_for("error")["code"] == "too-fast"
        visitor.join("room 4")


def test_what_changes_in_the_rooms_is_told_alone(chat, room):
    with Visitor(chat, "Bo", changes=True) as bo, Visitor(chat, "Ada") as ada:
        ada.send("create", room="pier")
        ada.join("pier")
        told = bo.wait_for("room-changes")["rooms"]
        while told[-1] != {"name": "pier", "members": 1}:
            told += bo.wait_for("room-changes")["rooms"]
        assert all(change["name"] != room for change in told)


def run_chat(database):
    """Starts a chat that is not to come up; returns how it ended, and what it said."""
    command = [BINARIES / "chat", "--port", "0", "--database", str(database)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_database_is_one_whatever_name_leads_to_it(chat, database, tmp_path):
    link = tmp_path / "link.sqlite"
    link.symlink_to(database)
    status, words = run_chat(link)
    assert status != 0
    assert "another chat server is using the database" in words
    link.unlink()
    os.link(database, link)
    status, words = run_chat(link)
    assert status != 0
    assert "hard links" in words


def test_an_older_copy_restored_while_the_chat_runs_ends_nothing(chat, room, database, tmp_path):
    with Visitor(chat) as ada:
        ada.join(room)
        ada.say(room, "before the copy")
        with sqlite3.connect(database) as file, sqlite3.connect(tmp_path / "copy.sqlite") as copy:
            file.backup(copy)
        last = [ada.say(room, f"lost {number}") for number in range(5)][-1]
        with sqlite3.connect(tmp_path / "copy.sqlite") as copy, sqlite3.connect(database) as file:
            copy.backup(file)
        assert ada.say(room, "after") == last + 1
        assert ada.hear("after") == last + 1
    with Visitor(chat) as bo:
        assert [message["text"] for message in bo.join(room)] == ["before the copy", "after"]
    with get(chat, "/healthz") as health:
        assert health.read() == b"ok"


def test_health_tells_why_messages_are_not_stored(chat, room, database):
    with Visitor(chat) as ada, sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        ada.send("send", room=room, key="k", text="x")
        assert ada.wait_for("error", key="k")["code"] == "unavailable"
        with pytest.raises(urllib.error.HTTPError) as refusal:
            get(chat, "/healthz")
        assert refusal.value.code == 503
        assert b"another program keeps the database locked" in refusal.value.read()
        other.execute("COMMIT")
        ada.say(room, "x", key="k")
        with get(chat, "/healthz") as health:
            assert health.read() == b"ok"
