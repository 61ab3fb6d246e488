"""Tests of apus-load from outside: what its options refuse, and servers that lie.

  python3 Benchmarks/Load/Tests/test_apus_load.py PATH-OF-APUS-LOAD
"""

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import unittest

PROGRAM = ""
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def load(*arguments):
    """Runs apus-load; returns its status, what it printed, and its complaint."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def read_message(stream):
    """Returns the first byte and the payload of one masked frame of at most 125 bytes."""
    first, length = read_exactly(stream, 2)
    key, payload = read_exactly(stream, 4), read_exactly(stream, length & 0x7F)
    return first, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def frame(first, payload):
    return bytes([first, len(payload)]) + payload


class Server:
    """A WebSocket server that answers each message with what `answer(number, payload)` returns; None hangs up."""

    def __init__(self, answer, accept=None):
        self.answer, self.accept = answer, accept
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError, EOFError):
            key = ""
            while line := stream.readline().decode().strip():
                if line.lower().startswith("sec-websocket-key:"):
                    key = line.split(":", 1)[1].strip()
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            connection.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                f"Sec-WebSocket-Accept: {self.accept or accept}\r\n\r\n").encode())
            number = 0
            while True:
                first, payload = read_message(stream)
                if first & 0x0F >= 8:
                    continue
                answer = self.answer(number, payload)
                if answer is None:
                    return
                connection.sendall(answer)
                number += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Options(unittest.TestCase):
    """A wrong command line ends with 2 and one line that says what to do."""

    def refused(self, words, *arguments):
        status, out, error = load(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(words, error)
        self.assertTrue(error.startswith("apus-load: ") and error.count("\n") == 1, error)

    def test_refusals(self):
        url = "ws://127.0.0.1:1/"
        for words, *arguments in [
            ("which server?",),
            ("which server?", "echo"),
            ("starts with ws:// or wss://", "http://127.0.0.1/"),
            ("the modes are echo, fanout, connect and idle, not 'ecko'", "ecko", url),
            ("one URL is enough, so what is 'x'", url, "x"),
            ("port is no number from 1 to 65535", "ws://127.0.0.1:0/"),
            ("port is no number from 1 to 65535", "ws://127.0.0.1:99999/"),
            ("port is no number from 1 to 65535", "ws://127.0.0.1:80x/"),
            ("path has to begin with /", "ws://127.0.0.1?a=b"),
            ("the URL has no host", "ws:///"),
            ("the URL has no host", "ws://[::1"),
            ("there is no option --deep=3", url, "--deep=3"),
            ("--size needs a value", url, "--size"),
            ("--connections takes a number from 1 to 1000000, not '0'", url, "-c", 0),
            ("--connections takes a number from 1 to 1000000, not '-3'", url, "-c", -3),
            ("--connections takes a number from 1 to 1000000, not '3x'", url, "-c", "3x"),
            ("--depth takes a number", url, "-d", ""),
            ("--rate takes a number", url, "-r", "99999999999999999999999"),
            ("--duration takes seconds above 0", url, "-t", "nan"),
            ("--duration takes seconds above 0", url, "-t", 0),
            ("--content takes binary, ascii, json", url, "-k", "latin"),
            ("multiple of --connections", url, "-n", 7, "-c", 2),
            ("takes no --depth", url, "-r", 10, "-d", 2),
            ("--deflate on random bytes", url, "--deflate"),
            ("--raw is for the mode echo", url.replace("ws", "wss"), "--raw"),
            ("--socketio sends events of its own", url, "--socketio", "-s", 19),
            ("--socketio sends events of its own", url, "--socketio", "-k", "json", "-s", 100),
            ("are for the modes that send", "idle", url, "-r", 5),
            ("are for wss:// URLs", url, "--insecure"),
            ("'Name: value' on one line", url, "-H", "nothing"),
        ]:
            with self.subTest(arguments=arguments):
                self.refused(words, *arguments)

    def test_help_names_every_option(self):
        status, out, _ = load("--help")
        self.assertEqual(status, 0)
        for option in ("connections size content depth rate duration warmup messages deflate raw socketio ca insecure "
                       "header timeout pid json quiet help version").split():
            self.assertIn(f"--{option}", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 120)


class Verification(unittest.TestCase):
    """Whatever a server does that it should not ends with 1 and says what it was."""

    def run_against(self, answer, *arguments, accept=None):
        with Server(answer, accept) as server:
            return load(server.url, "-c", 2, "-n", 40, "--timeout", 5, *arguments)

    def found_out(self, words, answer, *arguments, **options):
        status, _, error = self.run_against(answer, *arguments, **options)
        self.assertEqual(status, 1, error)
        self.assertIn(words, error)

    def test_honest_servers_pass(self):
        answers = {
            "plain": lambda n, payload: frame(0x82, payload),
            "in fragments": lambda n, payload: frame(0x02, payload[:7]) + frame(0x80, payload[7:]),
            "with pings": lambda n, payload: frame(0x89, b"?") + frame(0x82, payload),
        }
        for name, answer in answers.items():
            with self.subTest(name):
                status, out, error = self.run_against(answer, "--json", "-")
                self.assertEqual((status, error), (0, ""))
                result = json.loads(out)
                self.assertEqual(result["count"], 40)
                self.assertEqual(result["latency_ns"]["count"], 40)
                self.assertEqual(sum(count for _, count in result["latency_ns"]["histogram"]), 40)

    def test_a_changed_byte(self):
        self.found_out("message 7: byte 13 is 0x", lambda n, payload: frame(
            0x82, payload[:13] + bytes([payload[13] ^ (n == 7)]) + payload[14:]))

    def test_a_repeated_message(self):
        first = []
        self.found_out("message 3: byte 0", lambda n, payload: (first.append(payload), frame(
            0x82, payload if n < 3 else first[0]))[1], "-c", 1)

    def test_a_swallowed_message(self):
        self.found_out("message 5: byte 0", lambda n, payload: b"" if n == 5 else frame(0x82, payload), "-d", 4)

    def test_no_answer_at_all(self):
        self.found_out("time is up (--timeout)", lambda n, payload: b"", "--timeout", 1)

    def test_an_answer_too_many(self):
        self.found_out("byte 0", lambda n, payload: frame(0x82, payload) * 2)

    def test_a_shortened_message(self):
        self.found_out("message 0: it has 19 bytes, but 20 were sent", lambda n, payload: frame(0x82, payload[:-1]))

    def test_another_kind(self):
        self.found_out("another opcode", lambda n, payload: frame(0x81, payload))

    def test_a_close(self):
        self.found_out("the server closed with 1001 so long",
                       lambda n, payload: frame(0x88, b"\x03\xe9so long"))

    def test_hanging_up(self):
        self.found_out("the server hung up", lambda n, payload: None)

    def test_a_wrong_accept(self):
        self.found_out("Sec-WebSocket-Accept is missing or wrong", lambda n, payload: b"", accept="x" * 28)

    def test_compression_not_accepted(self):
        self.found_out("did not accept permessage-deflate", lambda n, payload: b"", "--deflate", "-k", "json")

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        status, _, error = load(f"ws://127.0.0.1:{port}/")
        self.assertEqual(status, 1)
        self.assertIn("Connection refused", error)

    def test_no_such_process(self):
        status, _, error = self.run_against(lambda n, payload: frame(0x82, payload), "--pid", 2**31 - 1)
        self.assertEqual(status, 1)
        self.assertIn("cannot read the CPU time and memory of process", error)

    def test_own_process(self):
        status, out, _ = self.run_against(lambda n, payload: frame(0x82, payload), "--pid", os.getpid(), "-j", "-")
        self.assertEqual(status, 0)
        self.assertGreater(json.loads(out)["server"]["cpu_ns"], 0)
        self.assertGreater(json.loads(out)["server"]["rss_open"], 1 << 20)


class Rate(unittest.TestCase):
    """At a fixed rate, a server that stalls once delays every message that was due meanwhile."""

    def test_a_stall_is_not_hidden(self):
        stalled = threading.Event()

        def answer(number, payload):
            if number == 10:
                stalled.wait(0.5)  # nobody sets it
            return frame(0x82, payload)

        with Server(answer) as server:
            status, out, error = load(server.url, "-c", 1, "-r", 100, "-t", 1, "-w", 0, "-j", "-")
        self.assertEqual((status, error), (0, ""))
        latency = json.loads(out)["latency_ns"]
        # 50 of 100 messages were due while it stalled, evenly spread over half a second.
        self.assertGreater(latency["p75"], 100e6)
        self.assertGreater(latency["max"], 400e6)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
