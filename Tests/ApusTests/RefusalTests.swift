@testable import Apus
import HTTPTypes
import Logging
import Synchronization
import TestSupport
import Testing

/// Who is turned away is told: to the application, and to the log.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let cause: Refusal.Cause
        let words: String
        var change: @Sendable (inout WebSocketServer.Configuration) -> Void = { _ in }
        let script: @Sendable (Client, _ port: Int) throws -> Void
        var testDescription: String { cause.rawValue }
    }

    private static func send(_ text: String) -> @Sendable (Client, Int) throws -> Void {
        { client, _ in
            try client.send(text)
            _ = try client.readAnswer()
        }
    }

    static let cases = [
        Case(cause: .origin, words: "https://evil.example") { client, _ in
            try client.sendHandshake("/", ["Origin: https://evil.example"])
            _ = try client.readAnswer()
        },
        Case(
            cause: .handshake, words: "Sec-WebSocket-Version",
            script: send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")),
        Case(cause: .malformedRequest, words: "malformed", script: send("GET\r\n\r\n")),
        Case(cause: .malformedRequest, words: "Host", script: send("GET / HTTP/1.1\r\n\r\n")),
        Case(
            cause: .tooLarge, words: "limit", change: { $0.maxHeadBytes = 64 },
            script: send("GET / HTTP/1.1\r\nHost: " + String(repeating: "a", count: 100))),
        Case(
            cause: .tooLarge, words: "content", change: { $0.maxBodyBytes = 1 },
            script: send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")),
        Case(
            cause: .timeout, words: "too long", change: { $0.handshakeTimeout = .seconds(1) },
            script: send("GET / HTTP")),
        Case(cause: .connectionLimit, words: "as many", change: { $0.maxConnections = 1 }) { client, port in
            try client.open()
            let second = try Client(port: port)
            _ = try second.readAnswer()
        },
        Case(
            cause: .proxy, words: "PROXY",
            change: {
                $0.trustedProxies = ["127.0.0.1"]
                $0.proxyProtocol = .required
            }
        ) { client, _ in
            try client.send("GET / HTTP/1.1\r\n\r\n")
            do { try client.expectEnd() } catch Client.Failure.reset {}
        },
    ]

    @Test(arguments: cases) func `each refusal is told once, with address and reason`(_ given: Case) async throws {
        let refusals = Log<Refusal>()
        let log = MemoryLog()
        let ports = Log<Int>()
        let configuration = WebSocketServer.Configuration.with {
            $0.onRefused = { refusals.append($0) }
            given.change(&$0)
        }
        let server = try WebSocketServer(configuration: configuration, logger: log.logger)
        try await withServer(server) { _, port in
            try await onThread {
                let client = try Client(port: port)
                ports.append(try client.localPort)
                try given.script(client, port)
            }
            try await until { !refusals.all.isEmpty }
        }
        let refusal = try #require(refusals.all.first)
        #expect(refusals.all.count == 1)
        #expect(refusal.cause == given.cause)
        #expect(refusal.detail.contains(given.words), "\(refusal.detail)")
        #expect(refusal.address.host == "127.0.0.1")
        if given.cause != .connectionLimit { #expect(refusal.address.port == ports.all[0]) }
        let lines = log.lines.filter { $0.contains("turned away") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("127.0.0.1:") == true)
        #expect(lines.first?.contains(given.words) == true)
    }

    @Test func `TLS that fails is told, and so is HTTP without it`() async throws {
        let certificate = try TestCertificate()
        let refusals = Log<Refusal>()
        let configuration = WebSocketServer.Configuration.with {
            $0.tls = TLSConfiguration(certificates: [
                .init(chain: .bytes(certificate.pem), key: .bytes(certificate.keyPEM))
            ])
            $0.onRefused = { refusals.append($0) }
        }
        try await withServer(configuration) { _, port in
            try await onThread {
                // It does not trust the certificate, and says so by an alert.
                #expect(throws: Client.HandshakeFailure.self) {
                    _ = try Client(port: port, tls: .init(root: try TestCertificate()))
                }
                let client = try Client(port: port)
                try client.sendRequest()
                _ = try client.readAnswer()
            }
            try await until { refusals.all.count == 2 }
        }
        // Two loops tell of them, in either order.
        let details = Dictionary(grouping: refusals.all, by: \.cause).mapValues { $0.map(\.detail) }
        #expect(details.count == 2)
        #expect(details[.tls]?.first?.contains("alert") == true)
        #expect(details[.plaintext]?.first?.contains("https://") == true)
    }

    @Test func `a client's own words are cut short`() async throws {
        let refusals = Log<Refusal>()
        try await withServer(.with { $0.onRefused = { refusals.append($0) } }) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake("/", ["Origin: " + String(repeating: "x", count: 10_000)])
                _ = try client.readAnswer()
            }
        }
        #expect(refusals.all.map { $0.detail.utf8.count < 300 } == [true])
    }

    @Test func `a cause is logged once a second, with the number of those that were not`() {
        var limiter = RefusalLimiter()
        let start = ContinuousClock.now
        #expect(limiter.admit(.origin, at: start) == 0)
        for step in 1...999 { #expect(limiter.admit(.origin, at: start + .milliseconds(step)) == nil) }
        #expect(limiter.admit(.tls, at: start) == 0, "another cause has its own")
        #expect(limiter.admit(.origin, at: start + .seconds(1)) == 999)
        #expect(limiter.admit(.origin, at: start + .seconds(1)) == nil)
        #expect(limiter.admit(.origin, at: start + .seconds(2)) == 1)
    }
}
