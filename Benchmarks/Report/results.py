"""What was measured, and what it says: medians, ranges, ratios."""

import dataclasses
import statistics

from works import WORKS

NOISY_SPREAD = 0.25  # a ratio that varies by more than this share of itself says little
NOISY_OTHERS = 0.05  # of all CPUs


@dataclasses.dataclass(frozen=True)
class Range:
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values):
        return cls(statistics.median(values), min(values), max(values)) if values else None

    @property
    def is_noisy(self):
        return self.most - self.least > NOISY_SPREAD * abs(self.median)


class Results:
    """The raw data of a run: `cells` is a list of {work, peer, round, turn, result or error}."""

    def __init__(self, raw):
        self.raw = raw
        self.machine, self.cells = raw["machine"], raw["cells"]
        self.versions, self.skipped = raw["versions"], raw["skipped"]

    def works(self):
        measured = {cell["work"] for cell in self.cells}
        return [work for work in WORKS if work.name in measured]

    def peers(self, work):
        """The servers of a work that have a result, the cheapest first."""
        peers = {cell["peer"] for cell in self.cells if cell["work"] == work.name and "result" in cell}
        return sorted(peers, key=lambda peer: self.value(work, peer).median)

    def failures(self, work):
        """{server: why} of those that were tried and have no result."""
        good = set(self.peers(work))
        return {cell["peer"]: cell["error"] for cell in self.cells
                if cell["work"] == work.name and "error" in cell and cell["peer"] not in good}

    def by_turn(self, work, peer, read):
        """{(round, turn): what `read` finds in that result}."""
        return {(cell["round"], cell.get("turn", 0)): read(cell["result"]) for cell in self.cells
                if cell["work"] == work.name and cell["peer"] == peer and "result" in cell}

    def by_round(self, work, peer, read):
        """{round: what `read` finds in its result, or the median where a round has several turns}."""
        return medians_by_round(self.by_turn(work, peer, read))

    def value(self, work, peer):
        return Range.of(list(self.by_round(work, peer, lambda result: value_of(work, result)).values()))

    def other(self, work, peer, read):
        """The range of something else that a result has."""
        return Range.of(list(self.by_round(work, peer, read).values()))

    def ratio(self, work, peer, base):
        """A server's value as multiple of another's in the same turn, by round."""
        ours = self.by_turn(work, peer, lambda result: value_of(work, result))
        theirs = self.by_turn(work, base, lambda result: value_of(work, result))
        ratios = {when: ours[when] / theirs[when] for when in ours if theirs.get(when, 0) > 0}
        return Range.of(list(medians_by_round(ratios).values()))

    def noise(self):
        """Returns the share of measurements that others disturbed, and the median share of CPU they took."""
        others = [cell["result"]["others"] for cell in self.cells if "result" in cell]
        if not others:
            return 0, 0
        return sum(share > NOISY_OTHERS for share in others) / len(others), statistics.median(others)


def medians_by_round(by_turn):
    rounds = {}
    for (number, _), value in by_turn.items():
        rounds.setdefault(number, []).append(value)
    return {number: statistics.median(values) for number, values in rounds.items()}


def value_of(work, result):
    """Returns the one number that a work is about."""
    if work.value == "memory":
        return result["server"]["bytes_per_connection"]
    if work.value == "latency":
        return result["latency_ns"]["p99.9"]
    return result["server"]["cpu_ns_each"]


def digits(value):
    """Three significant digits, and never an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show_time(nanoseconds):
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(nanoseconds) >= factor:
            return f"{digits(nanoseconds / factor)} {unit}"
    return f"{nanoseconds:.0f} ns"


def show_bytes(count):
    for factor, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(count) >= factor:
            return f"{digits(count / factor)} {unit}"
    return f"{count:.0f} B"


def show(work, value):
    return show_bytes(value) if work.value == "memory" else show_time(value)
