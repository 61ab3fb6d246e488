"""Our own client over wss, against Python's websockets as the server: conformance-client, for which it plays a suite of
one case. The client trusts the system's roots, and OpenSSL takes SSL_CERT_FILE for those."""

import os
import ssl
import subprocess
import threading

import pytest
from websockets.sync.server import serve

from certificates import Certificates
from servers import BINARIES

MESSAGES = ["", "hello", "naïve — 😀", bytes(70000), bytes(range(256)) * 4000, "compressed " * 10000]


@pytest.fixture(scope="module")
def certificates():
    with Certificates() as made:
        yield made


class Suite:
    """The part of the Autobahn|Testsuite that conformance-client needs, with what came back."""

    def __init__(self, tls):
        self.echoed, self.extensions = [], []
        self.server = serve(self.handle, "127.0.0.1", 0, ssl=tls, max_size=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)

    def handle(self, socket):
        path = socket.request.path
        if path == "/getCaseCount":
            socket.send("1")
        elif path.startswith("/runCase?"):
            self.extensions = socket.response.headers.get_all("Sec-WebSocket-Extensions")
            for message in MESSAGES:
                socket.send(message)
                self.echoed.append(socket.recv(timeout=60))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()


def run_client(url, roots):
    environment = {**os.environ, "AUTOBAHN_URL": url, "SSL_CERT_FILE": str(roots)}
    return subprocess.run([BINARIES / "conformance-client"], env=environment, capture_output=True, text=True,
                          timeout=120, check=False)


def context(certificates, name, version=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificates.chain(name), certificates.key(name))
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_messages_come_back_over_tls(certificates, host, version):
    with Suite(context(certificates, "localhost", version)) as suite:
        done = run_client(f"wss://{host}:{suite.port}", certificates.chain("authority"))
    assert (done.returncode, done.stdout) == (0, "1 cases\n"), done.stderr
    assert suite.echoed == MESSAGES
    assert "permessage-deflate" in suite.extensions[0]


@pytest.mark.parametrize("name, words", [
    ("elsewhere", "the server's certificate is for another host"),
    ("expired", "the peer's certificate is valid no more, or not yet"),
    ("selfsigned", "no trusted root has signed the peer's certificate"),
])
def test_a_bad_certificate_is_refused_in_words(certificates, name, words):
    with Suite(context(certificates, name)) as suite:
        done = run_client(f"wss://localhost:{suite.port}", certificates.chain("authority"))
    assert done.returncode == 1
    assert words in done.stdout


def test_a_server_without_tls_is_told(certificates):
    with Suite(None) as suite:
        done = run_client(f"wss://localhost:{suite.port}", certificates.chain("authority"))
    assert done.returncode == 1
    assert "the server does not speak TLS" in done.stdout or "in the middle of TLS" in done.stdout


def test_a_self_signed_certificate_may_be_its_own_root(certificates):
    with Suite(context(certificates, "selfsigned")) as suite:
        done = run_client(f"wss://localhost:{suite.port}", certificates.chain("selfsigned"))
    assert done.returncode == 0, done.stdout
    assert suite.echoed == MESSAGES
