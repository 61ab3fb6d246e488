"""Starts the servers under test, as they are shipped, on free ports."""

import os
import pathlib
import re
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARIES = ROOT / os.environ.get("APUS_BINARIES", ".build/release")
PATIENCE = 60  # seconds; only a server that hangs waits so long


class Server:
    """A running server: its port, and how it ended once it was stopped."""

    def __init__(self, name, *options, where=("--port", "0")):
        self.process = subprocess.Popen([BINARIES / name, *where, *options], stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.port = self.read_port()
        watchdog.cancel()
        self.url = f"ws://127.0.0.1:{self.port}/"

    def read_port(self):
        for line in self.process.stdout:
            if match := re.search(r"(?:listening on |http://\S*:)(\d+)", line):
                return int(match[1])
        self.process.kill()
        raise RuntimeError(f"{self.process.args} did not say where it listens (status {self.process.wait()})")

    def stop(self):
        """Ends the server as an operator would; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        status = self.stop()
        assert status == 0, f"{self.process.args} ended with status {status}"
