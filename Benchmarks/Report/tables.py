"""The report's tables, in Markdown."""

from results import NOISY_OTHERS, NOISY_SPREAD, digits, show, show_time
from works import REAL_TIME_SECONDS, TITLES, WORKS

COLUMNS = ("apus-borrowed", "apus", "apus-core", "uwebsockets", "nio-handler", "nio-async", "raw")
# What others are compared with, where it takes part.
BASELINES = {"uwebsockets": "× uWebSockets", "apus-borrowed": "× Apus `receive`", "socketio": "× Apus, Socket.IO"}
NOTE = ("¹ uWebSockets is the shared library inside PyPI's `socketify` 0.0.31, called through its C interface: not "
        "uWebSockets' own build, which needs fewer instructions.")


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def ratio_words(ratio, is_alone):
    """A ratio with its range; ≈ where the rounds disagree too much to tell."""
    if ratio is None:
        return "–"
    if is_alone:
        return f"{digits(ratio.median)} ×"
    return f"{'≈ ' if ratio.is_noisy else ''}{digits(ratio.median)} × ({digits(ratio.least)}–{digits(ratio.most)})"


def origin(results):
    """The machine, versions, command and date."""
    machine = results.machine
    disturbed, others = results.noise()
    network = ("a private network namespace" if machine["is_private_network"] else "the machine's own loopback network")
    lines = [
        f"- **Machine**: {machine['processor']}, {machine['cpus']} CPUs, {machine['memory_gib']} GiB; "
        f"{machine['distribution']}, {machine['system']}",
        f"- **Network**: {network}, TCP with `{machine['congestion_control']}`",
        f"- **Commit**: {machine['commit']}",
        f"- **Command**: `{machine['command']}` on {machine['date']}: {results.raw['rounds']} rounds of "
        f"{results.raw['seconds']:g} s each, interleaved",
        f"- **Noise**: others took {others:.1%} of the CPUs at the median, and more than {NOISY_OTHERS:.0%} during "
        f"{disturbed:.0%} of the measurements"
        + (". **Too noisy to tell small differences.**" if disturbed > 0.2 else ""),
    ]
    return "\n".join(lines) + "\n"


def work_table(results, work):
    """One work: every server, the cheapest first."""
    is_alone = results.raw["rounds"] == 1
    head = {"cpu": "CPU of the server, each", "memory": "bytes a connection", "latency": "p99.9"}[work.value]
    more = {"cpu": ("a second", "generator's CPU, each"), "memory": (), "latency": ("p50", "p99")}[work.value]
    is_deflate = "--deflate" in work.load
    more += ("bytes back, each",) if is_deflate else ()
    baselines = [peer for peer in BASELINES if peer in work.peers]
    text = row(["server", head, *(BASELINES[peer] for peer in baselines), *more])
    text += row(["---"] + ["---:"] * (1 + len(baselines) + len(more)))
    for peer in results.peers(work):
        value = results.value(work, peer)
        words = show(work, value.median)
        if not is_alone:
            words += f" ({show(work, value.least)} – {show(work, value.most)})"
        cells = [TITLES[peer], words]
        cells += [ratio_words(results.ratio(work, peer, baseline), is_alone) for baseline in baselines]
        if work.value == "cpu":
            rate = results.other(work, peer, lambda result: result["per_second"])
            cost = results.other(work, peer, lambda result: result["generator"]["cpu_ns_each"])
            cells += [f"{rate.median:,.0f}", show_time(cost.median)]
            if is_deflate:
                cells.append(f"{results.other(work, peer, lambda result: result['bytes_each']).median:,.0f}")
        elif work.value == "latency":
            for percentile in ("p50", "p99"):
                latency = results.other(work, peer, lambda result, name=percentile: result["latency_ns"][name])
                cells.append(show_time(latency.median))
        text += row(cells)
    for peer, why in results.failures(work).items():
        text += row([TITLES[peer], f"failed: {why.replace('|', '/')}"] + [""] * (len(baselines) + len(more)))
    return text


def full(results, plot_names):
    """The whole report."""
    text = "# Benchmarks\n\n" + origin(results) + "\n"
    text += ("The CPU time is the server's, from the kernel's count of each of its threads, divided by the messages "
             "that came back (deliveries, handshakes). Each figure is the median of the rounds, with the least and the "
             "most; a ratio is that of the same round's two figures. "
             f"≈ marks a ratio whose rounds differ by more than {NOISY_SPREAD:.0%}: this machine cannot tell.\n\n")
    scheduling = ("run before all else (`SCHED_FIFO`)" if results.raw.get("is_real_time") else
                  "wait for their CPUs as all else does (nothing else was allowed), mostly for milliseconds")
    often = ", ".join(TITLES[peer] for peer in next(work for work in WORKS if work.is_half_load).often)
    text += (f"While latency is measured, server and generator {scheduling}, and for {REAL_TIME_SECONDS} s at most; "
             f"{often} have several turns in each round, whose median counts.\n\n")
    for name, words in plot_names:
        text += f"![{words}]({name})\n\n"
    for work in results.works():
        text += f"## {work.title[0].upper()}{work.title[1:]}\n\n{work_table(results, work)}\n"
    text += "## What was measured\n\n" + row(["server", "version"]) + row(["---", "---"])
    for peer, version in results.versions.items():
        text += row([TITLES[peer], version])
    for peer, why in results.skipped.items():
        text += row([TITLES[peer], f"skipped: {why}"])
    return text + f"\n{NOTE}\n"


def summary(results):
    """The README's table: a row for each work, the figures of a few servers, the least of theirs in bold."""
    columns = [peer for peer in COLUMNS if any(peer in results.peers(work) for work in results.works())]
    text = "\n" + row(["", *(TITLES[peer] for peer in columns)]) + row(["---"] + ["---:"] * len(columns))
    for work in results.works():
        if not work.is_headline:
            continue
        values = {peer: results.value(work, peer) for peer in columns if peer in results.peers(work)}
        rivals = [value.median for peer, value in values.items() if peer != "raw"]
        cells = [work.title]
        for peer in columns:
            words = show(work, values[peer].median) if peer in values else "–"
            is_best = peer != "raw" and peer in values and values[peer].median == min(rivals)
            cells.append(f"**{words}**" if is_best else words)
        text += row(cells)
    machine = results.machine
    return (f"{text}\nCPU time of the server for each message, delivery or handshake; memory for each connection. "
            f"Measured on {machine['date'].split(' ')[0]} with `{machine['command']}`: "
            f"{machine['processor']}, {machine['cpus']} CPUs.\n\n{NOTE}\n\n")
