#!/usr/bin/env python3
"""Writes the report: the raw data, a table in Markdown, the plots, and the README's table.

  report.py RESULTS.json [README.md]      writes it anew from raw data
"""

import json
import os
import pathlib
import sys

import plots
import tables
from results import Results, show, show_time, value_of

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def brief(work, result):
    """One measurement in a few words."""
    words = show(work, value_of(work, result))
    if work.value == "cpu":
        words += f" each, {result['per_second']:,.0f}/s, generator {show_time(result['generator']['cpu_ns_each'])}"
    return words


def compact(raw):
    """JSON with a line for each measurement, so that a diff of two runs can be read."""
    head = {name: value for name, value in raw.items() if name != "cells"}
    cells = ",\n".join("    " + json.dumps(cell, ensure_ascii=False) for cell in raw["cells"])
    return json.dumps(head, ensure_ascii=False, indent=2)[:-2] + ',\n  "cells": [\n' + cells + "\n  ]\n}\n"


def write_readme(path, table):
    """Puts the table between the markers."""
    text = path.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(f"{path} has no markers {BEGIN} and {END}")
    before, after = text.split(BEGIN)[0], text.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n{table}{END}{after}", encoding="utf-8")


def save(raw, folder):
    """Writes the raw data alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(compact(raw), encoding="utf-8")


def write(raw, folder, readme=None):
    """Writes everything; the README's part where there is a README."""
    save(raw, folder)
    results = Results(raw)
    names = plots.write(results, folder)
    names = [(name, words) for name, words in names if name != "headline.svg"]  # that is the README's
    (folder / "bench.md").write_text(tables.full(results, names), encoding="utf-8")
    if readme is not None:
        shown = os.path.relpath(folder / "headline.svg", readme.parent)
        write_readme(readme, f"\n![{plots.HEADLINE_WORDS}]({shown})\n" + tables.summary(results))


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    write(json.loads(source.read_text(encoding="utf-8")), source.parent,
          pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
