"""Tests of the report: statistics, tables and plots, of made-up measurements.

  python3 Benchmarks/Report/test_report.py
"""

import pathlib
import tempfile
import unittest
import xml.etree.ElementTree

import micro
import plots
import report
import tables
from bench import rotated
from cell import thin_out
from results import Range, Results, show_bytes, show_time
from svg import LogAxis, spread_labels
from works import TITLES, WORKS, frame_sizes, server_options

MACHINE = {"date": "2026-01-02 03:04 UTC", "commit": "abc", "command": "make bench", "processor": "P", "cpus": 2,
           "memory_gib": 8, "system": "Linux", "distribution": "D", "congestion_control": "reno",
           "is_private_network": True}


def result(cpu, others=0.01):
    """What apus-load finds, where a message costs the server so many nanoseconds."""
    curve = [[0.5, 1e5], [0.1, 2e5], [0.01, 3e5], [0.001, 4e5], [0.0001, 5e5]]
    return {"rate": 1000, "per_second": 1e9 / cpu, "bytes_each": 366.0, "others": others,
            "latency_ns": {"p50": 100, "p99": 200, "p99.9": cpu * 10, "curve": curve},
            "server": {"cpu_ns_each": cpu, "bytes_per_connection": cpu / 2},
            "generator": {"cpu_ns_each": cpu / 3}}


def made_up(rounds=3, works=WORKS, spread=0.01, others=0.01):
    """Every work with each of its servers, the n-th of which costs n times as much."""
    cells = [{"work": work.name, "peer": peer, "round": number, "turn": 0,
              "result": result(1000 * (n + 1) * (1 + spread * number), others)}
             for number in range(rounds) for work in works for n, peer in enumerate(work.peers)
             if peer != "hummingbird"]
    return {"machine": MACHINE, "is_real_time": True, "rounds": rounds, "seconds": 1.0, "cells": cells,
            "versions": {peer: "1.0" for peer in TITLES if peer != "hummingbird"},
            "skipped": {"hummingbird": "does not resolve"}}


class Statistics(unittest.TestCase):
    def test_range(self):
        self.assertEqual(Range.of([3, 1, 2]), Range(2, 1, 3))
        self.assertIsNone(Range.of([]))
        self.assertTrue(Range(10, 9, 12).is_noisy)
        self.assertFalse(Range(10, 9, 11).is_noisy)

    def test_ratio_is_that_of_a_round(self):
        raw = made_up(rounds=0)
        for number, (ours, theirs) in enumerate([(10, 20), (40, 80), (9, 12)]):
            for peer, cpu in (("apus", ours), ("uwebsockets", theirs)):
                raw["cells"].append({"work": "echo-20-d1", "peer": peer, "round": number, "result": result(cpu)})
        work = WORKS[0]
        self.assertEqual(Results(raw).ratio(work, "apus", "uwebsockets"), Range(0.5, 0.5, 0.75))
        self.assertIsNone(Results(raw).ratio(work, "apus", "beast"))

    def test_turns_of_a_round_are_one_figure(self):
        raw = made_up(rounds=0)
        for number, turn, ours, theirs in [(0, 0, 10, 20), (0, 1, 90, 90), (0, 2, 30, 20), (1, 0, 40, 20)]:
            for peer, cpu in (("apus", ours), ("uwebsockets", theirs)):
                raw["cells"].append({"work": "half-load", "peer": peer, "round": number, "turn": turn,
                                     "result": result(cpu)})
        work, results = next(work for work in WORKS if work.is_half_load), Results(raw)
        self.assertEqual(results.value(work, "apus"), Range(350, 300, 400))
        self.assertEqual(results.ratio(work, "apus", "uwebsockets"), Range(1.5, 1, 2))

    def test_the_cheapest_comes_first(self):
        work = WORKS[0]
        self.assertEqual(Results(made_up()).peers(work), [peer for peer in work.peers if peer != "hummingbird"])

    def test_servers_take_turns(self):
        self.assertEqual([rotated(["a", "b", "c"], n) for n in range(4)],
                         [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]])

    def test_some_have_more_turns_than_others(self):
        work = next(work for work in WORKS if work.turns > 1)
        self.assertEqual(work.peers_of(0), list(work.peers))
        self.assertEqual(work.peers_of(1), [peer for peer in work.peers if peer in work.often])
        self.assertTrue(set(work.often) < set(work.peers))

    def test_words(self):
        self.assertEqual([show_time(value) for value in (999, 1000, 12345, 1.5e6)],
                         ["999 ns", "1.00 µs", "12.3 µs", "1.50 ms"])
        self.assertEqual([show_bytes(value) for value in (-5, 573, 2048, 3 << 20)],
                         ["-5 B", "573 B", "2.00 KiB", "3.00 MiB"])

    def test_frames(self):
        self.assertEqual([frame_sizes(size) for size in (20, 125, 126, 65535, 65536)],
                         [(26, 22), (131, 127), (134, 130), (65543, 65539), (65550, 65546)])

    def test_a_server_is_told_what_it_knows(self):
        work = next(work for work in WORKS if work.name == "deflate-alone")
        self.assertEqual(server_options(work, "apus"), ["--compression", "shared", "--compression-level", "6"])
        self.assertEqual(server_options(work, "gorilla"), ["--compression", "shared"])
        self.assertEqual(server_options(work, "flyingfox"), [])

    def test_a_curve_keeps_its_ends(self):
        curve = thin_out([[n, 1] for n in range(1, 10001)])
        self.assertLess(len(curve), 400)
        self.assertEqual(curve[-1], [0, 10000])
        self.assertEqual(curve, sorted(curve, key=lambda point: -point[0]))


class Reports(unittest.TestCase):
    def write(self, raw):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            readme = folder / "README.md"
            readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
            report.write(raw, folder, readme)
            return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    def test_everything_is_written(self):
        files = self.write(made_up())
        self.assertEqual(set(files), {"README.md", "bench.json", "bench.md", "bars.svg", "headline.svg", "latency.svg",
                                      "size.svg", "memory.svg"})
        readme = files["README.md"]
        self.assertIn("](headline.svg)", readme)
        self.assertTrue(readme.startswith("before\n") and readme.endswith("\nafter\n") and "old" not in readme)
        for work in WORKS:
            self.assertIn(f"{work.title[0].upper()}{work.title[1:]}", files["bench.md"])
            self.assertEqual(work.is_headline, f"| {work.title} |" in readme)
        self.assertIn("skipped: does not resolve", files["bench.md"])
        self.assertNotIn("Too noisy", files["bench.md"])

    def test_rows_have_the_columns_of_their_head(self):
        for line in self.write(made_up())["bench.md"].split("\n\n"):
            counts = {row.count(" | ") for row in line.splitlines() if row.startswith("|")}
            self.assertLessEqual(len(counts), 1, line)

    def test_a_server_that_fails_has_its_line(self):
        raw = made_up(works=WORKS[:1])
        raw["cells"] = [cell for cell in raw["cells"] if cell["peer"] != "beast"]
        raw["cells"].append({"work": WORKS[0].name, "peer": "beast", "round": 0, "turn": 0,
                             "error": "message 3: it lied"})
        self.assertIn("| Boost.Beast | failed: message 3: it lied |", self.write(raw)["bench.md"])

    def test_noise_is_told(self):
        self.assertIn("Too noisy", self.write(made_up(others=0.4))["bench.md"])
        self.assertIn("≈ ", tables.ratio_words(Range(1, 0.5, 2), False))
        self.assertEqual("1.00 × (0.95–1.05)", tables.ratio_words(Range(1, 0.95, 1.05), False))

    def test_one_round_or_few_works_will_do(self):
        files = self.write(made_up(rounds=1, works=WORKS[:2]))
        self.assertEqual(set(files), {"README.md", "bench.json", "bench.md", "bars.svg", "headline.svg"})

    def test_plots_are_well_formed_and_within_their_page(self):
        results = Results(made_up())
        for draw in (plots.bars, plots.latency, plots.cost_by_size, plots.memory):
            page = draw(results)
            root = xml.etree.ElementTree.fromstring(page.render())
            for text in root.iter("{http://www.w3.org/2000/svg}text"):
                self.assertTrue(0 <= float(text.get("x")) <= page.width and 0 <= float(text.get("y")) <= page.height)

    def test_labels_move_apart(self):
        placed = spread_labels([(10, "a"), (11, "b"), (12, "c"), (90, "d")], 0, 100)
        ys = [label[0] for label in placed]
        self.assertTrue(all(below - above > 14.9 for above, below in zip(ys, ys[1:])))
        self.assertEqual(ys[3], 90)

    def test_axis(self):
        axis = LogAxis([1, 1000], 0, 300, margin=1)
        self.assertAlmostEqual(axis.at(10), 100)
        self.assertEqual(axis.ticks()[:4], [1, 2, 5, 10])
        self.assertEqual(LogAxis([500, 4000], 0, 1, margin=1).ticks(2), [512, 1024, 2048])


class MicroTable(unittest.TestCase):
    def test_order_and_units(self):
        self.assertEqual(sorted(["topic to 20", "unmask and validate: ascii", "memcpy", "unmask"], key=micro.order),
                         ["memcpy", "unmask", "unmask and validate: ascii", "topic to 20"])
        self.assertEqual(micro.cell("unmask", 1024, {1024: (20.0, 16.0)}, {1024: (10.0, 8.0)}),
                         "20.0 ns, 64.0 GB/s (50%)")

    def test_a_micro_benchmark_is_held_to_its_share_of_memcpy(self):
        found = {"memcpy": {1024: (9.0, 8.0), 20: (1.0, 1.0)}, "unmask": {1024: (11.0, 10.0), 20: (2.0, 2.0)}}
        self.assertEqual(micro.shares(found), {("unmask", 1024): 0.8})
        kept = micro.read_thresholds("# comment\n1024 1.10 unmask\n2048 0.5 validate: ascii\n")
        self.assertEqual(micro.failures(kept, found), ["validate: ascii, 2048 bytes: not measured"])
        found["unmask"][1024] = (20.0, 16.0)
        self.assertEqual(micro.failures({("unmask", 1024): 1.1}, found),
                         ["unmask, 1024 bytes: 0.50 of memcpy's speed, 1.10 is kept"])



if __name__ == "__main__":
    unittest.main()
