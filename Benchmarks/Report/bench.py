#!/usr/bin/env python3
"""Runs the measurements, round by round, and writes the report. Scripts/bench calls this; it sets everything up."""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import time

import machine
import report
from cell import CellError, Rig, measure
from results import Results
from works import TITLES, WORKS

QUICK_WORKS = ("echo-20-d1", "echo-20-d16", "text-1k-mixed", "handshake", "idle-1000", "half-load")
QUICK_PEERS = ("apus", "apus-borrowed", "apus-core", "uwebsockets", "raw", "nio-handler", "nio-async")


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--load-program", required=True)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--log")
    parser.add_argument("--setup", help="JSON: {versions, skipped}")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--readme", type=pathlib.Path)
    parser.add_argument("--command", default="make bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--works", default="")
    parser.add_argument("--peers", default="")
    return parser.parse_args()


def choose(known, wanted, quick, is_quick):
    """Returns the names asked for, or all; an unknown one ends the program."""
    names = [name for name in wanted.split(",") if name]
    for name in names:
        if name not in known:
            sys.exit(f"bench: there is no {name}; those there are: {', '.join(known)}")
    return names or (quick if is_quick else known)


def rotated(items, by):
    """A B C, B C A, C A B: nobody always comes first."""
    by %= len(items) or 1
    return items[by:] + items[:by]


def plan(options, setup):
    """Returns [(work, servers)] of one round."""
    works = choose([work.name for work in WORKS], options.works, QUICK_WORKS, options.quick)
    peers = choose(list(TITLES), options.peers, QUICK_PEERS, options.quick)
    chosen = [(work, [peer for peer in work.peers if peer in peers and peer not in setup["skipped"]])
              for work in WORKS if work.name in works]
    return [(work, servers) for work, servers in chosen if servers]


class Progress:
    """One line a measurement, with how long the rest will take."""

    def __init__(self, total):
        self.total, self.done, self.start = total, 0, time.monotonic()

    def say(self, number, work, peer, words):
        self.done += 1
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        print(f"{self.done:4}/{self.total}  {left / 60:4.1f} min left  round {number + 1}  {work.name:16}"
              f" {peer:14} {words}", flush=True)


class Bench:
    """The run of all rounds; `raw` is what the report is made of, and is whole after each measurement."""

    def __init__(self, options, setup):
        self.options = options
        self.rig = Rig(options)
        self.plan = plan(options, setup)
        self.raw = {"machine": machine.describe(options.command), "is_real_time": self.rig.is_real_time,
                    "rounds": options.rounds, "seconds": options.seconds, "cells": [], **setup}
        self.progress = Progress(options.rounds * sum(1 for _ in self.round(0)))

    def round(self, number):
        """Yields (work, turn, server) of a round."""
        for work, peers in self.plan:
            for turn in range(work.turns):
                here = [peer for peer in work.peers_of(turn) if peer in peers]
                for peer in rotated(here, number + turn):
                    yield work, turn, peer

    def half_load(self):
        """Half of what uWebSockets took in with one message in flight, or our C core where that is not there."""
        results = Results(self.raw)
        work = next(work for work in WORKS if work.name == "echo-20-d1")
        for peer in ("uwebsockets", "apus-core", "apus"):
            rate = results.other(work, peer, lambda result: result["per_second"])
            if rate is not None:
                return int(rate.median / 2)
        raise CellError("there is no rate to halve: echo-20-d1 has not been measured")

    def measure_one(self, number, work, turn, peer):
        cell = {"work": work.name, "peer": peer, "round": number, "turn": turn}
        try:
            rate = self.half_load() if work.is_half_load else None
            cell["result"] = measure(self.rig, work, peer, rate)
            server = cell["result"]["server"]
            words = report.brief(work, cell["result"]) + (f", others {cell['result']['others']:.0%}" if server else "")
        except (CellError, OSError, subprocess.SubprocessError) as error:
            cell["error"] = str(error).splitlines()[0] if str(error) else repr(error)
            words = f"FAILED: {cell['error']}"
        self.raw["cells"].append(cell)
        self.progress.say(number, work, peer, words)

    def run(self):
        for number in range(self.options.rounds):
            for work, turn, peer in self.round(number):
                self.measure_one(number, work, turn, peer)
            report.save(self.raw, self.options.out)  # whatever becomes of the next round


def main():
    options = parse_arguments()
    setup = json.loads(pathlib.Path(options.setup).read_text(encoding="utf-8"))
    bench = Bench(options, setup)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        bench.run()
    except KeyboardInterrupt:
        print("bench: stopped; the report is of what was measured so far", file=sys.stderr)
    if any("result" in cell for cell in bench.raw["cells"]):
        report.write(bench.raw, options.out, options.readme)
    failed = sum("error" in cell for cell in bench.raw["cells"])
    print(f"bench: {len(bench.raw['cells']) - failed} measurements, {failed} failed; see {options.out}/bench.md")


if __name__ == "__main__":
    main()
