@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TLSTests {
    private let authority: TestCertificate
    private let certificate: TestCertificate

    init() throws {
        authority = try TestCertificate("an authority", isAuthority: true)
        certificate = try TestCertificate(issuer: authority)
    }

    private func tls(_ certificates: TestCertificate...) -> TLSConfiguration {
        TLSConfiguration(certificates: certificates.map { .init(chain: .bytes($0.pem), key: .bytes($0.keyPEM)) })
    }

    private func configuration(
        _ change: (inout WebSocketServer.Configuration) -> Void = { _ in }
    ) -> WebSocketServer.Configuration {
        .with {
            $0.tls = tls(certificate)
            change(&$0)
        }
    }

    private var trusting: Client.TLS { Client.TLS(root: authority) }

    @Test(arguments: [false, true]) func `messages come back over TLS 1.3 and 1.2`(isOld: Bool) async throws {
        var options = trusting
        options.isOld = isOld
        let statistics = try await withServer(configuration()) { _, port in
            try await onThread { [options] in
                let client = try Client(port: port, tls: options)
                try client.open()
                try client.send(.text("hello"))
                #expect(try client.readText() == "hello")
                #expect(try client.closeNormally() == 1000)
                #expect(client.hasSecureEnd, "the end of the stream is told by close_notify")
            }
        }
        #expect(statistics.tlsHandshakes == 1)
        #expect(statistics.tlsFailures == 0)
        #expect(statistics.tlsTruncations == 0)
    }

    @Test func `a message of many records, and many in one record, come back`() async throws {
        try await withServer(configuration { $0.maxMessageBytes = 8 << 20 }) { _, port in
            try await onThread { [trusting] in
                let client = try Client(port: port, tls: trusting)
                try client.open()
                let large = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                try client.send(.binary(large))
                #expect(try client.readMessage().payload == large)
                try client.send((0..<200).flatMap { Frame.text("\($0)").bytes })
                for number in 0..<200 { #expect(try client.readText() == "\(number)") }
                try client.closeNormally()
            }
        }
    }

    @Test func `a broadcast reaches those who read late`() async throws {
        let server = try makeServer(configuration { $0.maxOutboundBytes = 64 << 20 })
        let topic = try server.topic("all")
        let large = [UInt8](repeating: 7, count: 1 << 18)
        try await withServer(
            server,
            handler: { socket in
                try await socket.subscribe(to: topic)
                try await socket.send("ready")
                for try await _ in socket { for _ in 0..<16 { try await topic.publish(large) } }
            }
        ) { _, port in
            try await onThread { [trusting] in
                let clients = try (0..<3).map { _ in try Client(port: port, tls: trusting) }
                for client in clients {
                    try client.open()
                    #expect(try client.readText() == "ready")
                }
                try clients[0].send(.text("go"))
                // Each reads all before the next one begins, so the sockets of the others fill up meanwhile.
                for client in clients {
                    for _ in 0..<16 { #expect(try client.readMessage().payload == large) }
                }
                for client in clients { try client.closeNormally() }
            }
        }
    }

    @Test func `a request over TLS has the scheme https, and the socket tells of its TLS`() async throws {
        let sessions = Box<TLSSession>()
        let schemes = Box<String>()
        var options = trusting
        options.protocols = ["http/1.1"]
        try await withServer(
            configuration(),
            upgrade: { request in
                schemes.put(request.scheme ?? "")
                return .accept()
            },
            handler: { socket in
                if let session = await socket.tlsSession() { sessions.put(session) }
            }
        ) { _, port in
            try await onThread { [options] in
                let client = try Client(port: port, tls: options)
                try client.open()
                try client.readClose()
            }
        }
        #expect(await schemes.take() == "https")
        let session = await sessions.take()
        #expect(session?.version == "TLSv1.3")
        #expect(session?.serverName == "localhost")
        #expect(session?.applicationProtocol == "http/1.1")
        #expect(session?.peerCertificate == nil)
    }

    @Test func `a client's certificate is asked for, verified, and told`() async throws {
        let visitor = try TestCertificate("a visitor", names: "email:v@example.org", issuer: authority)
        let sessions = Box<TLSSession>()
        var options = trusting
        options.isOld = true  // with TLS 1.3 a client learns only later that it was refused
        let configuration = configuration { $0.tls?.clientVerification = .required(roots: .bytes(authority.pem)) }
        let statistics = try await withServer(
            configuration, handler: { socket in if let session = await socket.tlsSession() { sessions.put(session) } }
        ) { _, port in
            try await onThread { [options] in
                #expect(throws: Client.HandshakeFailure.self) { try Client(port: port, tls: options) }
                var own = options
                own.certificate = visitor
                let client = try Client(port: port, tls: own)
                try client.open()
                try client.readClose()
            }
        }
        #expect(await sessions.take()?.peerCertificate == visitor.der)
        #expect(statistics.tlsFailures == 1)
    }

    @Test func `HTTP without TLS is told so, and counted`() async throws {
        let statistics = try await withServer(configuration()) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == 400)
            #expect(answer.text.contains("TLS"))
        }
        #expect(statistics.tlsPlainRefused == 1)
        #expect(statistics.requests == 0)
    }

    /// Of TLS 1.2 only what Mozilla's "intermediate" configuration has: forward secrecy and authenticated encryption.
    @Test(arguments: [
        ("ECDHE-RSA-AES128-GCM-SHA256", true), ("ECDHE-RSA-AES256-GCM-SHA384", true),
        ("ECDHE-RSA-CHACHA20-POLY1305", true), ("AES128-GCM-SHA256", false), ("AES256-GCM-SHA384", false),
        ("AES128-SHA", false), ("AES256-SHA256", false), ("ECDHE-RSA-AES128-SHA", false),
        ("ECDHE-RSA-AES256-SHA384", false), ("ECDHE-RSA-AES128-SHA256", false),
    ])
    func `a cipher of TLS 1_2 has forward secrecy and authenticated encryption`(cipher: String, isTaken: Bool)
        async throws
    {
        let certificate = try TestCertificate(issuer: authority, key: .rsa2048)
        let statistics = try await withServer(configuration { $0.tls = tls(certificate) }) { _, port in
            let wasTaken = try await onThread { [trusting] in
                var options = trusting
                options.isOld = true
                options.ciphers = cipher
                do {
                    try Client(port: port, tls: options).open()
                    return true
                } catch is Client.HandshakeFailure {
                    return false
                }
            }
            #expect(wasTaken == isTaken)
        }
        #expect(statistics.tlsFailures == (isTaken ? 0 : 1))
    }

    private struct Seen: Sendable {
        let code: WebSocketError.Code?
        let message: String
    }

    /// How a handler sees its WebSocket end.
    private func end(
        _ leave: @escaping @Sendable (Client) throws -> Void
    ) async throws -> (Seen?, WebSocketServer.Statistics) {
        let ends = Box<Seen>()
        let statistics = try await withServer(
            configuration(),
            handler: { socket in
                do {
                    for try await _ in socket {}
                    ends.put(Seen(code: nil, message: ""))
                } catch {
                    ends.put(Seen(code: error.webSocketCode, message: "\(error)"))
                    throw error
                }
            }
        ) { _, port in
            try await onThread { [trusting] in
                let client = try Client(port: port, tls: trusting)
                try client.open()
                try leave(client)
            }
        }
        return (await ends.take(), statistics)
    }

    /// The client says no more, and keeps TCP's direction open.
    @Test func `a lone close_notify is the end of the stream, and no truncation`() async throws {
        let (end, statistics) = try await end { client in
            client.sendCloseNotify()
            // The server drops the connection, and owes no close_notify.
            _ = try? client.readToEnd()
        }
        #expect(end?.code == .connectionLost)
        #expect(end?.message.contains("closing handshake") == true)
        #expect(statistics.tlsTruncations == 0)
        #expect(statistics.connectionsLost == 1)
    }

    @Test func `an end without close_notify is told as a truncation`() async throws {
        let (end, statistics) = try await end { $0.close() }
        #expect(end?.code == .connectionLost)
        #expect(end?.message.contains("close_notify") == true)
        #expect(statistics.tlsTruncations == 1)
    }

    /// The loop sees both at once: the end comes before the task that answers has run.
    @Test func `a lone close_notify behind a request is the end of the requests, and is told to it`() async throws {
        var configuration = configuration()
        configuration.threads = 1
        try await withServer(
            configuration,
            http: { request in
                let hasEnded = Gate()
                request.onDeparture { hasEnded.open() }
                await hasEnded.pass()
                return .text("answer")
            }
        ) { server, port in
            let text = try await onThread { [trusting] in
                let client = try Client(port: port, tls: trusting)
                let blocker = Blocker()
                server.loops[0].post { blocker.wait() }
                try client.sendRequest()
                client.sendCloseNotify()
                blocker.release()
                let text = try client.readAnswer().text
                try client.expectEnd()
                return text
            }
            #expect(text == "answer")
        }
    }

    @Test func `a stream that ends without close_notify was cut`() async throws {
        let errors = Box<WebSocketError.Code>()
        let statistics = try await withServer(
            configuration(),
            handler: { socket in
                do {
                    for try await _ in socket {}
                } catch {
                    if let code = error.webSocketCode { errors.put(code) }
                    throw error
                }
            }
        ) { _, port in
            try await onThread { [trusting] in
                let client = try Client(port: port, tls: trusting)
                try client.open()
                client.close()
            }
            #expect(await errors.take() == .connectionLost)
        }
        #expect(statistics.tlsTruncations == 1)
        #expect(statistics.connectionsLost == 1)
    }

    @Test func `a handshake that does not go on ends by the handshake's timeout`() async throws {
        let statistics = try await withServer(configuration { $0.handshakeTimeout = .milliseconds(50) }) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.send([0x16, 0x03, 0x01])
                try client.expectEnd()
            }
        }
        #expect(statistics.handshakeTimeouts == 1)
    }

    @Test(arguments: [("https://localhost", 101), ("http://localhost", 403), ("https://evil.example", 403)])
    func `over TLS only an https page is of the same origin`(origin: String, status: Int) async throws {
        try await withServer(configuration()) { _, port in
            let answer = try await onThread { [trusting] in
                let client = try Client(port: port, tls: trusting)
                try client.sendHandshake("/", ["Origin: \(origin)"])
                return try client.readAnswer().status
            }
            #expect(answer == status)
        }
    }

    @Test func `a reload changes the certificate of connections to come, and keeps those that are open`() async throws {
        let next = try TestCertificate("the next one", names: "DNS:localhost", issuer: authority)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(certificate.pem, to: "chain.pem")
        try folder.write(certificate.keyPEM, to: "key.pem")
        let files = TLSConfiguration(
            certificateFile: folder.path(of: "chain.pem"), keyFile: folder.path(of: "key.pem"))
        try await withServer(configuration { $0.tls = files }) { server, port in
            let (trusting, next) = (trusting, next)
            let first = try await onThread {
                let client = try Client(port: port, tls: trusting)
                try client.open()
                #expect(client.serverName == "localhost")
                return client
            }
            try folder.write(next.pem, to: "chain.pem")
            // The key is still the old one's: nothing changes.
            #expect(throws: WebSocketError.self) { try server.reloadTLS() }
            try folder.write(next.keyPEM, to: "key.pem")
            try server.reloadTLS()
            for loop in server.loops { await loop.run {} }
            try await onThread {
                for _ in 0..<4 {
                    #expect(try Client(port: port, tls: trusting).serverName == "the next one")
                }
                try first.send(.text("still here"))
                #expect(try first.readText() == "still here")
                try first.closeNormally()
            }
        }
    }

    @Test func `a reload needs TLS to begin with`() throws {
        let server = try makeServer()
        #expect(throws: WebSocketError.self) { try server.reloadTLS() }
        #expect(throws: WebSocketError.self) { try server.reloadTLS(tls(certificate)) }
    }

    /// Why a server cannot be made.
    private func refusal(_ tls: TLSConfiguration) -> WebSocketError? {
        do throws(WebSocketError) {
            _ = try makeServer(.with { $0.tls = tls })
            return nil
        } catch {
            return error
        }
    }

    @Test func `a certificate that cannot be used is named`() throws {
        let missing = refusal(TLSConfiguration(certificateFile: "/nowhere/chain.pem", keyFile: "/nowhere/key.pem"))
        #expect(missing?.code == .unreadableFile)
        #expect(missing?.message.contains("/nowhere/chain.pem") == true)

        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(try TestCertificate().keyPEM, to: "other.pem")
        let foreign = TLSConfiguration(certificates: [
            .init(chain: .bytes(certificate.pem), key: .bytes(certificate.keyPEM)),
            .init(chain: .bytes(certificate.pem), key: .file(folder.path(of: "other.pem"))),
        ])
        #expect(refusal(foreign)?.code == .invalidConfiguration)
        #expect(refusal(foreign)?.message.contains("other.pem") == true)
        #expect(refusal(foreign)?.message.contains("the private key is not that of the certificate") == true)

        #expect(refusal(TLSConfiguration(certificates: []))?.code == .invalidConfiguration)
        var protocols = tls(certificate)
        protocols.applicationProtocols = [""]
        #expect(refusal(protocols)?.code == .invalidConfiguration)
        var roots = tls(certificate)
        roots.clientVerification = .required(roots: .bytes([1, 2, 3]))
        #expect(refusal(roots)?.code == .invalidConfiguration)
    }

    @Test func `an expired certificate is no reason not to start`() throws {
        #expect(refusal(tls(try TestCertificate(days: -10 ... -1))) == nil)
    }

    @Test func `a Unix socket speaks TLS as well`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path(of: "s")
        var configuration = WebSocketServer.Configuration(unixSocketPath: path)
        configuration.threads = 1
        configuration.shutdownSignals = []
        configuration.tls = tls(certificate)
        try await withServer(configuration) { _, _ in
            try await onThread { [trusting] in
                let client = try Client(unixSocketPath: path)
                try client.startTLS(trusting)
                try client.open()
                try client.closeNormally()
            }
        }
    }
}
