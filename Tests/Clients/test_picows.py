"""The Python package picows: frames as they come, so this also sees how the servers cut their messages."""

import asyncio

import pytest
from picows import WSCloseCode, WSInvalidStatusError, WSListener, WSMsgType, ws_connect

LARGE = 16 << 20


class Client(WSListener):
    """Joins frames to messages, and keeps the frames."""

    def __init__(self):
        self.messages = asyncio.Queue()
        self.pongs = asyncio.Queue()
        self.parts = []
        self.close = None

    def on_ws_frame(self, transport, frame):
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.PONG:
            self.pongs.put_nowait(payload)
        elif frame.msg_type == WSMsgType.CLOSE:
            self.close = (frame.get_close_code(), frame.get_close_reason())
            transport.disconnect()
        else:
            self.on_data(frame, payload)

    def on_data(self, frame, payload):
        if not self.parts:
            self.kind = frame.msg_type
        self.parts.append(payload)
        if frame.fin:
            self.messages.put_nowait((self.kind, b"".join(self.parts)))
            self.parts = []


def talk(server, conversation, **options):
    """Connects, runs `conversation(transport, client)`, and returns what it returned."""
    async def connected():
        transport, client = await ws_connect(
            Client, server.url, max_frame_size=LARGE * 2, websocket_handshake_timeout=30, **options)
        try:
            return await conversation(transport, client)
        finally:
            transport.disconnect()
            await transport.wait_disconnected()

    async def bounded():
        return await asyncio.wait_for(connected(), 60)

    return asyncio.run(bounded())


def echo(server, kind, *fragments):
    async def conversation(transport, client):
        for index, fragment in enumerate(fragments):
            is_last = index == len(fragments) - 1
            transport.send(kind if index == 0 else WSMsgType.CONTINUATION, fragment, fin=is_last)
        return await client.messages.get()

    return talk(server, conversation)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_text_and_binary_come_back(server, size):
    assert echo(server, WSMsgType.TEXT, b"t" * size) == (WSMsgType.TEXT, b"t" * size)
    assert echo(server, WSMsgType.BINARY, b"\xff" * size) == (WSMsgType.BINARY, b"\xff" * size)


def test_a_message_of_16_mib_comes_back(server):
    data = bytes(range(256)) * (LARGE // 256)
    assert echo(server, WSMsgType.BINARY, data) == (WSMsgType.BINARY, data)


def test_a_character_may_be_cut_between_fragments(server):
    assert echo(server, WSMsgType.TEXT, b"\xe2", b"\x82", b"\xac") == (WSMsgType.TEXT, "€".encode())


def test_a_thousand_fragments_are_one_message(server):
    fragments = [f"{index};".encode() for index in range(1000)]
    assert echo(server, WSMsgType.TEXT, *fragments) == (WSMsgType.TEXT, b"".join(fragments))


def test_a_ping_is_answered_with_its_payload(server):
    async def conversation(transport, client):
        transport.send_ping(b"are you there?")
        return await client.pongs.get()

    assert talk(server, conversation) == b"are you there?"


def test_a_thousand_messages_in_one_write_come_back_in_order(server):
    async def conversation(transport, client):
        for index in range(1000):
            transport.send(WSMsgType.TEXT, f"{index}".encode())
        return [await client.messages.get() for _ in range(1000)]

    assert talk(server, conversation) == [(WSMsgType.TEXT, f"{index}".encode()) for index in range(1000)]


def test_the_clients_close_is_answered_with_its_code(server):
    async def conversation(transport, client):
        transport.send_close(WSCloseCode.GOING_AWAY, b"the tab was closed")
        await transport.wait_disconnected()
        return client.close

    assert talk(server, conversation)[0] == WSCloseCode.GOING_AWAY


def test_text_that_is_not_utf_8_is_closed_with_1007(server):
    async def conversation(transport, client):
        transport.send(WSMsgType.TEXT, b"\xc0\x80")
        await transport.wait_disconnected()
        return client.close

    assert talk(server, conversation)[0] == WSCloseCode.INVALID_TEXT


def test_another_origin_is_refused(server):
    async def conversation(transport, client):
        pytest.fail("the handshake was accepted")

    with pytest.raises(WSInvalidStatusError) as refusal:
        talk(server, conversation, extra_headers={"Origin": "https://evil.example"})
    assert refusal.value.response.status == 403
