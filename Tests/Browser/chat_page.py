#!/usr/bin/env python3
"""Uses the chat's page in a real browser, as people do, and checks what they see.

Opens several windows on a running chat server: a newcomer, renaming, rooms, unread counts, presence, typing,
history, search, text that looks like HTML, lost connections, the keyboard, phones, dark and light, two languages.
With --server it starts the server by itself and kills it (SIGKILL) in mid-conversation.

Needs Playwright for Python and a chromium. Prints a line for each check and, last, "N passed, N failed".
"""

import argparse
import pathlib
import secrets
import shutil
import sys

from playwright.sync_api import expect, sync_playwright

import chat_looks
import chat_talk
from chat_rig import Server, Tally, Window


class Run:
    """One run: the browser, where the page is, and names that no earlier run has used."""

    def __init__(self, browser, options, tally, server):
        self.browser, self.url, self.tally, self.server = browser, options.url, tally, server
        self.out = options.out
        self.mark = secrets.token_hex(3)
        self.room = f"Nest {self.mark}"
        self.windows = []

    def window(self, **options):
        window = Window(self.browser, self.url, self.tally, **options)
        self.windows.append(window)
        return window

    def texts(self, count, what="line"):
        """Texts of which none is a part of another."""
        return [f"{what} {number:03d} {self.mark}" for number in range(1, count + 1)]

    def picture(self, window, name):
        if self.out:
            window.page.screenshot(path=pathlib.Path(self.out) / f"{name}.png")


CHECKS = [
    chat_talk.newcomer,
    chat_talk.rooms,
    chat_talk.renaming,
    chat_talk.presence_and_typing,
    chat_talk.plain_text,
    chat_talk.history,
    chat_talk.search,
    chat_talk.refused,
    chat_talk.lost_connection,
    chat_talk.lost_acknowledgement,
    chat_talk.killed_server,
    chat_looks.keyboard,
    chat_looks.dialogs,
    chat_looks.screen_reader,
    chat_looks.phone,
    chat_looks.appearance,
    chat_looks.contrast,
    chat_looks.languages,
]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the page, such as http://127.0.0.1:8080/")
    parser.add_argument(
        "--server", metavar="COMMAND", help="starts the server of that page; it is killed and restarted"
    )
    parser.add_argument("--only", metavar="WORD", help="only the checks whose name holds this")
    parser.add_argument("--out", metavar="DIR", help="where pictures go")
    parser.add_argument("--timeout", type=float, default=10, metavar="S", help="the longest wait for one thing")
    parser.add_argument("--chromium", metavar="FILE", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = parser.parse_args()
    if not chosen.url.endswith("/"):
        chosen.url += "/"
    if chosen.out:
        pathlib.Path(chosen.out).mkdir(parents=True, exist_ok=True)
    return chosen


def main():
    chosen = options()
    tally = Tally()
    expect.set_options(timeout=chosen.timeout * 1000)
    server = Server(chosen.server, chosen.url).start() if chosen.server else None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chosen.chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            for check in CHECKS:
                if not chosen.only or chosen.only in check.__name__:
                    perform(check, Run(browser, chosen, tally, server))
            browser.close()
    finally:
        if server:
            server.kill()
    return tally.finish()


def perform(check, run):
    """One check, with windows of its own. One that breaks off counts as failed, and the next one goes on."""
    print(f"# {check.__name__.replace('_', ' ')}", flush=True)
    try:
        check(run)
    except Exception as error:
        run.tally(
            False, f"{check.__name__} runs to its end", f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
        )
    for number, window in enumerate(run.windows, 1):
        run.tally(not window.errors, f"window {number} reports no error", "; ".join(window.errors[:3]))
        run.tally(
            not window.elsewhere, f"window {number} needs nothing from elsewhere", ", ".join(window.elsewhere[:3])
        )
        window.close()


if __name__ == "__main__":
    sys.exit(main())
