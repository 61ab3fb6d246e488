"""The Python package websockets: its threads' and its asyncio client."""

import asyncio

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from servers import Server

LARGE = 16 << 20


@pytest.fixture
def socket(server):
    with connect(server.url, max_size=None) as fresh:
        yield fresh


def echo(socket, message):
    socket.send(message)
    return socket.recv(timeout=60)


@pytest.mark.parametrize("message", ["", "hello", "naïve — 你好 مرحبا 😀", b"", bytes(range(256))])
def test_messages_come_back(socket, message):
    assert echo(socket, message) == message


@pytest.mark.parametrize("size", [125, 126, 127, 65535, 65536, 65537])
def test_messages_at_the_borders_of_the_length_field_come_back(socket, size):
    assert echo(socket, "x" * size) == "x" * size
    assert echo(socket, bytes(size)) == bytes(size)


def test_a_text_of_16_mib_comes_back(socket):
    text = "€uro " * (LARGE // 7)
    assert echo(socket, text) == text


def test_a_binary_message_of_16_mib_comes_back(socket):
    data = bytes(range(256)) * (LARGE // 256)
    assert echo(socket, data) == data


def test_fragments_come_back_as_one_message(socket):
    assert echo(socket, ["frag", "ment", "", "ed ü"]) == "fragmented ü"
    assert echo(socket, [b"\x00", b"\xff", bytes(70000)]) == b"\x00\xff" + bytes(70000)


def test_pings_are_answered(socket):
    assert socket.ping("first").wait(60)
    assert socket.ping(bytes(125)).wait(60)


def test_compression_is_off_until_asked_for(socket):
    assert "Sec-WebSocket-Extensions" in socket.request.headers
    assert "Sec-WebSocket-Extensions" not in socket.response.headers


def test_the_clients_close_is_answered_with_its_code(server):
    with connect(server.url) as socket:
        socket.close(4001, "that was all")
    assert socket.protocol.close_rcvd.code == 4001
    assert socket.protocol.close_rcvd_then_sent is False


def test_no_subprotocol_is_made_up(server):
    with connect(server.url, subprotocols=["chat"]) as socket:
        assert socket.subprotocol is None


def test_another_origin_is_refused(server):
    with pytest.raises(InvalidStatus) as refusal:
        connect(server.url, origin="http://evil.example")
    assert refusal.value.response.status_code == 403


def test_a_stopping_server_says_1001(echo_command):
    server = Server(*echo_command)
    with connect(server.url) as socket:
        assert echo(socket, "here") == "here"
        server.process.terminate()
        with pytest.raises(ConnectionClosed) as end:
            socket.recv(timeout=60)
    assert end.value.rcvd.code == 1001
    assert server.stop() == 0


def test_fifty_clients_get_their_own_messages_in_order(server):
    async def client(number):
        async with connect_async(server.url) as socket:
            messages = [f"{number}: {index}" for index in range(100)]
            for message in messages:
                await socket.send(message)
            assert [await socket.recv() for _ in messages] == messages

    async def clients():
        await asyncio.gather(*(client(number) for number in range(50)))

    within_a_minute(clients())


def test_a_broadcast_reaches_everyone_in_one_order(broadcaster):
    async def clients():
        sockets = [await connect_async(broadcaster.url) for _ in range(10)]
        await all_hear(sockets)
        for index in range(100):
            await sockets[index % 3].send(f"{index}")
        received = [[await socket.recv() for _ in range(100)] for socket in sockets]
        for socket in sockets:
            await socket.close()
        return received

    received = within_a_minute(clients())
    assert all(messages == received[0] for messages in received)
    assert sorted(received[0], key=int) == [f"{index}" for index in range(100)]
    for sender in range(3):
        own = [int(message) for message in received[0] if int(message) % 3 == sender]
        assert own == sorted(own)


async def all_hear(sockets):
    """Returns once every socket takes part: it has heard itself, and then the word that ends the preliminaries."""
    for socket in sockets:
        await socket.send("hello")
        await socket.recv()
    await sockets[0].send("begin")
    for socket in sockets:
        while await socket.recv() != "begin":
            pass


def within_a_minute(work):
    async def bounded():
        return await asyncio.wait_for(work, 60)

    return asyncio.run(bounded())
