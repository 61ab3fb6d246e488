"""One measurement: a server is started, loaded, and stopped."""

import contextlib
import json
import math
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import threading
import time

from machine import busy_seconds
from works import REAL_TIME_SECONDS, REAL_TIME_WARMUP, frame_sizes, server_options

READY = re.compile(r"listening on (\d+)")
START_SECONDS = 20
KEPT_POINTS = 120


class CellError(Exception):
    """Why a measurement did not come about, in one line."""


class Rig:
    """What all measurements share: the programs, the CPUs, a certificate."""

    def __init__(self, options):
        self.load = options.load_program
        self.certificate, self.key = options.certificate, options.key
        self.seconds = options.seconds
        self.log = options.log
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.load_cpu = (cpus[0], cpus[-1])
        self.all_cpus = set(cpus)
        self.is_real_time = may_be_real_time()


def may_be_real_time():
    """Whether this process may run others before all that is not real-time."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, policy, parameters)
    return True


def place(rig, work, cpus):
    """Returns what a child process does first: go to its CPUs, and before others where the work is about latency."""
    def run():
        os.sched_setaffinity(0, cpus)
        if work.is_real_time and rig.is_real_time:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return run


@contextlib.contextmanager
def server(rig, work, peer):
    """Starts a server; yields its process and port."""
    command = ["Scripts/bench-peer", "run", peer, "--port", "0"]
    if peer == "raw":
        request, reply = frame_sizes(work.size)
        command += ["--request", str(request), "--reply", str(reply)]
    else:
        command += server_options(work, peer)
        if work.is_tls:
            command += ["--tls-certificate", rig.certificate, "--tls-key", rig.key]
    cpus = {rig.server_cpu} if work.is_pinned else rig.all_cpus
    with open(rig.log, "a", encoding="utf-8") as log:
        print(f"== {work.name}: {' '.join(command)}", file=log, flush=True)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True,
                                   preexec_fn=place(rig, work, cpus))
    try:
        yield process, wait_until_ready(process)
    finally:
        stop(process)


def wait_until_ready(process):
    """Returns the port that a server says it listens on."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], deadline - time.monotonic())[0]:
            break
        line = process.stdout.readline()
        if not line:
            raise CellError(f"the server ended with {process.wait()} before it listened")
        if match := READY.search(line):
            return int(match[1])
    raise CellError("the server did not say where it listens")


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def load_command(rig, work, peer, port, pid, rate, out):
    scheme = "wss" if work.is_tls else "ws"
    seconds, warmup = rig.seconds, rig.seconds * 0.3
    if work.is_real_time and rig.is_real_time:
        seconds, warmup = min(seconds, REAL_TIME_SECONDS), min(warmup, REAL_TIME_WARMUP)
    command = [rig.load, work.mode, f"{scheme}://127.0.0.1:{port}/", "--connections", str(work.connections),
               "--pid", str(pid), "--json", out, "--quiet", "--duration", str(seconds),
               "--warmup", str(warmup), "--timeout", str(rig.seconds + 20)]
    if work.mode in ("echo", "fanout"):
        command += ["--size", str(work.size), *work.load]
        if "--socketio" not in work.load:
            command += ["--content", work.content]
        command += ["--rate", str(rate)] if rate else ["--depth", str(work.depth)]
    if work.is_tls:
        command += ["--ca", rig.certificate]
    if peer == "raw":
        command.append("--raw")
    return command


def thin_out(histogram):
    """Returns some points [share of the values above, value] of a histogram: enough to draw it."""
    total = sum(count for _, count in histogram)
    points, seen, last = [], 0, None
    for value, count in histogram:
        seen += count
        above = (total - seen) / total
        step = KEPT_POINTS if above == 0 else int(-math.log10(above) * KEPT_POINTS / 6)
        if step != last:
            points.append([above, value])
            last = step
    return points


def cpu_of(pid):
    """Returns the CPU time of a process's threads, in seconds."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def run_load(command, limit, prepare):
    """Runs apus-load, which `prepare` places; returns the CPU time it took in seconds, or raises CellError."""
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=words, preexec_fn=prepare)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        words.seek(0)
        if process.returncode != 0:
            raise CellError(words.read().strip().removeprefix("apus-load: ") or f"apus-load: {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(rig, work, peer, rate=None):
    """Returns what apus-load found, with the share of all CPUs that others took meanwhile; or raises CellError."""
    with server(rig, work, peer) as (process, port), tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = load_command(rig, work, peer, port, process.pid, rate, out.name)
        cpus = {rig.load_cpu} if work.is_pinned else rig.all_cpus
        busy, start, served = busy_seconds(), time.monotonic(), cpu_of(process.pid)
        load_seconds = run_load(command, rig.seconds + 60, place(rig, work, cpus))
        others = busy_seconds() - busy - load_seconds - (cpu_of(process.pid) - served)
        elapsed = time.monotonic() - start
        result = json.load(out)
    histogram = result["latency_ns"].pop("histogram")
    if work.value == "latency" and histogram:
        result["latency_ns"]["curve"] = thin_out(histogram)
    result["others"] = round(max(0, others) / elapsed / len(rig.all_cpus), 4)
    return result
