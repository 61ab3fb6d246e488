"""What chat_page.py stands on: the tally, the browser's windows, a network that can be cut, the server's process."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from playwright.sync_api import Error, expect


class Tally:
    """Counts what was checked. A check that fails says why and does not end the run."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, ok, what, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok   ' if ok else 'FAIL '} {what}{f': {detail}' if detail and not ok else ''}", flush=True)
        return bool(ok)

    def holds(self, what, assertion):
        """Passes if the assertion, one of Playwright's that wait by themselves, does not fail."""
        try:
            assertion()
        except (AssertionError, Error) as error:
            return self(False, what, " ".join(str(error).split())[:300])
        return self(True, what)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0


class Network:
    """Stands between one page and the server's WebSocket; passes everything on until told otherwise."""

    def __init__(self):
        self.down = False
        self.deaf = False  # what the server says is lost, what the page says arrives
        self.sockets = []

    def attach(self, page):
        page.route_web_socket("**/chat", self._route)
        return self

    def cut(self):
        self.down = True
        for socket in self.sockets:
            socket.close(code=1001)
        self.sockets.clear()

    def restore(self):
        self.down = self.deaf = False

    def _route(self, socket):
        if self.down:
            socket.close(code=1001)
            return
        self.sockets.append(socket)
        server = socket.connect_to_server()
        server.on_message(lambda text: None if self.deaf else socket.send(text))


class Window:
    """One person's browser."""

    def __init__(self, browser, url, tally, **options):
        self.tally, self.errors, self.elsewhere = tally, [], []
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options.setdefault("locale", "en-US")
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error).splitlines()[0]))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self._request(request, url))
        self.network = Network().attach(self.page)
        self.url = url

    def _console(self, message):
        # The browser itself reports each failed attempt to connect; everything else is a fault of the page.
        if message.type in ("error", "warning") and "WebSocket connection" not in message.text:
            self.errors.append(message.text)

    def _request(self, request, url):
        if not request.url.startswith(url):
            self.elsewhere.append(request.url)

    def open(self, room=None):
        self.page.goto(self.url + (f"#/{room}" if room else ""))
        return self.online()

    def online(self):
        self.page.locator("#my-state.online").wait_for(state="attached")
        return self

    def name_is(self, name):
        """A person who has been here before under this name."""
        self.context.add_init_script(f"localStorage['apus.name'] ??= {json.dumps(json.dumps(name))}")
        return self

    def close(self):
        self.context.close()

    # time, where it must not pass by itself

    def frozen_on_demand(self):
        self.page.clock.install()
        return self

    def freeze(self):
        """No timer of the page fires any more, and nothing is drawn, until the time is moved."""
        self.page.clock.pause_at(self.page.evaluate("() => Date.now() + 1"))

    def thaws_until(self, good, most=150):
        """Moves the time by at most `most` ms, less than the shortest wait before a new connection."""
        for _ in range(most):
            self.page.clock.run_for(1)
            if good():
                break
        self.page.clock.resume()
        return good()

    # what a person does

    def say(self, *texts):
        for text in texts:
            self.page.fill("#message", text)
            self.page.click("#send")

    def rename(self, name):
        self.page.click("#rename")
        self.page.fill("#name", name)
        self.page.press("#name", "Enter")

    def create(self, room):
        self.page.click("#new-room")
        self.page.fill("#room", room)
        self.page.press("#room", "Enter")
        return self.in_room(room)

    def go(self, room):
        self.room(room).click()
        return self.in_room(room)

    def in_room(self, room):
        """Waits until the room is here, with its end or its beginning."""
        expect(self.page.locator("#room-name")).to_have_text(room)
        expect(self.page.locator("#beginning")).not_to_have_attribute("data-kind", "loading")
        return self

    # what a person sees

    def room(self, name):
        return self.page.locator(".room").filter(has=self.page.get_by_text(name, exact=True))

    def item(self, text):
        return self.page.locator("#messages > li").filter(has=self.page.get_by_text(text, exact=True))

    def ids(self):
        items = self.page.eval_on_selector_all("#messages > li", "all => all.map(item => item.dataset.id ?? null)")
        return [None if id is None else int(id) for id in items]

    def texts(self):
        return self.page.eval_on_selector_all("#messages .text", "all => all.map(text => text.textContent)")

    def shows(self, texts, what):
        """The list shows these texts, each once, in this order, and all of the list is in the order of the ids."""

        def all_there():
            expect(self.page.locator("#messages .text").filter(has_text=texts[-1])).not_to_have_count(0)
            expect(self.page.locator("#messages > .pending")).to_have_count(0)

        try:
            all_there()
        except AssertionError as error:
            return self.tally(False, what, " ".join(str(error).split())[:300])
        shown = [text for text in self.texts() if text in texts]
        ids = self.ids()
        ordered = None not in ids and all(a < b for a, b in zip(ids, ids[1:]))
        return self.tally(shown == texts and ordered, what, f"shown {shown[:4]}… of {len(texts)}, ordered: {ordered}")


class Server:
    """The server's process, if it is ours to start and kill."""

    def __init__(self, command, url):
        self.command, self.url, self.process = shlex.split(command), url, None

    def start(self, patience=30):
        self.process = subprocess.Popen(self.command, stdout=sys.stderr, start_new_session=True)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}")
            try:
                with urllib.request.urlopen(self.url, timeout=1):
                    return self
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise SystemExit(f"the server does not answer at {self.url}")

    def kill(self):
        """As `kill -9` does: nothing is finished, nothing is said."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
