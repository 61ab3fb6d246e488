#!/usr/bin/env python3
"""Turns what the micro benchmarks found (JMH's JSON) into a table: a row for each operation, a column for each size.

  micro.py RESULTS.json COMMAND
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


def main():
    about = machine.describe(sys.argv[2])
    print(f"# Micro benchmarks\n\n- **Machine**: {about['processor']}, {about['system']}\n- **Commit**: "
          f"{about['commit']}\n- **Command**: `{about['command']}` on {about['date']}\n\n"
          "The median of one operation; GB/s of the quickest measurement, in brackets as share of memcpy's. "
          "`echo` is there and back between two ends in memory, `topic` until all 20 clients have it.\n")
    print(table(read(sys.argv[1])), end="")


if __name__ == "__main__":
    main()
