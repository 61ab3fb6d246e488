"""What is measured: the works, and which servers do each."""

import dataclasses

APUS = ("apus-borrowed", "apus", "apus-core")
SWIFT = ("nio-handler", "nio-async", "flyingfox", "hummingbird")
FOREIGN = ("uwebsockets", "libwebsockets", "beast", "gorilla", "node-ws", "picows", "websockets")
EVERYBODY = (*APUS, "uwebsockets", "raw", *SWIFT, *FOREIGN[1:])
FEW = (*APUS, "uwebsockets", "raw", "nio-handler", "nio-async")
WITHOUT_STALLS = tuple(peer for peer in EVERYBODY if peer != "flyingfox")
HOLDING = (*APUS, "uwebsockets", "nio-handler", "nio-async", "libwebsockets", "gorilla", "node-ws")
WITH_TLS = (*APUS, "uwebsockets", "libwebsockets", "gorilla", "node-ws")
WITH_DEFLATE_ALONE = (*APUS, "uwebsockets", "gorilla")
WITH_CONTEXT = (*APUS, "uwebsockets", "libwebsockets", "beast", "node-ws", "websockets")
WITH_BROADCAST = (*APUS, "uwebsockets", "nio-handler", "libwebsockets", "node-ws")
WITH_SOCKETIO = ("socketio", "python-socketio")

# Where real-time processes keep a CPU busy for 0.95 s, Linux lets others run for 50 ms, which would be all one sees.
REAL_TIME_SECONDS, REAL_TIME_WARMUP = 0.6, 0.2

# As tables and plots call them.
TITLES = {
    "apus-borrowed": "Apus, `receive`",
    "apus": "Apus, `for await`",
    "apus-core": "Apus, C core alone",
    "raw": "bare TCP (the limit)",
    "uwebsockets": "uWebSockets¹",
    "libwebsockets": "libwebsockets",
    "beast": "Boost.Beast",
    "nio-handler": "SwiftNIO, handler",
    "nio-async": "SwiftNIO, async",
    "flyingfox": "FlyingFox",
    "hummingbird": "Hummingbird",
    "gorilla": "Go, gorilla",
    "node-ws": "Node.js, ws",
    "picows": "Python, picows",
    "websockets": "Python, websockets",
    "socketio": "Apus, Socket.IO",
    "python-socketio": "Python, python-socketio",
}


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to measure. `value` names what counts: "cpu" (nanoseconds of the server for each of what is counted),
    "memory" (bytes a connection) or "latency" (the 99.9th percentile in nanoseconds)."""

    name: str
    title: str
    peers: tuple
    mode: str = "echo"
    value: str = "cpu"
    load: tuple = ()
    server: tuple = ()
    size: int = 20
    content: str = "binary"
    depth: int = 1
    connections: int = 100
    is_tls: bool = False
    is_half_load: bool = False
    is_pinned: bool = True  # the server on one CPU, the generator on the other; else both may use all
    is_real_time: bool = False  # where that is allowed: or the scheduler's milliseconds are all that is seen
    turns: int = 1  # in each round, for `often`; the others have one
    often: tuple = ()
    is_headline: bool = True  # has a row in the README
    series: str = ""  # a family of works that one plot joins

    def peers_of(self, turn):
        """The servers that are measured in this turn of a round."""
        return [peer for peer in self.peers if turn == 0 or peer in self.often]

    @property
    def is_idle(self):
        return self.mode == "idle"


def echo(name, title, peers, **options):
    return Work(name, title, peers, **options)


SIZES = {20: "20 B", 125: "125 B", 1 << 10: "1 KiB", 16 << 10: "16 KiB", 64 << 10: "64 KiB", 1 << 20: "1 MiB"}


def sweep(size):
    """Binary messages of one size, for the plot of cost by size; 20 B and 1 MiB are works of their own."""
    return echo(f"echo-{size}", f"echo, {SIZES[size]} binary", FEW, size=size, is_headline=False, series="size",
                connections=20)


def deflate(name, title, peers, compression, *options):
    return echo(name, f"deflate echo, 1,000 B JSON, {title}", peers, size=1000, content="json", connections=20,
                load=("--deflate",), server=("--compression", compression, *options))


def idle(name, title, peers, connections, **options):
    return Work(name, title, peers, mode="idle", value="memory", connections=connections, **options)


WORKS = (
    echo("echo-20-d1", "echo, 20 B, 1 in flight", EVERYBODY),
    echo("echo-20-d16", "echo, 20 B, 16 in flight", EVERYBODY, depth=16),
    echo("text-1k-ascii", "echo, 1 KiB ASCII text, 16 in flight", EVERYBODY, size=1 << 10, depth=16, content="ascii"),
    echo("text-1k-mixed", "echo, 1 KiB text of all scripts, 16 in flight", EVERYBODY, size=1 << 10, depth=16,
         content="mixed"),
    echo("text-16k-ascii", "echo, 16 KiB ASCII text, 4 in flight", FEW, size=16 << 10, depth=4, content="ascii",
         connections=20),
    echo("text-16k-mixed", "echo, 16 KiB text of all scripts, 4 in flight", FEW, size=16 << 10, depth=4,
         content="mixed", connections=20),
    echo("echo-1m", "echo, 1 MiB binary", FEW, size=1 << 20, connections=4, series="size"),
    *(sweep(size) for size in (20, 125, 1 << 10, 16 << 10, 64 << 10)),
    echo("wss-1000-d1", "wss echo, 1,000 B, 1 in flight", WITH_TLS, size=1000, is_tls=True),
    echo("wss-1000-d16", "wss echo, 1,000 B, 16 in flight", WITH_TLS, size=1000, depth=16, is_tls=True),
    deflate("deflate-alone", "each by itself, level 6", WITH_DEFLATE_ALONE, "shared", "--compression-level", "6"),
    deflate("deflate-context", "context takeover, level 6", WITH_CONTEXT, "dedicated", "--compression-level", "6"),
    deflate("deflate-default", "context takeover, our default level", (*APUS, "uwebsockets"), "dedicated"),
    Work("handshake", "opening handshake", tuple(peer for peer in EVERYBODY if peer != "raw"), mode="connect",
         connections=8),
    Work("fanout", "fan-out to 500, 100 B, each delivery", WITH_BROADCAST, mode="fanout", size=100, connections=500,
         depth=4, server=("--mode", "broadcast")),
    Work("socketio-echo", "Socket.IO echo, 100 B event, 1 in flight", WITH_SOCKETIO, size=100, load=("--socketio",),
         is_headline=False),
    Work("socketio-fanout", "Socket.IO broadcast to 500, 100 B event, each delivery", WITH_SOCKETIO, mode="fanout",
         size=100, connections=500, depth=4, load=("--socketio",), is_headline=False),
    idle("idle-100", "memory of an idle connection, of 100", HOLDING, 100, is_headline=False, series="memory"),
    idle("idle-1000", "memory of an idle connection, of 1,000", HOLDING, 1000, is_headline=False, series="memory"),
    idle("idle-10000", "memory of an idle connection", tuple(p for p in EVERYBODY if p != "raw"), 10000,
         series="memory"),
    idle("idle-tls", "memory of an idle TLS connection", WITH_TLS, 1500, is_tls=True),
    echo("half-load", "p99.9 of the latency at half of uWebSockets' load", WITHOUT_STALLS,
         value="latency", is_half_load=True, is_real_time=True, turns=8, often=(*APUS, "uwebsockets", "raw")),
    echo("loops-1", "echo, 20 B, 16 in flight, one loop, both CPUs", (*APUS, "gorilla"), depth=16, is_pinned=False,
         server=("--threads", "1"), is_headline=False),
    echo("loops-2", "echo, 20 B, 16 in flight, two loops, both CPUs", (*APUS, "gorilla"), depth=16, is_pinned=False,
         server=("--threads", "2"), is_headline=False),
)

# What a server is told, of a work's options, where it does not know them all.
KNOWN_OPTIONS = {
    "apus": ("--compression", "--compression-level", "--mode", "--threads"),
    "uwebsockets": ("--compression", "--mode"),
    "libwebsockets": ("--compression", "--mode"),
    "nio-handler": ("--mode",),
    "node-ws": ("--compression", "--mode"),
    "beast": ("--compression",),
    "gorilla": ("--compression",),
    "websockets": ("--compression",),
}


def server_options(work, peer):
    """Returns the options of a work that this server knows."""
    known = KNOWN_OPTIONS.get("apus" if peer in APUS else peer, ())
    pairs = zip(work.server[::2], work.server[1::2])
    return [word for pair in pairs if pair[0] in known for word in pair]


def frame_sizes(size):
    """Returns the bytes of a masked and of an unmasked frame (RFC 6455 §5.2)."""
    header = 2 if size < 126 else 4 if size < 65536 else 10
    return header + 4 + size, header + size
