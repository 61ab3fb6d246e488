"""TLS: Python's websockets over wss, and openssl s_client for what is offered and how it ends."""

import re
import socket as sockets
import ssl
import subprocess

import pytest
from websockets.sync.client import connect

from certificates import Certificates
from servers import ROOT, BINARIES, Server

LARGE = 4 << 20

# What OpenSSL offers by default must hold nothing of this.
WEAK = re.compile(r"RC4|3DES|DES-CBC|NULL|EXPORT|ADH|AECDH|MD5|IDEA|SEED", re.ASCII)


@pytest.fixture(scope="module")
def certificates():
    with Certificates() as made:
        yield made


@pytest.fixture(scope="module")
def secure(echo_command, certificates):
    """An echo server with a good certificate."""
    with Server(*echo_command, *certificates.options("localhost")) as running:
        yield running


def trusting(certificates, name="authority"):
    return ssl.create_default_context(cafile=certificates.chain(name))


def url(server):
    return f"wss://localhost:{server.port}/"


def dial(server, context, **options):
    raw = sockets.create_connection(("127.0.0.1", server.port), 20)
    return connect(url(server), sock=raw, ssl=context, max_size=None, **options)


def s_client(server, *options, text=""):
    """Runs openssl s_client up to its end; returns what it printed."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options],
                          input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_come_back(secure, certificates, version):
    context = trusting(certificates)
    context.minimum_version = context.maximum_version = version
    with dial(secure, context) as socket:
        for message in ("hello", "naïve — 😀", b"", bytes(70000), bytes(range(256)) * (LARGE // 256)):
            socket.send(message)
            assert socket.recv(timeout=60) == message
        socket.close(4001, "that was all")
    assert socket.protocol.close_rcvd.code == 4001


@pytest.mark.parametrize("name, words", [
    ("elsewhere", "Hostname mismatch"), ("expired", "certificate has expired"), ("selfsigned", "self-signed"),
])
def test_a_client_refuses_a_bad_certificate_and_the_server_goes_on(echo_command, certificates, name, words):
    with Server(*echo_command, *certificates.options(name)) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            dial(server, trusting(certificates))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with dial(server, context) as socket:
            socket.send("still here")
            assert socket.recv(timeout=60) == "still here"


def test_s_client_verifies_the_chain_and_the_host(secure, certificates):
    shown = s_client(secure, "-CAfile", certificates.chain("authority"), "-verify_hostname", "localhost",
                     "-verify_return_error", "-servername", "localhost", "-alpn", "http/1.1")
    assert "Verify return code: 0 (ok)" in shown
    assert "ALPN protocol: http/1.1" in shown
    assert "TLSv1.3" in shown


@pytest.mark.parametrize("version, works", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions_from_1_2_on_are_offered(secure, version, works):
    shown = s_client(secure, version, "-cipher", "ALL:@SECLEVEL=0")
    assert ("Cipher is (NONE)" not in shown and "New, TLSv1" in shown) == works, shown


def test_no_weak_cipher_is_offered(secure):
    names = subprocess.run(["openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True,
                           text=True, check=True).stdout.strip().split(":")
    offered = [name for name in names
               if f"Cipher is {name}" in s_client(secure, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0")]
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in offered
    assert not [name for name in offered if WEAK.search(name)]
    assert all(name.startswith("ECDHE-") for name in offered), offered


def test_a_client_may_not_renegotiate(secure):
    assert "wrong state" in (shown := s_client(secure, "-tls1_2", text="R\n")) or "no renegotiation" in shown, shown


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_taken_up_again(secure, certificates, version):
    kept = certificates.folder / "session"
    request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    s_client(secure, version, "-sess_out", kept, "-ign_eof", text=request)
    assert "Reused, TLSv1" in s_client(secure, version, "-sess_in", kept, "-ign_eof", text=request)


def test_http_in_plain_text_is_told(secure):
    with sockets.create_connection(("127.0.0.1", secure.port), 20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in answer


@pytest.mark.parametrize("options, words", [
    (["--tls-certificate", "localhost.pem"], "go together"),
    (["--tls-certificate", "localhost.pem", "--tls-key", "gone.pem"], "cannot read"),
    (["--tls-certificate", "localhost.pem", "--tls-key", "elsewhere-key.pem"], "not that of the certificate"),
    (["--tls-certificate", "localhost-key.pem", "--tls-key", "localhost-key.pem"], "no usable certificate"),
])
def test_a_bad_certificate_or_key_ends_the_start_with_words(echo_command, certificates, options, words):
    command = [ROOT / BINARIES / echo_command[0], *echo_command[1:], "--port", "0", *options]
    done = subprocess.run(command, cwd=certificates.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert words in done.stderr
