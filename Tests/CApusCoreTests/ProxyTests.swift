import CApusCore
import Testing

/// What a header told, as a test writes it.
private struct Told: Equatable {
    var kind = APUS_PROXY_LOCAL
    var source = ""
    var destination = ""
    let size: Int
}

extension Told {
    init(_ header: apus_proxy_header, size: Int) {
        self.init(kind: header.kind, size: size)
        if kind == APUS_PROXY_IP {
            source = text(header.source, header.source_port)
            destination = text(header.destination, header.destination_port)
        } else if kind == APUS_PROXY_UNIX {
            source = header.source_path.string
        }
    }
}

private enum Outcome: Equatable {
    case told(Told)
    case unfinished
    case refused
}

private func text(_ ip: apus_ip, _ port: UInt16) -> String {
    var ip = ip
    var text = [CChar](repeating: 0, count: Int(APUS_IP_TEXT_SIZE))
    let count = apus_ip_write(&ip, &text)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) + " \(port)"
}

private func readOnce(_ input: some Collection<UInt8>) -> Outcome {
    let input = GuardedInput(input)
    return withExtendedLifetime(input) {
        withUnsafeTemporaryAllocation(of: apus_proxy_header.self, capacity: 1) { header in
            guard let header = header.baseAddress else { fatalError("there is room for one header") }
            let size = apus_proxy_read(header, input.bytes, input.count)
            guard size != 0 else { return .unfinished }
            guard size > 0 else {
                #expect(size == Int(APUS_EPROXY.rawValue))
                return .refused
            }
            return .told(Told(header.pointee, size: size))
        }
    }
}

/// Reads with every count of bytes that has come: unfinished until the byte that decides, and the same ever after.
private func read(_ input: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) -> Outcome {
    let outcome = readOnce(input)
    var isDecided = false
    for count in 0...input.count {
        let early = readOnce(input.prefix(count))
        if early != .unfinished { isDecided = true }
        #expect(early == (isDecided ? outcome : .unfinished), "of \(count) bytes", sourceLocation: sourceLocation)
    }
    return outcome
}

private func read(_ input: String) -> Outcome { read(bytes(input)) }

/// A header of version 2.
private func binary(
    _ command: UInt8, _ family: UInt8, _ addresses: [UInt8], tlvs: [UInt8] = [], length: Int? = nil
) -> [UInt8] {
    let length = length ?? addresses.count + tlvs.count
    return bytes("\r\n\r\n\0\r\nQUIT\n") + [command, family, UInt8(length >> 8), UInt8(length & 255)] + addresses + tlvs
}

private let v4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 7, 0x30, 0x39, 0x01, 0xbb]
private let v6: [UInt8] =
    [0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1] + Array(repeating: 0, count: 15) + [
        1, 0xff, 0xff, 0, 80,
    ]
private let unix = bytes("/run/a.sock") + Array(repeating: 0, count: 97) + Array(repeating: 0, count: 108)

struct ProxyTests {
    @Test func `a line tells addresses and ports`() {
        #expect(
            read("PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n")
                == .told(
                    Told(kind: APUS_PROXY_IP, source: "192.0.2.1 12345", destination: "198.51.100.7 443", size: 45)))
        #expect(
            read("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n")
                == .told(Told(kind: APUS_PROXY_IP, source: "2001:db8::1 65535", destination: "::1 0", size: 36)))
    }

    @Test func `the longest line of TCP6 is read`() {
        let longest = Array(repeating: "ffff", count: 8).joined(separator: ":")
        let line = "PROXY TCP6 \(longest) \(longest) 65535 65535\r\n"
        #expect(
            read(line)
                == .told(
                    Told(kind: APUS_PROXY_IP, source: longest + " 65535", destination: longest + " 65535", size: 104)))
    }

    @Test(arguments: [
        "PROXY UNKNOWN\r\n", "PROXY UNKNOWN a b c\r\n", "PROXY UNKNOWN \(String(repeating: "x", count: 91))\r\n",
    ])
    func `of UNKNOWN the rest of the line does not matter`(line: String) {
        #expect(read(line) == .told(Told(kind: APUS_PROXY_UNKNOWN, size: line.utf8.count)))
    }

    @Test func `a line longer than 107 bytes is refused`() {
        #expect(read("PROXY UNKNOWN \(String(repeating: "x", count: 92))\r\n") == .refused)
        #expect(read("PROXY UNKNOWN \(String(repeating: "x", count: 500))") == .refused)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "proxy UNKNOWN\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UNKNOWN\0\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "PROXY TCP4 1.2.3.4 01.2.3.4 1 2\r\n", "\u{16}\u{3}\u{1}",
        "\r\n\r\n\0\r\nQUIX\n",
    ])
    func `anything else is refused`(input: String) {
        #expect(read(input) == .refused)
    }

    @Test func `the last TLV may be without a value, and none may be cut`() {
        for tlvs in [[5, 0, 0], [5, 0, 1, 7], [5, 0, 0, 5, 0, 0], [5, 0, 1, 7, 5, 0, 0]] as [[UInt8]] {
            #expect(read(binary(0x21, 0x11, v4, tlvs: tlvs)) != .refused)
            for count in 1..<3 { #expect(read(binary(0x21, 0x11, v4, tlvs: tlvs + tlvs.prefix(count))) == .refused) }
        }
        #expect(read(binary(0x21, 0x11, v4, tlvs: [5, 0, 1])) == .refused)
        #expect(read(binary(0x21, 0x11, v4, tlvs: [5, 1, 0] + Array(repeating: 0, count: 255))) == .refused)
    }

    @Test func `version 2 tells addresses and ports of either family`() {
        #expect(
            read(binary(0x21, 0x11, v4))
                == .told(
                    Told(kind: APUS_PROXY_IP, source: "192.0.2.1 12345", destination: "198.51.100.7 443", size: 28)))
        #expect(
            read(binary(0x21, 0x21, v6))
                == .told(Told(kind: APUS_PROXY_IP, source: "2001:db8::1 65535", destination: "::1 80", size: 52)))
    }

    @Test func `version 2 tells the path of a Unix socket, which may fill its place`() {
        #expect(read(binary(0x21, 0x31, unix)) == .told(Told(kind: APUS_PROXY_UNIX, source: "/run/a.sock", size: 232)))
        let full = [UInt8](repeating: UInt8(ascii: "a"), count: 216)
        let path = String(repeating: "a", count: 108)
        #expect(readOnce(binary(0x21, 0x31, full)) == .told(Told(kind: APUS_PROXY_UNIX, source: path, size: 232)))
    }

    @Test(arguments: [
        binary(0x20, 0, []), binary(0x20, 0x11, v4), binary(0x20, 0x11, [1, 2]), binary(0x21, 0, [1, 2, 3]),
    ])
    func `LOCAL and UNSPEC tell nothing, and what they bring is passed over`(header: [UInt8]) {
        let kind = header[12] == 0x20 ? APUS_PROXY_LOCAL : APUS_PROXY_UNKNOWN
        #expect(read(header) == .told(Told(kind: kind, size: header.count)))
    }

    @Test func `what else is told is passed over`() {
        let tlvs: [UInt8] = [0x04, 0, 2, 9, 9, 0xe0, 0, 0, 0x01, 0, 2] + bytes("h2")
        #expect(
            read(binary(0x21, 0x11, v4, tlvs: tlvs))
                == .told(
                    Told(kind: APUS_PROXY_IP, source: "192.0.2.1 12345", destination: "198.51.100.7 443", size: 41)))
    }

    @Test(arguments: [[1], [1, 0], [1, 0, 1], [1, 0, 2, 7], [1, 0, 0, 1]] as [[UInt8]])
    func `what is not cut as it says is refused`(tlvs: [UInt8]) {
        #expect(read(binary(0x21, 0x11, v4, tlvs: tlvs)) == .refused)
    }

    @Test(arguments: [
        binary(0x11, 0x11, v4), binary(0x22, 0x11, v4), binary(0x31, 0x11, v4), binary(0x01, 0x11, v4),
        binary(0x21, 0x12, v4), binary(0x21, 0x10, v4), binary(0x21, 0x41, v4), binary(0x21, 0x01, v4),
        binary(0x21, 0x11, Array(v4.dropLast())), binary(0x21, 0x21, v4), binary(0x21, 0x31, v6),
    ])
    func `another version, command, family or length is refused`(header: [UInt8]) {
        #expect(read(header) == .refused)
    }

    @Test func `a header over the limit is refused before it has come`() {
        let most = Int(APUS_PROXY_MOST_SIZE) - 16
        #expect(readOnce(binary(0x20, 0, [], length: most)) == .unfinished)
        #expect(read(binary(0x20, 0, [], length: most + 1)) == .refused)
    }

    @Test func `what follows the header is not looked at`() {
        #expect(read("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n") == .told(Told(kind: APUS_PROXY_UNKNOWN, size: 15)))
        #expect(
            read(binary(0x21, 0x11, v4) + bytes("GET"))
                == .told(
                    Told(kind: APUS_PROXY_IP, source: "192.0.2.1 12345", destination: "198.51.100.7 443", size: 28)))
    }
}
