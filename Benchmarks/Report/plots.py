"""The report's plots, as SVG."""

import math

from results import show, show_bytes, show_time
from svg import GRID, INK, SOFT, LogAxis, Page, spread_labels, text_width
from works import SIZES, TITLES, WORKS

COLORS = {
    "apus-borrowed": "#d9480f", "apus": "#f08c00", "apus-core": "#862e0c", "raw": "#98a2b3", "uwebsockets": "#1c5fb8",
    "nio-handler": "#0b8577", "nio-async": "#3fb6a0", "flyingfox": "#8a6fd1", "hummingbird": "#a0408f",
    "libwebsockets": "#5b6b86", "beast": "#41597f", "gorilla": "#3b8fb0", "node-ws": "#5c940d", "picows": "#b5a014",
    "websockets": "#c9b458",
}
BAR_WORKS = ("echo-20-d1", "echo-20-d16", "text-1k-ascii", "text-1k-mixed", "echo-1m", "handshake", "fanout",
             "wss-1000-d1", "deflate-alone", "deflate-context", "idle-10000")
HEADLINE_WORKS = ("echo-20-d1", "echo-20-d16", "text-1k-mixed", "idle-10000")
CUT_AT = 5.0  # times the cheapest: longer bars are cut, and say so by their end
HEADLINE_WORDS = "what a message costs the server, and a connection"
BAR, GAP = 15, 7


def draw_bar(page, work, results, peer, x, y, width, most):
    value = results.value(work, peer)
    shown = show(work, value.median)
    room = width - text_width(shown, 12.5) - 14
    length = min(value.median / most, 1) * room
    is_cut = value.median > most
    page.rect(x, y, length, BAR, COLORS[peer])
    if is_cut:  # a slanted gap near the end
        page.polygon([(x + length - 16, y - 1), (x + length - 11, y - 1), (x + length - 15, y + BAR + 1),
                      (x + length - 20, y + BAR + 1)], "#ffffff")
    elif value.most > value.least and value.most <= most * 1.02:
        middle = y + BAR / 2
        page.line(x + value.least / most * room, middle, x + value.most / most * room, middle, INK, 1.1)
    end = x + (length if is_cut else max(length, min(value.most / most, 1) * room))
    page.text(end + 7, y + BAR - 3, shown, fill=INK if peer.startswith("apus") else SOFT,
              weight=650 if peer.startswith("apus") else 400)


def draw_panel(page, work, results, x, y, width):
    """Bars of one work, the cheapest first; returns how high it is."""
    peers = results.peers(work)
    page.text(x, y, work.title, size=14, weight=600)
    least = min(results.value(work, peer).median for peer in peers)
    longest = max(results.value(work, peer).median for peer in peers)
    most = min(longest, least * CUT_AT) if least > 0 else longest
    names = {peer: TITLES[peer].replace("`", "") for peer in peers}
    label = max(text_width(name, 13.5) for name in names.values()) + 16
    y += 16
    for peer in peers:
        page.text(x + label - 8, y + BAR - 3, names[peer], anchor="end",
                  weight=650 if peer.startswith("apus") else 400)
        draw_bar(page, work, results, peer, x + label, y, width - label, most)
        y += BAR + GAP


def headline(results):
    """The few panels that the README shows."""
    return bars(results, HEADLINE_WORKS)


def panel_height(results, work):
    return 16 + len(results.peers(work)) * (BAR + GAP) + 34


def bars(results, names=BAR_WORKS):
    """Panels in two columns, each filled from above."""
    works = [work for work in WORKS if work.name in names and results.peers(work)]
    if not works:
        return None
    heights, places, top, width = [0, 0], [], 104, 1040
    for work in works:
        column = 0 if heights[0] <= heights[1] else 1
        places.append((work, 28 + column * 512, top + heights[column]))
        heights[column] += panel_height(results, work)
    page = Page(width, top + max(heights) + 14, "What a message costs the server",
                "CPU time of the server for each message, delivery or handshake, and memory of a connection. Shorter "
                "is better; thin lines: all rounds.")
    for work, x, y in places:
        draw_panel(page, work, results, x, y, 476)
    page.text(28, page.height - 14, f"Bars with a gap are longer than {CUT_AT:g} times the shortest. "
              "¹ the library in PyPI's socketify", size=11.5, fill=SOFT)
    return page


class Chart:
    """Lines over two axes, each with its name at its end."""

    LEFT, TOP, BOTTOM, RIGHT = 84, 92, 66, 190

    def __init__(self, title, subtitle, series, width=900, height=520):
        self.page = Page(width, height, title, subtitle)
        self.series = series  # {server: [(x, y, least, most)]}
        points = [point for line in series.values() for point in line]
        self.x0, self.x1 = self.LEFT, width - self.RIGHT
        self.y0, self.y1 = height - self.BOTTOM, self.TOP
        self.y = LogAxis([v for _, *values in points for v in values if v > 0], self.y0, self.y1)

    def draw_axes(self, ticks, at, show_y, x_title):
        for value in self.y.ticks(2 if show_y is show_bytes else 10):
            y = self.y.at(value)
            self.page.line(self.x0, y, self.x1, y)
            words = show_y(value).replace(".00 ", " ").replace(".0 ", " ")
            self.page.text(self.x0 - 10, y + 4, words, anchor="end", fill=SOFT)
        for value, words in ticks:
            self.page.line(at(value), self.y0, at(value), self.y1, GRID, 1, "2 4")
            self.page.text(at(value), self.y0 + 22, words, anchor="middle", fill=SOFT)
        self.page.text((self.x0 + self.x1) / 2, self.y0 + 48, x_title, anchor="middle", fill=SOFT)

    def draw_lines(self, at, has_dots=True):
        labels = []
        for peer, line in self.series.items():
            points = [(at(x), self.y.at(y)) for x, y, *_ in line]
            is_ours = peer.startswith("apus")
            dash = "5 4" if peer == "raw" else ""
            if has_dots:
                for x, _, least, most in line:
                    self.page.line(at(x), self.y.at(least), at(x), self.y.at(most), COLORS[peer], 1)
            self.page.path(points, COLORS[peer], 2.8 if is_ours else 1.8, dash)
            for x, y in points if has_dots else []:
                self.page.dot(x, y, COLORS[peer])
            labels.append((points[-1][1], peer, points[-1]))
        for y, peer, (end_x, end_y) in spread_labels(labels, self.y1 + 4, self.y0 - 2):
            self.page.line(end_x + 4, end_y, self.x1 + 14, y, COLORS[peer], 0.7)
            self.page.text(self.x1 + 18, y + 4, TITLES[peer].replace("`", ""), fill=COLORS[peer],
                           weight=650 if peer.startswith("apus") else 500)


def ranges(results, works, x_of):
    """{server: [(x, median, least, most)]} over a family of works."""
    series = {}
    for work in works:
        for peer in results.peers(work):
            value = results.value(work, peer)
            if value.median > 0:
                low = value.least if value.least > 0 else value.median
                series.setdefault(peer, []).append((x_of(work), value.median, low, value.most))
    return {peer: sorted(line) for peer, line in series.items() if len(line) > 1}


def cost_by_size(results):
    works = [work for work in WORKS if work.series == "size"]
    series = ranges(results, works, lambda work: work.size)
    if not series:
        return None
    chart = Chart("What a message costs, by its size",
                  "CPU time of the server for echoing one binary message, one in flight on each of 20 connections "
                  "(1 MiB: 4); both axes logarithmic", series)
    axis = LogAxis([x for line in series.values() for x, *_ in line], chart.x0, chart.x1, 1.4)
    chart.draw_axes(list(SIZES.items()), axis.at, show_time, "size of the message")
    chart.draw_lines(axis.at)
    return chart.page


def memory(results):
    works = [work for work in WORKS if work.series == "memory"]
    series = ranges(results, works, lambda work: work.connections)
    series.pop("raw", None)
    if not series:
        return None
    chart = Chart("What an idle connection weighs, by their number",
                  "growth of the server's resident memory, divided by the connections; both axes logarithmic", series)
    axis = LogAxis([x for line in series.values() for x, *_ in line], chart.x0, chart.x1, 1.3)
    chart.draw_axes([(number, f"{number:,}") for number in (100, 1000, 10000)], axis.at, show_bytes, "connections")
    chart.draw_lines(axis.at)
    return chart.page


def curve_of(results, work, peer):
    """The curve of the turn whose p99.9 is the median."""
    turns = results.by_turn(work, peer, lambda result: result["latency_ns"])
    ordered = sorted(turns.values(), key=lambda latency: latency["p99.9"])
    return ordered[(len(ordered) - 1) // 2]["curve"]


def latency(results):
    work = next(work for work in WORKS if work.is_half_load)
    series = {}
    for peer in results.peers(work):
        least = 1e-4
        points = [(above, value) for above, value in curve_of(results, work, peer) if above >= least and value > 0]
        if len(points) > 2:
            series[peer] = [(max(above, least), value, value, value) for above, value in points if above <= 0.9]
    if not series:
        return None
    rate = next(cell["result"]["rate"] for cell in results.cells if cell["work"] == work.name and "result" in cell)
    chart = Chart("How long a message takes, at half load",
                  f"20 B, 100 connections, {rate:,} messages a second in all, counted from when each was due: half of "
                  "what uWebSockets can take", series)

    def at(above):  # from 10 % to 99.99 %
        share = (-math.log10(above) + 0.05) / 4.05
        return chart.x0 + share * (chart.x1 - chart.x0)

    ticks = [(0.5, "50 %"), (0.1, "90 %"), (0.01, "99 %"), (0.001, "99.9 %"), (1e-4, "99.99 %")]
    chart.draw_axes(ticks, at, show_time, "share of messages that took no longer")
    chart.draw_lines(at, has_dots=False)
    return chart.page


def write(results, folder):
    """Writes the plots that the data is there for; returns [(file name, words)]."""
    written = []
    for name, draw, words in (("headline.svg", headline, HEADLINE_WORDS),
                              ("bars.svg", bars, "CPU time and memory by server"),
                              ("latency.svg", latency, "percentiles of the latency at half load"),
                              ("size.svg", cost_by_size, "CPU time by the size of a message"),
                              ("memory.svg", memory, "memory by the number of connections")):
        page = draw(results)
        if page is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_text(page.render(), encoding="utf-8")
            written.append((name, words))
    return written
