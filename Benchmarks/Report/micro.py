#!/usr/bin/env python3
"""Turns what the micro benchmarks found (JMH's JSON) into a table: a row for each operation, a column for each size.

  micro.py RESULTS.json COMMAND
  micro.py --check THRESHOLDS RESULTS.json    fails where an operation is slower, beside memcpy, than is kept
  micro.py --shares RESULTS.json              prints what would be kept

Whatever a machine is busy with slows memcpy in the same run down as well, so shares of its speed are what can be held.
"""

import json
import pathlib
import sys

import machine
from results import digits, show_time
from tables import row

UNITS = {"ns": 1.0, "μs": 1e3, "µs": 1e3, "us": 1e3, "ms": 1e6, "s": 1e9}
BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
BY_BYTE = ("memcpy", "unmask", "validate", "deflate", "inflate", "session receive")


def read(path):
    """Returns {operation: {bytes: (median, least) in nanoseconds}} in the order of the names."""
    found = {}
    for benchmark in json.loads(pathlib.Path(path).read_text(encoding="utf-8")):
        name = benchmark["benchmark"].split(".Micro.", 1)[1].replace("_", " ")
        *operation, size, times = name.split("/")
        number, unit = size.split(" ")
        wall = benchmark["secondaryMetrics"]["Time (wall clock)"]
        factor = UNITS[wall["scoreUnit"]] / int(times)
        percentiles = wall["scorePercentiles"]
        times_of = found.setdefault(": ".join(operation), {})
        times_of[int(number) * BYTES[unit]] = (percentiles["50.0"] * factor, percentiles["0.0"] * factor)
    return found


def order(operation):
    kinds = ("memcpy", "unmask", "validate", "unmask and validate", "frame", "session", "head", "deflate", "inflate",
             "echo", "topic")
    best = max((kind for kind in kinds if operation.startswith(kind)), key=len, default="")
    return (kinds.index(best) if best else len(kinds), operation)


def name_of(count):
    return f"{count} B" if count < 1 << 10 else f"{count >> 10} KiB" if count < 1 << 20 else f"{count >> 20} MiB"


def cell(operation, count, times, limit):
    """The median, and for what goes over every byte, how fast that is, and as share of memcpy."""
    if count not in times:
        return ""
    median, least = times[count]
    words = show_time(median) if median >= 100 else f"{median:.1f} ns"
    if operation.startswith(BY_BYTE) and count >= 1 << 10:
        words += f", {digits(count / least)} GB/s"
        if operation.startswith(("unmask", "validate")) and count in limit:
            words += f" ({limit[count][1] / least:.0%})"
    return words


def table(found):
    sizes = sorted({count for operation, times in found.items() if "head" not in operation for count in times})
    text = row(["", *map(name_of, sizes)]) + row(["---"] + ["---:"] * len(sizes))
    for operation in sorted(found, key=order):
        if operation.startswith("head"):
            continue
        text += row([operation, *(cell(operation, count, found[operation], found.get("memcpy", {}))
                                  for count in sizes)])
    for operation in sorted(found):
        if operation.startswith("head"):
            (count, (median, _)), = found[operation].items()
            text += f"\n{operation} handshake, {count} bytes: {show_time(median)}.\n"
    return text


# How much of what is kept an operation may fall short by; shares of two runs differ by a fifth on a busy machine.
TOLERANCE = 0.3


def shares(found):
    """Returns {(operation, bytes): share of memcpy's speed}, of the quickest measurements, from 1 KiB on."""
    limit = found["memcpy"]
    return {(operation, count): limit[count][1] / least for operation, times in found.items()
            if operation.startswith(("unmask", "validate")) for count, (_, least) in times.items() if count >= 1 << 10}


def read_thresholds(text):
    """Returns {(operation, bytes): share} of lines such as `16384 0.93 validate: ascii`."""
    rows = (line.split(maxsplit=2) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {(operation, int(count)): float(share) for count, share, operation in rows}


def failures(thresholds, found):
    """Returns a line for each threshold that is not held, or that nothing was measured for."""
    measured = shares(found)
    lines = []
    for (operation, count), kept in thresholds.items():
        share = measured.get((operation, count))
        if share is None:
            lines.append(f"{operation}, {count} bytes: not measured")
        elif share < kept * (1 - TOLERANCE):
            lines.append(f"{operation}, {count} bytes: {share:.2f} of memcpy's speed, {kept:.2f} is kept")
    return lines


def check(thresholds_path, results_path):
    thresholds = read_thresholds(pathlib.Path(thresholds_path).read_text(encoding="utf-8"))
    lines = failures(thresholds, read(results_path))
    print("\n".join(lines), end="\n" if lines else "")
    print(f"{len(thresholds) - len(lines)} of {len(thresholds)} micro benchmarks hold their thresholds")
    return 1 if lines or not thresholds else 0


def main():
    if sys.argv[1] == "--check":
        sys.exit(check(sys.argv[2], sys.argv[3]))
    if sys.argv[1] == "--shares":
        for (operation, count), share in sorted(shares(read(sys.argv[2])).items()):
            print(f"{count} {share:.2f} {operation}")
        return
    about = machine.describe(sys.argv[2])
    print(f"# Micro benchmarks\n\n- **Machine**: {about['processor']}, {about['system']}\n- **Commit**: "
          f"{about['commit']}\n- **Command**: `{about['command']}` on {about['date']}\n\n"
          "The median of one operation; GB/s of the quickest measurement, in brackets as share of memcpy's. "
          "`echo` is there and back between two ends in memory, `topic` until all 20 clients have it.\n")
    print(table(read(sys.argv[1])), end="")


if __name__ == "__main__":
    main()
