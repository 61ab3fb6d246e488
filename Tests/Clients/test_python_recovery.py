"""Connection state recovery with python-socketio's client: who was lost goes on, who was thrown out does not."""

import socket
import threading

import pytest
import socketio

from servers import Server
from test_python_socketio import PATIENCE, WAYS, Client, thrown_out


class Recovering(socketio.Client):
    """A client that remembers by what it can go on, as the JavaScript one does."""

    pid = None

    def _handle_connect(self, namespace, data):
        self.pid = data["pid"]
        super()._handle_connect(namespace, data)


@pytest.fixture(scope="module")
def recovering_url():
    with Server("socketio-test-server", "--features", "--recovery", where=("127.0.0.1:0",)) as running:
        yield f"http://127.0.0.1:{running.port}"


class Returning:
    """A client that has heard one event, and comes back with that, when it may."""

    def __init__(self, url, way):
        self.known, self.may_come_back, self.back = {}, threading.Event(), threading.Event()
        self.speaker = Client(url, WAYS["websocket"])
        self.client = Client(url, WAYS[way], auth=self.auth, kind=Recovering, reconnection=True,
                             reconnection_delay=0.01, reconnection_delay_max=0.02)
        self.identity, self.pid = self.client.io.get_sid(), self.client.io.pid
        self.room = f"{self.identity}-room"
        assert self.client.ask("join", self.room)
        self.client.tell("remember", {"name": self.identity})
        self.speaker.tell("say", self.room, 0)
        *event, offset = self.client.heard()
        assert event == ["said", 0]
        self.known.update(pid=self.pid, offset=offset)
        self.client.io.on("connect", self.back.set)

    def auth(self):
        assert not self.known or self.may_come_back.wait(PATIENCE)
        return self.known

    def is_gone(self):
        """Waits until the server knows."""
        while {"name": self.identity} in self.speaker.ask("people"):
            pass

    def close(self):
        self.may_come_back.set()
        for end in [self.client, self.speaker]:
            end.io.disconnect()


@pytest.mark.parametrize("way", ["websocket", "upgrading"])
def test_a_client_that_was_lost_goes_on_where_it_was(recovering_url, way):
    # By polling, this client does not come back by itself.
    returning = Returning(recovering_url, way)
    client, speaker = returning.client, returning.speaker
    client.io.eio.ws.sock.shutdown(socket.SHUT_RDWR)
    returning.is_gone()
    speaker.tell("say", returning.room, 1)
    assert speaker.ask("tell", returning.identity, 2) is True
    speaker.tell("say", returning.room, 3)
    assert speaker.ask("rooms") == []
    returning.may_come_back.set()
    assert returning.back.wait(PATIENCE)
    assert [list(client.heard()[:2]) for _ in range(3)] == [["said", 1], ["told", 2], ["said", 3]]
    assert (client.io.get_sid(), client.io.pid) == (returning.identity, returning.pid)
    assert client.ask("whoami") == {"id": returning.identity, "recovered": True}
    assert client.ask("rooms") == [returning.room]
    assert client.ask("recall") == {"name": returning.identity}
    returning.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_was_thrown_out_begins_again(recovering_url, way):
    returning = Returning(recovering_url, way)
    client = returning.client
    left, _ = thrown_out(client)
    client.tell("leave-me", True)
    assert left.get(timeout=PATIENCE) == client.io.reason.SERVER_DISCONNECT
    client.io.wait()
    returning.may_come_back.set()
    assert returning.speaker.ask("tell", returning.identity, 1) is False
    again = Client(recovering_url, WAYS[way], auth=returning.known, kind=Recovering)
    assert again.io.get_sid() != returning.identity
    assert again.ask("whoami")["recovered"] is False
    again.io.disconnect()
    returning.close()
