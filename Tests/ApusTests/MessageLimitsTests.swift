import Apus
import TestSupport
import Testing

/// DESIGN §7: what a peer may not send, once the opening handshake is done.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct MessageLimitsTests {
    struct Violation: CustomTestStringConvertible, Sendable {
        let name: String
        let code: UInt16
        let counter: KeyPath<WebSocketServer.Statistics, Int> & Sendable
        let bytes: [UInt8]
        var testDescription: String { name }

        init(
            _ name: String, _ code: UInt16, _ counter: KeyPath<WebSocketServer.Statistics, Int> & Sendable,
            _ frames: Frame...
        ) {
            self.init(name, code, counter, bytes: frames.flatMap(\.bytes))
        }

        init(
            _ name: String, _ code: UInt16, _ counter: KeyPath<WebSocketServer.Statistics, Int> & Sendable,
            bytes: [UInt8]
        ) {
            self.name = name
            self.code = code
            self.counter = counter
            self.bytes = bytes
        }
    }

    private static let maxMessageBytes = 1000
    private static let maxFragments = 4

    static let violations = [
        Violation(
            "a frame without masking key (§5.1)", 1002, \.protocolErrors,
            Frame(Frame.Opcode.text, "hi".utf8, key: nil)),
        Violation("a reserved bit (§5.2)", 1002, \.protocolErrors, Frame(Frame.Opcode.text, "hi".utf8, reserved: 4)),
        Violation("a reserved opcode (§5.2)", 1002, \.protocolErrors, Frame(3, "hi".utf8)),
        Violation("a fragmented ping (§5.5)", 1002, \.protocolErrors, Frame(Frame.Opcode.ping, fin: false)),
        Violation(
            "a ping of 126 bytes (§5.5)", 1002, \.protocolErrors,
            Frame(Frame.Opcode.ping, repeatElement(0, count: 126))),
        Violation("a continuation of nothing (§5.4)", 1002, \.protocolErrors, .continuation([1], fin: true)),
        Violation(
            "a message within a message (§5.4)", 1002, \.protocolErrors, .text("a", fin: false), .text("b")),
        Violation("a Close of one byte (§5.5.1)", 1002, \.protocolErrors, Frame(Frame.Opcode.close, [3])),
        Violation("a Close with 1005 (§7.4.1)", 1002, \.protocolErrors, .close(1005)),
        Violation(
            "a reason that is not UTF-8 (§5.5.1)", 1007, \.utf8Errors, Frame(Frame.Opcode.close, [3, 0xe8, 0xff])),
        Violation(
            "a text that is not UTF-8 (§8.1)", 1007, \.utf8Errors, Frame(Frame.Opcode.text, [0x61, 0xc0, 0xaf])),
        Violation("a text that ends within a character", 1007, \.utf8Errors, Frame(Frame.Opcode.text, [0xe2, 0x82])),
        Violation(
            "a text whose second fragment is not UTF-8", 1007, \.utf8Errors,
            Frame(Frame.Opcode.text, [0xe2, 0x82], fin: false), .continuation([0x28], fin: false)),
        Violation(
            "a text whose last fragment ends within a character", 1007, \.utf8Errors,
            .text("a", fin: false), .continuation([0xe2], fin: true)),
        Violation(
            "the header alone of a message too big", 1009, \.sizeErrors,
            bytes: Frame(Frame.Opcode.binary).header(count: UInt64(maxMessageBytes + 1))),
        Violation(
            "a header that promises 2^62 bytes", 1009, \.sizeErrors,
            bytes: Frame(Frame.Opcode.binary).header(count: 1 << 62)),
        Violation(
            "fragments that come to too much", 1009, \.sizeErrors,
            .binary([UInt8](repeating: 0, count: maxMessageBytes), fin: false), .continuation([1], fin: true)),
        Violation(
            "too many fragments, empty ones", 1009, \.fragmentErrors,
            .binary([], fin: false), .continuation([], fin: false), .continuation([], fin: false),
            .continuation([], fin: false), .continuation([], fin: true)),
    ]

    private static func configure(_ configuration: inout WebSocketServer.Configuration) {
        configuration.maxMessageBytes = maxMessageBytes
        configuration.maxFragments = maxFragments
    }

    @Test(arguments: violations)
    func `a broken rule closes with its code, is counted, and others go on`(_ violation: Violation) async throws {
        let ends = Box<WebSocketError.Code?>()
        let statistics = try await withServer(.with(Self.configure)) { socket in
            ends.put(await errorCode { try await echo(socket) })
        } body: { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(violation.bytes)
                return try client.readClose()
            }
            #expect(code == violation.code)
            #expect(await ends.take() == .protocolViolation)
            try await expectEcho(port: port)
        }
        #expect(statistics[keyPath: violation.counter] == 1)
        let all = [statistics.protocolErrors, statistics.utf8Errors, statistics.sizeErrors, statistics.fragmentErrors]
        #expect(all.reduce(0, +) == 1)
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `what stands exactly at the limits is let through`() async throws {
        let statistics = try await withServer(.with(Self.configure)) { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(
                    .binary([UInt8](repeating: 7, count: Self.maxMessageBytes)),
                    .binary([1], fin: false), .continuation([], fin: false), .continuation([2], fin: false),
                    .continuation([], fin: true))
                return [try client.readFrame(), try client.readFrame()]
            }
            #expect(frames.map(\.payload) == [[UInt8](repeating: 7, count: Self.maxMessageBytes), [1, 2]])
        }
        #expect(statistics.messagesReceived == 2)
    }

    @Test(arguments: [[0xe2, 0x82, 0xac], [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x98]] as [[UInt8]], 1...2)
    func `a text frame that reads cut is checked as one`(_ text: [UInt8], _ cut: Int) async throws {
        let isValid = String(validating: text, as: UTF8.self) != nil
        let bytes = Frame(Frame.Opcode.text, text).bytes
        let statistics = try await withServer { server, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            let before = server.statistics.bytesReceived
            try await onThread { try client.send(bytes.dropLast(cut)) }
            try await until { server.statistics.bytesReceived == before + bytes.count - cut }
            try await onThread { try client.send(bytes.suffix(cut)) }
            let frame = try await onThread { try client.readFrame() }
            #expect(frame.closeCode == (isValid ? nil : 1007))
            if isValid { #expect(frame.payload == text) }
            try await onThread { client.close() }
            try await expectEcho(port: port)
        }
        #expect(statistics.utf8Errors == (isValid ? 0 : 1))
    }
}
