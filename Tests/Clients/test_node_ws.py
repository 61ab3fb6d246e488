"""Node.js with ws; the scenarios stand in node_ws.cjs."""

import os
import pathlib
import subprocess

import pytest

from servers import PATIENCE, ROOT

SCRIPT = pathlib.Path(__file__).with_name("node_ws.cjs")
MODULES = [ROOT / ".build-node/usr/share/nodejs", "/usr/share/nodejs", os.environ.get("NODE_PATH", "")]


def check(scenario, url):
    environment = {**os.environ, "NODE_PATH": os.pathsep.join(map(str, filter(None, MODULES)))}
    result = subprocess.run(["node", SCRIPT, scenario, url], env=environment, capture_output=True, text=True,
                            timeout=2 * PATIENCE)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("scenario", [
    "text", "binary", "large", "fragments", "ping", "order", "compression", "close", "close-1002", "origin",
    "subprotocol",
])
def test_scenario(server, scenario):
    check(scenario, server.url)


def test_a_broadcast_reaches_everyone_in_one_order(broadcaster):
    check("broadcast", broadcaster.url)
