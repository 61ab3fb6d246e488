import Apus
import TestSupport
import Testing

/// DESIGN §7: which pages may open a WebSocket (RFC 6455 §10.2).
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct OriginPolicyTests {
    typealias OriginPolicy = WebSocketServer.Configuration.OriginPolicy

    struct Case: CustomTestStringConvertible, Sendable {
        let policy: OriginPolicy
        let origin: String?
        var testDescription: String { "\(policy), \(origin ?? "no origin")" }
    }

    static let passing = [
        Case(policy: .same, origin: nil),
        Case(policy: .same, origin: "http://localhost"),
        Case(policy: .same, origin: "http://LOCALHOST:80"),
        Case(policy: .sameOr(["https://Chat.Example:8443"]), origin: nil),
        Case(policy: .sameOr(["https://Chat.Example:8443"]), origin: "http://localhost"),
        Case(
            policy: .sameOr(["https://other.example", "https://Chat.Example:8443"]), origin: "https://chat.example:8443"
        ),
        Case(policy: .any, origin: nil),
        Case(policy: .any, origin: "https://evil.example"),
        Case(policy: .any, origin: "null"),
    ]

    static let refused = [
        Case(policy: .same, origin: "https://evil.example"),
        Case(policy: .same, origin: "http://localhost:8080"),
        Case(policy: .same, origin: "http://localhost.evil.example"),
        Case(policy: .same, origin: "null"),
        Case(policy: .sameOr(["https://chat.example"]), origin: "http://chat.example"),
        Case(policy: .sameOr(["https://chat.example"]), origin: "https://chat.example.evil.example"),
        Case(policy: .sameOr([]), origin: "https://chat.example"),
    ]

    private static func status(port: Int, origin: String?) async throws -> Int {
        try await onThread {
            let client = try Client(port: port)
            try client.sendHandshake("/", origin.map { ["Origin: \($0)"] } ?? [])
            let answer = try client.readAnswer()
            if answer.status != 101 { try client.expectEnd() }
            return answer.status
        }
    }

    @Test(arguments: passing) func `an allowed page, or a client that is no browser, passes`(_ given: Case) async throws
    {
        let statistics = try await withServer(
            .with {
                $0.originPolicy = given.policy
            }
        ) { _, port in
            let status = try await Self.status(port: port, origin: given.origin)
            #expect(status == 101)
        }
        #expect(statistics.handshakesAccepted == 1)
        #expect(statistics.originsRefused == 0)
    }

    @Test(arguments: refused) func `a page of another origin gets 403, and others go on`(_ given: Case) async throws {
        let statistics = try await withServer(
            .with {
                $0.originPolicy = given.policy
            }
        ) { _, port in
            #expect(try await Self.status(port: port, origin: given.origin) == 403)
            try await expectEcho(port: port)
        }
        #expect(statistics.originsRefused == 1)
        #expect(statistics.handshakesRefused == 1)
        #expect(statistics.handshakesAccepted == 1)
    }

    @Test func `two origins are none`() async throws {
        try await withServer(
            .with {
                $0.originPolicy = .sameOr(["https://chat.example"])
            }
        ) { _, port in
            let status = try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake("/", ["Origin: https://chat.example", "Origin: https://chat.example"])
                return try client.readAnswer().status
            }
            #expect(status == 403)
        }
    }
}
