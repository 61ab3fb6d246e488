#!/usr/bin/env python3
"""Prints what burst.py has measured as one line.

  line.py NAME POLICY LIMIT COMMAND JSON
"""

import json
import sys


def main(name, policy, limit, command, text):
    result = json.loads(text)
    print(f"{name:<10}{policy:<8}limit {int(limit) >> 10:>4} KiB, {command:<18} "
          f"{result['published']} published in {result['seconds']:.2f} s ({result['delayed']} waits), "
          f"{result['arrived']} of {result['due']} arrived by {result['until']:.2f} s, "
          f"{result['closed']} closed, {result['dropped']} dropped, "
          f"longest turn {result['longestTurn'] * 1000:.1f} ms "
          f"({result['busiestTurn'] * 1000:.1f} ms of processor time), "
          f"resident {result['before']} KiB before, {result['peak']} KiB at most")


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
