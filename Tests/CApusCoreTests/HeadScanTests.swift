import CApusCore
import TestSupport
import Testing

/// What a browser sends (RFC 6455 §1.2).
private let example = request(
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Version: 13")

private func isTokenCharacter(_ byte: UInt8) -> Bool {
    // RFC 9110 §5.6.2, spelled out.
    bytes("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz").contains(byte)
}

private let everyByte = (0...255).map { UInt8($0) }

@Suite(.computing) struct HeadScanTests {
    @Test(arguments: [
        example, "GET / HTTP/1.1\r\n\r\n", "A\r\n\r\n", "A\r\nB\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    ])
    func `a head ends with an empty line`(head: String) {
        #expect(scanInEveryWay(head) == .found(head.utf8.count))
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "\u{16}", "\r\n\r\n", "\0"])
    func `what follows a head is not looked at`(rest: String) {
        #expect(scanInEveryWay(example + rest) == .found(example.utf8.count))
    }

    @Test func `every part of a head is no end yet`() {
        let all = bytes(example)
        for count in 0..<all.count {
            var scan = Scan()
            #expect(scan.more(all.prefix(count)) == 0)
        }
    }

    @Test func `a TLS ClientHello is refused at its first byte`() {
        #expect(scanInEveryWay([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]) == .refused(APUS_EHEAD, at: 0))
    }

    @Test func `a line that begins with no token is refused at its first byte, the start line too`() {
        for byte in everyByte where !isTokenCharacter(byte) {
            #expect(scanInEveryWay([byte] + bytes("X\r\n\r\n")) == .refused(APUS_EHEAD, at: 0))
            guard byte != UInt8(ascii: "\r") else { continue }
            #expect(scanInEveryWay(bytes("A\r\n") + [byte]) == .refused(APUS_EHEAD, at: 3))
            #expect(scanInEveryWay(bytes("A\r\nB: c\r\n") + [byte]) == .refused(APUS_EHEAD, at: 9))
        }
    }

    @Test(arguments: ["\r\n", "\n", "\r", " ", "\t"])
    func `nothing stands before the start line`(leading: String) {
        #expect(scanInEveryWay(leading + example) == .refused(APUS_EHEAD, at: 0))
    }

    @Test(arguments: [" ", "\t"])
    func `a line folded into the next (obs-fold) is refused at its first byte`(space: String) {
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(scanInEveryWay(start + space + "b\r\n\r\n") == .refused(APUS_EHEAD, at: start.utf8.count))
    }

    @Test func `a control character within a line is refused wherever it stands`() {
        let controls = (Array(0..<0x20) + [0x7f] as [UInt8]).filter { ![0x09, 0x0a, 0x0d].contains($0) }
        for control in controls {
            for place in 1..<20 {
                var line = [UInt8](repeating: UInt8(ascii: "a"), count: 24)
                line[place] = control
                #expect(scanInEveryWay(line) == .refused(APUS_EHEAD, at: place))
            }
        }
    }

    @Test func `tabs, spaces, visible characters and obs-text pass within a line wherever they stand`() {
        for byte in [0x09] + everyByte.filter({ $0 >= 0x20 && $0 != 0x7f }) {
            for place in 1..<20 {
                var head = [UInt8](repeating: UInt8(ascii: "a"), count: 20) + bytes("\r\n\r\n")
                head[place] = byte
                var scan = Scan()
                #expect(scan.more(head) == head.count)
            }
        }
    }

    @Test func `a bare LF is refused`() {
        for place in 1..<20 {
            let line = String(repeating: "a", count: place)
            #expect(scanInEveryWay(line + "\nHost: b\r\n\r\n") == .refused(APUS_EHEAD, at: place))
        }
        #expect(scanInEveryWay("A\r\nB\n\n") == .refused(APUS_EHEAD, at: 4))
    }

    @Test func `a CR without LF is refused at the byte after it`() {
        for byte in everyByte where byte != UInt8(ascii: "\n") {
            #expect(scanInEveryWay(bytes("A\r") + [byte]) == .refused(APUS_EHEAD, at: 2))
            #expect(scanInEveryWay(bytes("A\r\nB\r\n\r") + [byte]) == .refused(APUS_EHEAD, at: 7))
        }
    }

    @Test func `a head may be as large as the limit, and is refused with the limit's last byte if it goes on`() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let size = head.utf8.count
        for limit in 1...size + 1 {
            let outcome = scanInEveryWay(head, limits: apus_head_limits(size: UInt32(limit), fields: 0))
            #expect(outcome == (limit < size ? .refused(APUS_EHEADSIZE, at: limit - 1) : .found(size)))
        }
    }

    @Test func `a field too many is refused at its first byte`() {
        let start = "GET / HTTP/1.1\r\n"
        let line = "A: b\r\n"
        for most in 1...9 {
            let limits = apus_head_limits(size: 0, fields: UInt32(most))
            let lines = String(repeating: line, count: most)
            let size = start.utf8.count + lines.utf8.count
            #expect(scanInEveryWay(start + lines + "\r\n", limits: limits) == .found(size + 2))
            #expect(scanInEveryWay(start + lines + line, limits: limits) == .refused(APUS_EHEADCOUNT, at: size))
        }
    }

    @Test(arguments: [0, 100, 101, UInt32.max])
    func `no more than a hundred fields are allowed, whatever is configured`(configured: UInt32) {
        let limits = apus_head_limits(size: 0, fields: configured)
        let lines = "A\r\n" + String(repeating: "B:\r\n", count: 100)
        #expect(scanInEveryWay(lines + "\r\n", limits: limits) == .found(405))
        #expect(scanInEveryWay(lines + "B:\r\n\r\n", limits: limits) == .refused(APUS_EHEADCOUNT, at: 403))
    }

    @Test func `a head of 16 KiB is found byte by byte, and no byte more is allowed by default`() {
        let start = "GET / HTTP/1.1\r\nA: "
        let size = Int(APUS_HEAD_DEFAULT_SIZE)
        let head = bytes(start + String(repeating: "x", count: size - start.utf8.count - 4) + "\r\n\r\n")
        #expect(growByOne(head) == .found(size))
        var longer = head
        longer.insert(UInt8(ascii: "x"), at: 100)
        #expect(growByOne(longer) == .refused(APUS_EHEADSIZE, at: size - 1))
    }

    @Test func `16 KiB of short lines are found byte by byte`() {
        let line = "A: " + String(repeating: "y", count: 156) + "\r\n"
        let head = bytes("GET / HTTP/1.1\r\n" + String(repeating: line, count: 100) + "\r\n")
        #expect(head.count > 16_000)
        #expect(growByOne(head) == .found(head.count))
    }

    /// Byte by byte, within one large piece of memory: for inputs that are too long to be copied for every byte.
    private func growByOne(_ head: [UInt8]) -> ScanOutcome {
        let input = GuardedInput(head)
        var scanner = apus_head_scanner()
        var limits = apus_head_limits()
        return withExtendedLifetime(input) {
            for count in 0...head.count {
                let result = apus_head_scan(&scanner, input.bytes, count, &limits)
                if result != 0 {
                    return ScanOutcome(result: result, needed: count)
                }
            }
            return .unfinished(head.count)
        }
    }

    @Test(arguments: [example, "\u{16}", "A\r\n B", "A\nB", "A\r\nB\r\n\rC"])
    func `asking again after the end or an error finds the same`(input: String) {
        var scan = Scan()
        let result = scan.more(bytes(input))
        #expect(result != 0)
        #expect(scan.more(bytes(input)) == result)
        #expect(scan.more(bytes(input + "\r\n\r\n")) == result)
    }

    @Test func `the preface of HTTP/2 is a head of another version`() {
        // RFC 9113 §3.4: it was chosen to be refused by servers of HTTP/1.
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        #expect(scanInEveryWay(preface) == .found(18))
        #expect(parse(Array(bytes(preface).prefix(18))) == APUS_EHTTPVERSION)
    }
}
