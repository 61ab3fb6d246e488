"""Socket.IO 5 from outside, in strings: what the protocol's own suite asks for, and what it leaves out."""

import json
import time

import pytest

from engine_raw import SEPARATOR, Poller, WebSocket, connected
from servers import Server

PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.fixture(scope="module")
def port():
    with Server("socketio-test-server", where=("127.0.0.1:0",)) as running:
        yield running.port


@pytest.fixture
def client(port):
    with connected(port) as fresh:
        yield fresh


def opened(port):
    client = WebSocket(port, "/socket.io/")
    assert client.receive()[0] == "0"
    return client


# Connecting

@pytest.mark.parametrize("namespace, auth", [
    ("", ""), ("", '{"token":"123"}'), ("/custom,", ""), ("/custom,", '{"token":"abc"}'), ("/custom", ""),
    ("", '{"z":1,"a":1.0,"n":12345678901234567890,"u":"\\u00fc"}'),
])
def test_a_connection_is_answered_and_then_told_its_auth(port, namespace, auth):
    with opened(port) as client:
        client.emit(f"40{namespace}{auth}")
        name = f"{namespace.rstrip(',')}," if namespace else ""
        answer = client.receive()
        assert answer.startswith(f'40{name}{{"sid":"')
        assert list(json.loads(answer.removeprefix(f"40{name}"))) == ["sid"]
        assert client.receive() == f'42{name}["auth",{auth or "{}"}]'.replace("\\u00fc", "ü")


def test_an_unknown_namespace_is_refused(port):
    with opened(port) as client:
        client.emit("40/random")
        assert client.receive() == '44/random,{"message":"Invalid namespace"}'
        client.emit("40")
        assert client.receive_beside_pings().startswith("40{")


@pytest.mark.parametrize("first", ["4abc", '42["message"]', "41", "43[]", "47", "40[]", "40abc", "4", b"\x01"])
def test_anything_but_a_connection_closes_at_first(port, first):
    with opened(port) as client:
        client.emit(first)
        assert client.receive() is None


def test_who_joins_nothing_is_closed_within_two_seconds(port):
    begin = time.monotonic()
    with opened(port) as client:
        assert client.receive_beside_pings() is None
        assert 0.9 < time.monotonic() - begin < 2


def test_connecting_twice_to_one_namespace_closes(client):
    client.emit("40")
    assert client.is_closed()


# Disconnecting

def test_a_disconnection_is_not_answered_and_leaves_the_transport_open(client):
    client.emit("41")
    for _ in range(5):
        assert client.receive() == "2"
        client.emit("3")
    client.emit("40")
    assert client.receive_beside_pings().startswith("40{")


def test_a_disconnection_from_one_namespace_leaves_the_other(client):
    client.emit("40/custom")
    assert client.receive_beside_pings().startswith("40/custom,")
    assert client.receive_beside_pings().startswith("42/custom,")
    client.emit("41/custom")
    client.emit('42["message","still there"]')
    assert client.receive_beside_pings() == '42["message-back","still there"]'


# Events

@pytest.mark.parametrize("arguments", [
    '1,"2",{"3":[true]}', '', 'null', '1.0,-0,1e5,12345678901234567890,0.10', '"\\"/\\\\ é 😀"', '{"b":1,"a":{"":[]}}',
    '[[[[]]]],{}', '{"_placeholder":false}',
])
def test_arguments_come_back_as_they_were(client, arguments):
    rest = f",{arguments}" if arguments else ""
    client.emit(f'42["message"{rest}]')
    assert client.receive_beside_pings() == f'42["message-back"{rest}]'
    client.emit(f'42456["message-with-ack"{rest}]')
    assert client.receive_beside_pings() == f"43456[{arguments}]"


def test_json_is_compacted_and_needless_escapes_go(client):
    client.emit('42 [ "message" , { "a" : "\\/\\u0041" } ] ')
    assert client.receive_beside_pings() == '42["message-back",{"a":"/A"}]'


def test_attachments_come_back(client):
    client.emit(f'452-["message",{PLACEHOLDERS}]')
    client.emit(b"\x01\x02\x03")
    client.emit(b"\x04\x05\x06")
    assert client.receive_beside_pings() == f'452-["message-back",{PLACEHOLDERS}]'
    assert [client.receive(), client.receive()] == [b"\x01\x02\x03", b"\x04\x05\x06"]


def test_attachments_come_back_in_an_acknowledgement(client):
    client.emit(f'452-789["message-with-ack",{PLACEHOLDERS}]')
    client.emit(b"\x01\x02\x03")
    client.emit(b"")
    assert client.receive_beside_pings() == f"462-789[{PLACEHOLDERS}]"
    assert [client.receive(), client.receive()] == [b"\x01\x02\x03", b""]


def test_ten_attachments_are_the_most(port):
    for count in (10, 11):
        with connected(port) as client:
            places = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(count))
            client.emit(f'45{count}-["message",{places}]')
            for number in range(count):
                if count == 10:
                    client.emit(bytes([number]))
            if count == 10:
                assert client.receive_beside_pings() == f'4510-["message-back",{places}]'
                assert [client.receive() for _ in range(10)] == [bytes([number]) for number in range(10)]
            else:
                assert client.is_closed()


MALFORMED = [
    "4abc", "42{}", '42abc["message-with-ack",1]', "42", "42[", "42[]", "42[{}]", '42["message"', '42["message"]]',
    '42["message",01]', '42["message",1.]', '42["message",+1]', '42["message",\'a\']', '42["message",tru]',
    '42["message","\x01"]', '42["message","\\x"]', '42["message","\\ud8"]', '42["connect"]', '42["disconnecting"]',
    '4299999999999999999999["message"]', '452["message"]', '45-["message"]', '45x-["message"]', "43[]", "431{}", "48[]",
    "41[]", "42/custom,[]", '42["message",' + "[" * 1000 + "]" * 1000 + "]",
    '42["message"]\u0000',
]


@pytest.mark.parametrize("message", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_packet_closes_the_transport(client, message):
    client.emit(message)
    assert client.is_closed()


@pytest.mark.parametrize("messages", [
    [b"\x01"],
    ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
    ['451-["message",{"_placeholder":true,"num":0}]', b"\x01", b"\x02"],
    ['451-["message",{"_placeholder":true,"num":1}]', b"\x01"],
    ['451-["message",{"_placeholder":true,"num":-1}]', b"\x01"],
    ['451-["message",{"_placeholder":true,"num":"0"}]', b"\x01"],
    ['451-["message",{"_placeholder":true}]', b"\x01"],
], ids=range(7))
def test_attachments_that_do_not_fit_close_the_transport(client, messages):
    for message in messages:
        client.emit(message)
    while (answer := client.receive()) is not None:
        assert answer == "2" or isinstance(answer, bytes) or answer.startswith("451-")


def test_attachments_that_never_come_leave_the_session_alone(client):
    client.emit('451-["message",{"_placeholder":true,"num":0}]')
    for _ in range(4):
        assert client.receive() == "2"
        client.emit("3")


def test_broken_utf_8_closes_with_1007(client):
    import raw
    client.send(raw.frame(raw.TEXT, b'42["message","\xff"]'))
    while True:
        _, opcode, payload = client.read_frame()
        if opcode == raw.CLOSE:
            break
    assert payload[:2] == b"\x03\xef"


# By polling

def drain(poller, count):
    """The next `count` packets that are no pings; pings are answered."""
    packets = []
    while len(packets) < count:
        status, content = poller.poll()
        assert status == 200
        for packet in content.split(SEPARATOR):
            if packet == "2":
                assert poller.post("3") == (200, "ok")
            else:
                packets.append(packet)
    return packets


def test_polling_carries_all_of_it(port):
    poller = Poller(port, "/socket.io/")
    assert poller.post("40") == (200, "ok")
    answers = drain(poller, 2)
    assert answers[0].startswith('40{"sid":"') and answers[1] == '42["auth",{}]'
    assert poller.post('42["message",1]' + SEPARATOR + '427["message-with-ack",2]') == (200, "ok")
    assert drain(poller, 2) == ['42["message-back",1]', "437[2]"]


def test_polling_carries_attachments(port):
    poller = Poller(port, "/socket.io/")
    assert poller.post("40") == (200, "ok")
    drain(poller, 2)
    packets = [f'452-["message",{PLACEHOLDERS}]', "bAQID", "bBAUG"]
    assert poller.post(SEPARATOR.join(packets)) == (200, "ok")
    assert drain(poller, 3) == [f'452-["message-back",{PLACEHOLDERS}]', "bAQID", "bBAUG"]


def test_an_upgrade_in_the_midst_loses_nothing(port):
    poller = Poller(port, "/socket.io/")
    assert poller.post("40") == (200, "ok")
    drain(poller, 2)
    assert poller.post(SEPARATOR.join(f'42["message",{number}]' for number in range(50))) == (200, "ok")
    with WebSocket(port, "/socket.io/", poller.sid) as client:
        client.emit("2probe")
        assert client.receive() == "3probe"
        client.emit("5")
        for number in range(50, 100):
            client.emit(f'42["message",{number}]')
        answers = [client.receive_beside_pings() for _ in range(100)]
    assert answers == [f'42["message-back",{number}]' for number in range(100)]


def test_a_packet_that_is_none_ends_a_polling_session(port):
    poller = Poller(port, "/socket.io/")
    assert poller.post("4abc") == (200, "ok")
    assert poller.poll() == (200, "1")
    assert poller.is_gone()
