import Benchmark
import CApusCore

/// The head of an opening handshake: found, and read.
func headBenchmarks() {
    let heads = [
        "smallest": """
        GET / HTTP/1.1
        Host: localhost
        Upgrade: websocket
        Connection: Upgrade
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
        Sec-WebSocket-Version: 13

        """,
        "browser": """
        GET /feed?room=lobby HTTP/1.1
        Host: chat.example.org
        Connection: Upgrade
        Pragma: no-cache
        Cache-Control: no-cache
        User-Agent: Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36
        Upgrade: websocket
        Origin: https://chat.example.org
        Sec-WebSocket-Version: 13
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-US,en;q=0.9,de;q=0.8
        Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits

        """,
    ]
    for (kind, text) in heads {
        // In a multi-line literal a line ends with LF; on the wire, with CR LF. A literal's own last line has
        // no end.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let head = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
        headBenchmark(kind: kind, head: head)
    }
}

private func headBenchmark(kind: String, head: [UInt8]) {
    var configuration = Benchmark.defaultConfiguration
    configuration.scalingFactor = .kilo
    Benchmark("head parse/\(kind)/\(head.count) B/1000", configuration: configuration) { benchmark in
        var parsed = apus_head(), limits = apus_head_limits(), status: CInt = 0
        for _ in benchmark.scaledIterations {
            var scanner = apus_head_scanner()
            let size = apus_head_scan(&scanner, head, head.count, &limits)
            precondition(size == head.count)
            status = apus_head_parse(&parsed, head, size)
        }
        precondition(status == 0)
    }
}
