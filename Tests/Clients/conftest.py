"""Which servers the tests meet: each test runs against every echo server there is."""

import pytest

from servers import Server

ECHO_SERVERS = {
    "core": ["core-echo"],
    "swift": ["echo-server"],
    "swift-borrowed": ["echo-server", "--borrowed"],
}


def pytest_generate_tests(metafunc):
    if "echo_command" in metafunc.fixturenames:
        metafunc.parametrize("echo_command", ECHO_SERVERS.values(), ids=ECHO_SERVERS.keys(), scope="module")


@pytest.fixture(scope="module")
def server(echo_command):
    """An echo server, shared by the tests of a file."""
    with Server(*echo_command) as running:
        yield running


@pytest.fixture
def broadcaster(echo_command):
    """A server that sends each message to all of its clients."""
    with Server(*echo_command, "--mode", "broadcast") as running:
        yield running


def pytest_terminal_summary(terminalreporter):
    counts = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    print(f"\nclients: {counts['passed']} passed, {counts['failed'] + counts['error']} failed, "
          f"{counts['skipped']} skipped")
