#!/usr/bin/env python3
"""Uses the chat over https and wss in a real browser, which accepts the server's certificate by its key alone.

  chat_secure.py URL CERTIFICATE     the page, such as https://127.0.0.1:8443/, and its certificate (PEM)

Two windows: what one says the other shows, over TLS 1.3; and a browser that was told nothing refuses the certificate.
"""

import base64
import hashlib
import shutil
import subprocess
import sys

from playwright.sync_api import Error, expect, sync_playwright

from chat_rig import Tally, Window

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TEXTS = ["over TLS", "näive — 😀", "<b>bold</b>"]


def key_hash(certificate):
    """The SHA-256 of the certificate's public key, as the browser wants to be told it."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True, capture_output=True)
    spki = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key.stdout, check=True,
                          capture_output=True)
    return base64.b64encode(hashlib.sha256(spki.stdout).digest()).decode()


def launch(playwright, *options):
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage",
                                                                     *options])


def talk(browser, url, tally):
    ada, grace = Window(browser, url, tally), Window(browser, url, tally)
    response = ada.page.goto(url)
    security = response.security_details() or {}
    tally(security.get("protocol") == "TLS 1.3", "the page came over TLS 1.3", str(security))
    sockets = []
    grace.page.on("websocket", lambda socket: sockets.append(socket.url))
    ada.open()
    grace.open()
    ada.say(*TEXTS)
    grace.shows(TEXTS, "what one window says over wss the other shows")
    tally(not ada.errors + grace.errors, "neither window reports an error", "; ".join(ada.errors + grace.errors))
    context = browser.new_context()
    page = context.new_page()
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(url)
    page.locator("#my-state.online").wait_for(state="attached")
    tally(sockets and all(socket.startswith("wss://") for socket in sockets), "the WebSocket is wss", str(sockets))


def refuses(browser, url, tally):
    try:
        browser.new_page().goto(url)
        tally(False, "a browser that was told nothing refuses the certificate")
    except Error as error:
        tally("ERR_CERT_AUTHORITY_INVALID" in str(error), "a browser that was told nothing refuses the certificate",
              str(error).splitlines()[0])


def main(url, certificate):
    tally = Tally()
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        trusting = launch(playwright, f"--ignore-certificate-errors-spki-list={key_hash(certificate)}")
        talk(trusting, url, tally)
        trusting.close()
        strict = launch(playwright)
        refuses(strict, url, tally)
        strict.close()
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
