"""Starts reverse proxies before the servers under test: the distribution's, on free ports, in a temporary folder."""

import os
import pathlib
import shutil
import socket
import string
import subprocess
import tempfile
import time

from servers import PATIENCE, ROOT

TEMPLATES = pathlib.Path(__file__).parent / "proxies"
UNPACKED = ROOT / ".build-proxies"  # by Scripts/setup test, where the system has none


def find(name):
    """Returns the command of a proxy with its environment, or None where there is no such program."""
    library_paths = [str(path) for path in (UNPACKED / "usr" / "lib").glob("*-linux-*")]
    candidates = [(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin"), {}),
                  (UNPACKED / "usr" / "sbin" / name, {"LD_LIBRARY_PATH": ":".join(library_paths)})]
    for program, environment in candidates:
        if program and os.access(program, os.X_OK):
            environment = {**os.environ, **environment}
            if subprocess.run([program, "-v"], env=environment, capture_output=True).returncode == 0:
                return program, environment
    return None


def free_ports(count):
    """Ports that nobody listens on; all are held until the last is found, so they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Proxy:
    """A running proxy. `ports` has the names that its configuration gives them."""

    def __init__(self, program, arguments, template, **backends):
        program, environment = program
        self.folder = tempfile.TemporaryDirectory(prefix="apus-proxy-")
        names = ["PORT", "LINE", "BINARY"]
        self.ports = dict(zip(names, free_ports(len(names))))
        values = {"FOLDER": self.folder.name, **self.ports, **backends}
        configuration = pathlib.Path(self.folder.name) / template
        text = (TEMPLATES / template).read_text()
        configuration.write_text(string.Template(text).safe_substitute(values))
        self.log = open(pathlib.Path(self.folder.name) / "output", "w+")
        self.process = subprocess.Popen([program, *(a.format(configuration) for a in arguments)], env=environment,
                                        stdout=self.log, stderr=self.log)
        self.wait_until_listening()

    def wait_until_listening(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.ports["PORT"]), timeout=PATIENCE).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"{self.process.args} does not listen:\n{self.output}") from None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.seek(0)
        self.output = self.log.read()
        self.log.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()


PROXIES = {
    "nginx": (["-p", "/", "-c", "{}", "-e", "stderr"], "nginx.conf"),
    "haproxy": (["-f", "{}", "-db"], "haproxy.cfg"),
}
