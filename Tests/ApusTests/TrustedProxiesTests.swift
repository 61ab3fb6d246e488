import Apus
import HTTPTypes
import TestSupport
import Testing

/// Says where the request comes from, as the application sees it.
private func describe(_ request: Request) async throws -> Response {
    .text("\(request.remoteAddress) \(request.scheme ?? "") \(request.authority ?? "")")
}

private func describe(_ socket: WebSocket) async throws {
    let request = socket.request
    try await socket.send("\(socket.remoteAddress) \(request.scheme ?? "") \(request.authority ?? "")")
}

extension WebSocketServer.Configuration {
    fileprivate static func trusting(
        _ proxies: String..., fields: ForwardedFields = .xForwarded, proxyProtocol: ProxyProtocol = .off
    ) -> Self {
        .with {
            $0.trustedProxies = proxies
            $0.forwardedFields = fields
            $0.proxyProtocol = proxyProtocol
        }
    }
}

/// A header of version 2 for 192.0.2.1:12345, with what a proxy tells besides.
private let binaryHeader: [UInt8] =
    Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, 0x11, 0, 17]
    + [192, 0, 2, 1, 127, 0, 0, 1, 0x30, 0x39, 0x1f, 0x90] + [0x04, 0, 2, 9, 9]

private let lineHeader = Array("PROXY TCP4 192.0.2.1 127.0.0.1 12345 8080\r\n".utf8)

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TrustedProxiesTests {
    /// What a request with these fields is seen as.
    private static func seen(
        _ configuration: WebSocketServer.Configuration, _ header: [UInt8] = [], _ lines: String...
    ) async throws -> String {
        let texts = Box<String>()
        try await withServer(configuration, http: describe, handler: describe) { _, port in
            let text = try await onThread {
                let client = try Client(port: port)
                let head = ["GET / HTTP/1.1", "Host: inside:80"] + lines + ["", ""]
                try client.send(header + Array(head.joined(separator: "\r\n").utf8))
                let localPort = try client.localPort
                return try client.readAnswer().text.replacing("127.0.0.1:\(localPort)", with: "CLIENT")
            }
            texts.put(text)
        }
        return try #require(await texts.take())
    }

    private static let told = [
        "X-Forwarded-For: 6.6.6.6, 192.0.2.1:99", "X-Forwarded-Proto: https", "X-Forwarded-Host: example.org",
    ]

    @Test func `without trusted proxies nobody's word counts`() async throws {
        let text = try await Self.seen(.with(), [], Self.told[0], Self.told[1], Self.told[2])
        #expect(text == "CLIENT http inside:80")
    }

    @Test func `the word of another address does not count`() async throws {
        let text = try await Self.seen(.trusting("10.0.0.0/8", "::1"), [], Self.told[0], Self.told[1], Self.told[2])
        #expect(text == "CLIENT http inside:80")
    }

    @Test func `a trusted proxy tells address, scheme and host`() async throws {
        let text = try await Self.seen(.trusting("127.0.0.0/8"), [], Self.told[0], Self.told[1], Self.told[2])
        #expect(text == "192.0.2.1:99 https example.org")
    }

    @Test func `Forwarded is read where it is what the proxies set, and nothing else`() async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", fields: .forwarded)
        let field = "Forwarded: for=6.6.6.6, for=\"[2001:db8::1]:99\";proto=https;host=example.org"
        #expect(try await Self.seen(configuration, [], Self.told[0], field) == "[2001:db8::1]:99 https example.org")
        #expect(try await Self.seen(configuration, [], Self.told[0]) == "CLIENT http inside:80")
        #expect(try await Self.seen(.trusting("127.0.0.1"), [], field) == "CLIENT http inside:80")
        #expect(try await Self.seen(.trusting("127.0.0.1", fields: .none), [], Self.told[0]) == "CLIENT http inside:80")
    }

    @Test func `each request of a connection is its own`() async throws {
        try await withServer(.trusting("127.0.0.1"), http: describe) { _, port in
            let texts = try await onThread {
                let client = try Client(port: port)
                return try ["192.0.2.1", "192.0.2.2"].map { address in
                    try client.sendRequest("GET", "/", "X-Forwarded-For: \(address)")
                    return try client.readAnswer().text
                }
            }
            #expect(texts == ["192.0.2.1:0 http localhost", "192.0.2.2:0 http localhost"])
        }
    }

    @Test func `fields that no proxy writes are refused`() async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", fields: .forwarded)
        let statistics = try await withServer(configuration, http: describe) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/", "Forwarded: for=\"6.6.6.6", "Forwarded: for=192.0.2.1")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == 400)
        }
        #expect(statistics.requestsRefused == 1)
    }

    @Test func `a WebSocket has the client's address, scheme and host`() async throws {
        try await withServer(.trusting("127.0.0.1"), handler: describe) { _, port in
            let text = try await onThread {
                let client = try Client(port: port)
                try client.open("/", Self.told)
                return try client.readText()
            }
            #expect(text == "192.0.2.1:99 https example.org")
        }
    }

    @Test func `the upgrade closure sees the client's address`() async throws {
        let addresses = Box<String>()
        try await withServer(
            .trusting("127.0.0.1"),
            upgrade: { request in
                addresses.put("\(request.remoteAddress)")
                return .accept()
            }
        ) { _, port in
            try await onThread { _ = try Client(port: port).open("/", Self.told) }
            #expect(await addresses.take() == "192.0.2.1:99")
        }
    }

    @Test(arguments: [
        (["Origin: https://example.org"], 101), (["Origin: http://example.org"], 403),
        (["Origin: https://inside"], 403),
        (["Origin: http://localhost"], 403),
    ])
    func `the same origin is that of the host and scheme the proxy tells`(lines: [String], status: Int) async throws {
        try await withServer(.trusting("127.0.0.1")) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake("/", Self.told + lines)
                return try client.readAnswer()
            }
            #expect(answer.status == status)
        }
    }

    @Test(arguments: [lineHeader, binaryHeader])
    func `a PROXY header tells the client's address`(header: [UInt8]) async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        #expect(try await Self.seen(configuration, header) == "192.0.2.1:12345 http inside:80")
        // The fields are the client's own, who is trusted by nobody.
        #expect(
            try await Self.seen(configuration, header, Self.told[0], Self.told[1]) == "192.0.2.1:12345 http inside:80")
    }

    @Test func `a header of the proxy itself tells nothing`() async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        let local: [UInt8] = Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x20, 0, 0, 0]
        #expect(try await Self.seen(configuration, local) == "CLIENT http inside:80")
        #expect(try await Self.seen(configuration, local, "X-Forwarded-For: 6.6.6.6") == "6.6.6.6:0 http inside:80")
    }

    @Test func `where the proxy cannot tell whose bytes they are, their fields are nobody's word`() async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        let unknown = Array("PROXY UNKNOWN\r\n".utf8)
        #expect(try await Self.seen(configuration, unknown) == "CLIENT http inside:80")
        #expect(try await Self.seen(configuration, unknown, "X-Forwarded-For: 6.6.6.6") == "CLIENT http inside:80")
    }

    @Test func `a client that the header names and that is trusted may tell of others`() async throws {
        let configuration = WebSocketServer.Configuration.trusting(
            "127.0.0.1", "192.0.2.0/24", proxyProtocol: .required)
        #expect(
            try await Self.seen(configuration, lineHeader, "X-Forwarded-For: 6.6.6.6") == "6.6.6.6:0 http inside:80")
    }

    @Test(arguments: [lineHeader, binaryHeader])
    func `a header that comes byte by byte is read, and a WebSocket behind it`(header: [UInt8]) async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        try await withServer(configuration, handler: describe) { _, port in
            let text = try await onThread {
                let client = try Client(port: port)
                for byte in header { try client.send([byte]) }
                try client.open()
                return try client.readText()
            }
            #expect(text == "192.0.2.1:12345 http localhost")
        }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "\u{16}\u{3}\u{1}"])
    func `a connection without a valid header is dropped without a word`(bytes: String) async throws {
        let configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        let statistics = try await withServer(configuration, http: describe) { server, port in
            try await onThread {
                let client = try Client(port: port)
                try client.send(bytes)
                do { try client.expectEnd() } catch Client.Failure.reset {}
            }
            try await until { server.statistics.connectionsNow == 0 }
        }
        #expect(statistics.proxyErrors == 1)
        #expect(statistics.requests == 0)
    }

    @Test func `a header from an address that is not trusted is not read`() async throws {
        let configuration = WebSocketServer.Configuration.trusting("10.0.0.0/8", proxyProtocol: .required)
        let statistics = try await withServer(configuration, http: describe) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.send(lineHeader)
                do { try client.expectEnd() } catch Client.Failure.reset {}
            }
        }
        #expect(statistics.proxyErrors == 1)
    }

    @Test func `a connection whose header does not come is closed when its time is over`() async throws {
        var configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        configuration.handshakeTimeout = .milliseconds(50)
        let statistics = try await withServer(configuration, http: describe) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.send("PROXY ")
                try client.expectEnd()
            }
        }
        #expect(statistics.handshakeTimeouts == 1)
    }

    @Test(arguments: ["localhost", "127.0.0.1/8", "", "10.0.0.0/33", "[::1]"])
    func `what is no address and no range is refused`(proxy: String) async {
        let code = await errorCode { _ = try makeServer(.trusting(proxy)) }
        #expect(code == .invalidConfiguration)
    }

    @Test func `the PROXY protocol of nobody is refused`() async {
        let code = await errorCode { _ = try makeServer(.with { $0.proxyProtocol = .required }) }
        #expect(code == .invalidConfiguration)
    }

    @Test func `the PROXY protocol together with TLS is refused`() throws {
        let certificate = try TestCertificate()
        let tls = TLSConfiguration(certificates: [
            .init(chain: .bytes(certificate.pem), key: .bytes(certificate.keyPEM))
        ])
        var configuration = WebSocketServer.Configuration.trusting("127.0.0.1", proxyProtocol: .required)
        configuration.tls = tls
        let error = #expect(throws: WebSocketError.self) { try makeServer(configuration) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("proxyProtocol is not read before TLS") == true)
    }

    @Test func `whoever connects over a Unix socket is trusted where that is said`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for isTrusted in [true, false] {
            var configuration = WebSocketServer.Configuration(unixSocketPath: folder.path(of: "socket"))
            configuration.threads = 1
            configuration.shutdownSignals = []
            configuration.trustsUnixPeers = isTrusted
            let path = folder.path(of: "socket")
            try await withServer(configuration, http: describe) { _, _ in
                let text = try await onThread {
                    let client = try Client(unixSocketPath: path)
                    try client.sendRequest("GET", "/", "X-Forwarded-For: 192.0.2.1")
                    return try client.readAnswer().text
                }
                #expect(text == (isTrusted ? "192.0.2.1:0 http localhost" : "unix: http localhost"))
            }
        }
    }
}
