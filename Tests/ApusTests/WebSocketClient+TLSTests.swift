@testable import Apus
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// A client over TLS. One test after the other, since the process keeps only a few contexts, and with them sessions.
@Suite(.serialized, .withPeers, .timeLimit(.minutes(5)))
struct ClientTLSTests {
    private let authority: TestCertificate
    private let certificate: TestCertificate

    init() throws {
        authority = try TestCertificate("an authority", isAuthority: true)
        certificate = try TestCertificate(issuer: authority)
    }

    private func server(
        _ certificate: TestCertificate? = nil, _ change: (inout WebSocketServer.Configuration) -> Void = { _ in }
    ) -> WebSocketServer.Configuration {
        let certificate = certificate ?? self.certificate
        return .with {
            $0.tls = TLSConfiguration(certificates: [
                .init(chain: .bytes(certificate.pem), key: .bytes(certificate.keyPEM))
            ])
            change(&$0)
        }
    }

    /// Opens a WebSocket over TLS, trusting the authority alone.
    private func connectSecurely<T: Sendable>(
        port: Int, host: String = "localhost", _ change: (inout WebSocketClient.Configuration) -> Void = { _ in },
        handler: @escaping WebSocketClient.Handler<T>
    ) async throws -> T {
        var configuration = WebSocketClient.Configuration()
        configuration.tls.trust = .only(.bytes(authority.pem))
        change(&configuration)
        return try await WebSocketClient.connect(
            "wss://\(host):\(port)/", configuration: configuration, logger: .silent, handler: handler)
    }

    /// The error with which opening a WebSocket over TLS fails.
    private func failure(
        port: Int, host: String = "localhost", _ change: (inout WebSocketClient.Configuration) -> Void = { _ in }
    ) async -> WebSocketError? {
        do {
            try await connectSecurely(port: port, host: host, change) { _ in }
            return nil
        } catch {
            return error as? WebSocketError
        }
    }

    // MARK: Good ones

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `messages come back, for a certificate of the URL's host, be it a name or an address`(host: String)
        async throws
    {
        // Made here, since all clients of the tests share one loop.
        let messages = [0, 125, 126, 16_384, 65_536, 900_000].map { count in
            [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: count)
        }
        let statistics = try await withServer(server()) { _, port in
            let der = certificate.der
            try await connectSecurely(port: port, host: host) { socket in
                for bytes in messages {
                    try await socket.send(bytes)
                    try await socket.expectNext(.binary(bytes))
                }
                let session = await socket.tlsSession()
                #expect(session?.version == "TLSv1.3")
                #expect(session?.serverName == (host == "localhost" ? host : nil))
                #expect(session?.applicationProtocol == "http/1.1")
                #expect(session?.peerCertificate == der)
            }
        }
        #expect(statistics.tlsHandshakes == 1)
        #expect(statistics.tlsFailures == 0)
        #expect(statistics.tlsTruncations == 0)
    }

    @Test func `a later connection takes up the session of an earlier one`() async throws {
        let statistics = try await withServer(server()) { _, port in
            for isResumed in [false, true, true] {
                try await connectSecurely(port: port) { socket in
                    try await socket.send("hello")
                    try await socket.expectNext(.text("hello"))
                    #expect(await socket.tlsSession()?.isResumed == isResumed)
                }
            }
            // Whoever trusts somebody else shares nothing with them.
            try await connectSecurely(port: port) {
                $0.tls.trust = .everyone
            } handler: { socket in
                #expect(await socket.tlsSession()?.isResumed == false)
            }
        }
        #expect(statistics.tlsResumptions == 2)
    }

    @Test func `messages are compressed below TLS`() async throws {
        try await withServer(server { $0.compression = .shared() }) { _, port in
            try await connectSecurely(port: port) {
                $0.compression = .dedicated()
            } handler: { socket in
                let agreed = socket.response?.headerFields[.init("Sec-WebSocket-Extensions")!]
                #expect(agreed?.contains("permessage-deflate") == true)
                let text = String(repeating: "hello ", count: 20_000)
                try await socket.send(text)
                try await socket.expectNext(.text(text))
            }
        }
    }

    @Test func `TLS goes through a proxy to the server`() async throws {
        try await withServer(server()) { _, port in
            try await withRawServer { client in
                #expect(try client.readRequest().lines[0] == "CONNECT localhost:\(port) HTTP/1.1")
                try client.sendHead("HTTP/1.1 200 Connection established")
                try client.relay(to: Client(port: port))
            } body: { proxy in
                try await connectSecurely(port: port) {
                    $0.proxy = .init(host: "127.0.0.1", port: proxy)
                } handler: { socket in
                    try await socket.send("hello")
                    try await socket.expectNext(.text("hello"))
                }
            }
        }
    }

    @Test func `a server that asks for a certificate gets the client's`() async throws {
        let visitor = try TestCertificate("a visitor", names: "email:v@example.org", issuer: authority)
        let configuration = server {
            $0.tls?.clientVerification = .required(roots: .bytes(authority.pem))
        }
        let certificates = Box<[UInt8]?>()
        try await withServer(
            configuration, handler: { socket in certificates.put(await socket.tlsSession()?.peerCertificate) }
        ) { _, port in
            try await connectSecurely(port: port) {
                $0.tls.certificate = .init(chain: .bytes(visitor.pem), key: .bytes(visitor.keyPEM))
            } handler: { socket in
                for try await _ in socket {}
            }
            #expect(await certificates.take() == visitor.der)
            let error = await failure(port: port)
            #expect(error?.code == .tlsFailure)
            #expect(error?.message.contains("the peer ended TLS with an alert") == true)
        }
    }

    // MARK: Bad ones

    struct Bad: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let words: String
        var names = "DNS:localhost"
        var days = -1...10
        var isSelfSigned = false
        var host = "localhost"
    }

    @Test(arguments: [
        Bad(testDescription: "another name", words: "another host", names: "DNS:elsewhere.example,IP:127.0.0.1"),
        Bad(testDescription: "a common name alone", words: "another host", names: "IP:127.0.0.1"),
        Bad(testDescription: "a common name beside mail", words: "another host", names: "email:a@localhost"),
        Bad(testDescription: "another address", words: "another host", names: "IP:127.0.0.2", host: "127.0.0.1"),
        Bad(testDescription: "a name, not the address", words: "another host", host: "127.0.0.1"),
        Bad(testDescription: "expired", words: "valid no more, or not yet", days: -10 ... -1),
        Bad(testDescription: "not valid yet", words: "valid no more, or not yet", days: 1...10),
        Bad(
            testDescription: "self-signed", words: "name its root in the configuration's tls.trust",
            isSelfSigned: true),
    ])
    func `a certificate that is not good for the host is refused, and the server told`(_ bad: Bad) async throws {
        let certificate = try TestCertificate(
            names: bad.names, days: bad.days, issuer: bad.isSelfSigned ? nil : authority)
        let statistics = try await withServer(server(certificate)) { _, port in
            let error = await failure(port: port, host: bad.host)
            #expect(error?.code == .untrustedCertificate)
            #expect(error?.message.contains(bad.words) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("wss://\(bad.host):\(port)/") == true)
            // Whoever wants to may take it nevertheless.
            try await connectSecurely(port: port, host: bad.host) {
                $0.tls.trust = .everyone
            } handler: { _ in
            }
        }
        #expect(statistics.tlsFailures == 1, "the alert has arrived")
        #expect(statistics.requests == 1)
    }

    @Test func `without other words the system's roots are trusted, which know no test`() async throws {
        try await withServer(server()) { _, port in
            let error = await failure(port: port) { $0.tls = ClientTLSConfiguration() }
            #expect(error?.code == .untrustedCertificate)
        }
    }

    @Test func `a server without TLS is told`() async throws {
        try await withRawServer { client in
            _ = try client.read(5)
            try client.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            do { _ = try client.readToEnd() } catch Client.Failure.reset {}
        } body: { port in
            let error = await failure(port: port)
            #expect(error?.code == .tlsFailure)
            #expect(error?.message.contains("the server does not speak TLS on this port") == true)
        }
    }

    @Test func `a server that says nothing to TLS ends with the timeout`() async throws {
        try await withRawServer { client in
            do { _ = try client.readToEnd() } catch Client.Failure.reset {}
        } body: { port in
            let error = await failure(port: port) { $0.handshakeTimeout = .milliseconds(100) }
            #expect(error?.code == .timedOut)
        }
    }

    @Test func `a stream that ends in the middle of TLS's handshake is lost`() async throws {
        try await withRawServer { client in
            _ = try client.read(5)
            client.finish()
            _ = try client.readToEnd()
        } body: { port in
            let error = await failure(port: port)
            #expect(error?.code == .connectionLost)
            #expect(error?.message.contains("in the middle of TLS") == true)
        }
    }

    @Test func `an open stream that is cut is lost, which may be tried again`() async throws {
        try await withServer(server()) { _, port in
            let isCut = Flag()
            try await withRawServer { client in
                _ = try client.readRequest()
                try client.sendHead("HTTP/1.1 200 OK")
                try client.relay(to: Client(port: port)) { isCut.isUp }
                _ = try client.readToEnd()
            } body: { proxy in
                let error = await #expect(throws: WebSocketError.self) {
                    try await connectSecurely(port: port) {
                        $0.proxy = .init(host: "127.0.0.1", port: proxy)
                    } handler: { socket in
                        try await socket.send("hello")
                        try await socket.expectNext(.text("hello"))
                        isCut.raise()
                        try await socket.send("never")
                        while try await socket.next() != nil {}
                    }
                }
                #expect(error?.code == .connectionLost)
                #expect(error?.message.contains("close_notify") == true, "\(error?.message ?? "")")
                #expect(error.map { WebSocketClient.Reconnection.End.failed($0).isTransient } == true)
            }
        }
    }

    /// Raised once, seen by another thread.
    private final class Flag: Sendable {
        private let state = Atomic(false)
        var isUp: Bool { state.load(ordering: .acquiring) }
        func raise() { state.store(true, ordering: .releasing) }
    }

    // MARK: Redirects

    @Test func `a redirect may lead to TLS, but never away from it`() async throws {
        let upgrade: @Sendable (Request) async throws -> UpgradeResponse = { request in
            guard request.head.path == "/away" else { return .accept() }
            return .reject(Response(status: .found, headerFields: [.location: "ws://localhost:1/"]))
        }
        try await withServer(server(), upgrade: upgrade) { _, port in
            let toTLS: ServerScript = { client in
                _ = try client.readRequest()
                try client.sendHead(
                    "HTTP/1.1 302 Found", "Location: https://localhost:\(port)/away", "Content-Length: 0")
                try client.expectEnd()
            }
            try await withRawServer(toTLS) { plain in
                var configuration = WebSocketClient.Configuration()
                configuration.tls.trust = .only(.bytes(authority.pem))
                configuration.maxRedirects = 5
                let error = await #expect(throws: WebSocketError.self) {
                    try await WebSocketClient.connect(
                        "ws://127.0.0.1:\(plain)/", configuration: configuration, logger: .silent
                    ) { _ in }
                }
                #expect(error?.code == .handshakeRefused)
                #expect(error?.message.contains("which is not encrypted") == true)
            }
        }
    }

    // MARK: Settings

    @Test func `roots, certificates and protocols that cannot be used are told before anything is connected`() async {
        let mistakes: [(WebSocketError.Code, ClientTLSConfiguration)] = [
            (.invalidConfiguration, .with { $0.trust = .only(.bytes([1, 2, 3])) }),
            (.unreadableFile, .with { $0.trust = .systemAnd(.file("/nowhere/roots.pem")) }),
            (.invalidConfiguration, .with { $0.certificate = .init(chain: .bytes([]), key: .bytes([])) }),
            (.invalidConfiguration, .with { $0.applicationProtocols = [""] }),
        ]
        for (code, tls) in mistakes {
            #expect(await failure(port: 1) { $0.tls = tls }?.code == code)
        }
    }
}

extension ClientTLSConfiguration {
    fileprivate static func with(_ change: (inout Self) -> Void) -> Self {
        var configuration = Self()
        change(&configuration)
        return configuration
    }
}
