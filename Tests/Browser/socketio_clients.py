"""The JavaScript client of Socket.IO in a real browser, by polling, by WebSocket, and going over from one to the other.

    python socketio_clients.py SERVER SOCKET.IO.MIN.JS      SERVER: the socketio-test-server

Each check opens pages that collect what their client tells them, and compares that with what Node's server would have
them told. Needs Playwright for Python and a chromium. Prints a line for each check and, last, "N passed, N failed".
"""

import argparse
import pathlib
import re
import shutil
import signal
import subprocess

from playwright.sync_api import sync_playwright

from chat_rig import Tally

WAYS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
# What a page keeps: one client, and all that it was told, in order.
COLLECT = """([transports, namespace, options]) => {
    const url = location.origin + (namespace ?? "/")
    window.socket = io(url, { transports, reconnectionDelay: 20, reconnectionDelayMax: 40, forceNew: true, ...options })
    window.told = []
    socket.on("connect", () => told.push(["connect", socket.recovered ?? false]))
    socket.on("connect_error", error => told.push(["connect_error", error.message]))
    socket.on("disconnect", reason => told.push(["disconnect", reason]))
    socket.onAny((name, ...values) => {
        if (typeof values.at(-1) === "function") values.pop()(`${socket.id} answers`)
        told.push([name, ...values])
    })
}"""


class Server:
    """A socketio-test-server on a port of its own."""

    def __init__(self, command, *options):
        self.process = subprocess.Popen(
            [command, "127.0.0.1:0", "--features", *options], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if match := re.search(r"listening on (\d+)", line):
                self.url = f"http://127.0.0.1:{match[1]}"
                return
        raise SystemExit(f"{command} did not say where it listens")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.process.stdout.close()


class Client:
    """A page with one client."""

    def __init__(self, rig, server, way, namespace=None, **options):
        self.page = rig.context.new_page()
        # Any page of the server's will do, even its 404: what counts is where it comes from.
        self.page.goto(server.url + "/")
        self.page.add_script_tag(path=rig.script)
        self.page.evaluate(COLLECT, [WAYS[way], namespace, options])

    def waits(self, condition):
        self.page.wait_for_function(condition)
        return self

    def joined(self, way):
        """Waits until it is connected, by the last of its transports."""
        name = "websocket" if way == "upgrade" else way
        return self.waits(f"() => socket.connected && socket.io.engine.transport.name === '{name}'")

    def told(self, name=None):
        return [line for line in self.page.evaluate("() => told") if name is None or line[0] == name]

    def ask(self, *event):
        return self.page.evaluate("event => socket.timeout(5000).emitWithAck(...event)", list(event))

    def tell(self, *event):
        self.page.evaluate("event => { socket.emit(...event) }", list(event))

    def identity(self):
        return self.page.evaluate("() => socket.id")

    def stays_away(self):
        """Whether it is not even trying to come back, after more time than it waits for that."""
        self.page.wait_for_timeout(300)
        return self.page.evaluate("() => !socket.connected && !socket.active")

    def close(self):
        self.page.evaluate("() => socket.disconnect()")
        self.page.close()


class Rig:
    def __init__(self, browser, script, tally, plain, recovering):
        self.context = browser.new_context()
        self.context.set_default_timeout(10_000)
        self.script, self.tally, self.plain, self.recovering = script, tally, plain, recovering

    def client(self, way, namespace=None, recovering=False, **options):
        return Client(self, self.recovering if recovering else self.plain, way, namespace, **options)


def check_thrown_out(rig, way):
    """`disconnect(close: true)`: told by the server, after all that was emitted before, and it stays away."""
    client = rig.client(way).joined(way)
    client.tell("farewell", 100)
    client.waits("() => told.some(line => line[0] === 'disconnect')")
    numbers = [line[1] for line in client.told("last")]
    rig.tally(numbers == list(range(100)), f"{way}: all that was emitted before arrives", numbers)
    rig.tally(client.told("disconnect") == [["disconnect", "io server disconnect"]], f"{way}: io server disconnect",
              client.told("disconnect"))
    rig.tally(client.stays_away(), f"{way}: a client that was thrown out stays away")
    client.close()


def check_thrown_out_at_once(rig, way):
    """Thrown out by the connection's handler, at whatever step of the upgrade that is."""
    for _ in range(5):
        client = rig.client(way, "/denied")
        client.waits("() => told.some(line => line[0] === 'disconnect')")
        expected = [["connect", False], ["denied", "not you"], ["disconnect", "io server disconnect"]]
        rig.tally(client.told() == expected, f"{way}: a last word at once arrives", client.told())
        client.close()


def check_thrown_out_together(rig, way):
    """`disconnectSockets(close: true)`, and another namespace of the same connection."""
    client, speaker = rig.client(way).joined(way), rig.client(way).joined(way)
    client.page.evaluate("""() => {
        window.second = socket.io.socket("/second")
        second.on("disconnect", reason => told.push(["second disconnect", reason]))
    }""")
    client.waits("() => second.connected")
    speaker.tell("farewell-to-all", client.identity())
    client.waits("() => told.filter(line => line[0].endsWith('disconnect')).length === 2")
    rig.tally(client.told()[1:2] == [["last", 0]], f"{way}: what is broadcast before arrives", client.told())
    reasons = {tuple(line) for line in client.told()[2:]}
    expected = {("disconnect", "io server disconnect"), ("second disconnect", "io server disconnect")}
    rig.tally(reasons == expected, f"{way}: all namespaces are told", client.told())
    rig.tally(client.stays_away(), f"{way}: none of a group that was thrown out comes back")
    client.close(), speaker.close()


def check_not_recovered(rig, way):
    """One that was thrown out and connects again begins again."""
    client, speaker = rig.client(way, recovering=True).joined(way), rig.client("websocket", recovering=True)
    speaker.joined("websocket")
    before = client.identity()
    speaker.tell("say", before, 0)
    client.waits("() => told.some(line => line[0] === 'said')")
    client.tell("leave-me", True)
    client.waits("() => told.some(line => line[0] === 'disconnect')")
    client.page.evaluate("() => { socket.connect() }")
    client.waits("() => told.filter(line => line[0] === 'connect').length === 2")
    rig.tally(client.told("connect")[1] == ["connect", False] and client.identity() != before,
              f"{way}: a client that was thrown out does not recover")
    client.close(), speaker.close()


def check_recovered(rig, way):
    """One that was lost comes back with what was emitted to it meanwhile."""
    client, speaker = rig.client(way, recovering=True).joined(way), rig.client("websocket", recovering=True)
    speaker.joined("websocket")
    identity = client.identity()
    client.ask("join", "room")
    speaker.tell("say", "room", 0)
    client.waits("() => told.some(line => line[0] === 'said')")
    # Lost as by a network: the engine closes without a word of Socket.IO's; and for now it does not come back.
    client.page.evaluate("() => { socket.io.reconnection(false); socket.io.engine.close() }")
    client.waits("() => !socket.connected")
    speaker.page.wait_for_function(
        "id => socket.timeout(5000).emitWithAck('is-here', id).then(isHere => !isHere)", arg=identity)
    rig.tally(speaker.ask("tell", identity, 1) is True, f"{way}: emitting to a lost client does not fail")
    speaker.tell("say", "room", 2)
    speaker.ask("tell", identity, 3)
    client.page.evaluate("() => { socket.io.reconnection(true); socket.connect() }")
    client.waits("() => told.length >= 6")
    values = [line[:2] for line in client.told()[3:]]
    back = [["told", 1], ["said", 2], ["told", 3]]
    rig.tally(sorted(values, key=str) == sorted([["connect", True], *back], key=str) and
              [line for line in values if line[0] != "connect"] == back and client.identity() == identity,
              f"{way}: what was emitted to a lost client is sent when it comes back", client.told())
    client.close(), speaker.close()


def check_much_unhandled(rig, way):
    """Acknowledgements overtake the events whose handlers wait for them."""
    client = rig.client(way).joined(way)
    client.page.evaluate("() => { for (let i = 0; i < 6; i++) socket.emit('ask-with-much', new Uint8Array(60_000)) }")
    client.waits("() => told.filter(line => line[0] === 'answered').length === 6")
    rig.tally(len(client.told("question")) == 6, f"{way}: six handlers that wait for acknowledgements get them")
    client.close()


def check_middleware(rig, way):
    """A middleware that disconnects does nothing; the room that it lets the client join is kept."""
    client = rig.client(way, "/meddling").joined(way)
    rig.tally(client.ask("rooms") == ["early"], f"{way}: a room that a middleware joins is kept")
    rig.tally(client.told() == [["connect", False]], f"{way}: a middleware disconnects nobody", client.told())
    client.close()


def check_values(rig, way):
    """Dates, bytes and subprotocols."""
    client = rig.client(way, protocols=["first", "second"]).joined(way)
    answer = client.page.evaluate("""async () => {
        const time = new Date(1700000000123)
        const parts = [new Uint8Array([1, 2, 3]), new Uint8Array()]
        const report = await socket.timeout(5000).emitWithAck("report", { time, parts })
        return [report.time, report.parts.map(part => [part instanceof ArrayBuffer, ...new Uint8Array(part)])]
    }""")
    rig.tally(answer == ["2023-11-14T22:13:20.124Z", [[True, 3, 2, 1], [True]]], f"{way}: a date and bytes", answer)
    if way != "polling":
        taken = client.page.evaluate("() => socket.io.engine.transport.ws.protocol")
        rig.tally(taken == "first", f"{way}: the first subprotocol is taken", taken)
    client.ask("leave-own-room")
    client.tell("say", client.identity(), "not for it")
    rig.tally(client.ask("rooms") == [] and client.told("said") == [], f"{way}: a client leaves its own room")
    client.close()


CHECKS = [check_thrown_out, check_thrown_out_at_once, check_thrown_out_together, check_not_recovered, check_recovered,
          check_much_unhandled, check_middleware, check_values]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("script", type=pathlib.Path)
    parser.add_argument("--only", metavar="WORD", help="just the checks with this in their name")
    parser.add_argument("--chromium", metavar="FILE", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = parser.parse_args()
    tally, servers = Tally(), [Server(chosen.server), Server(chosen.server, "--recovery")]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chosen.chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            rig = Rig(browser, chosen.script.resolve(), tally, *servers)
            for check in CHECKS:
                for way in WAYS:
                    if not chosen.only or chosen.only in check.__name__:
                        try:
                            check(rig, way)
                        except Exception as error:  # one that waits in vain fails, and the others go on
                            tally(False, f"{way}: {check.__name__}", " ".join(str(error).split())[:300])
            browser.close()
    finally:
        for server in servers:
            server.stop()
    return tally.finish()


if __name__ == "__main__":
    raise SystemExit(main())
