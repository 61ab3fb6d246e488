import CApusCore
import TestSupport
import Testing

struct TLSTests {
    private let authority: TestCertificate
    private let certificate: TestCertificate
    private let servers: TLSContext
    private let clients: TLSContext

    init() throws {
        authority = try TestCertificate("an authority", isAuthority: true)
        certificate = try TestCertificate(issuer: authority)
        servers = try TLSContext(APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)])
        clients = try TLSContext(APUS_ROLE_CLIENT, roots: authority.pem)
    }

    private static let hello = Array("hello".utf8)

    /// A pair with its handshake done.
    private func openPair(host: String = "localhost") throws -> TLSPair {
        let pair = try TLSPair(clients, servers, host: host)
        pair.exchange()
        #expect(pair.client.isOpen && pair.server.isOpen)
        return pair
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `both ends speak TLS 1.3, and the client knows whom to`(host: String) throws {
        let pair = try openPair(host: host)
        #expect(pair.server.version == "TLSv1.3")
        #expect(pair.client.agreedProtocol == "http/1.1")
        #expect(pair.client.peerCertificate == certificate.der)
        #expect(pair.server.peerCertificate.isEmpty)
        // An address is no name (RFC 6066 §3).
        #expect(pair.server.serverName == (host == "localhost" ? host : ""))
    }

    @Test func `plaintext comes out as it went in, whatever its size`() throws {
        let pair = try openPair()
        for size in [0, 1, 16_383, 16_384, 16_385, 100_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let before = pair.server.plaintext.count
            #expect(pair.client.send(bytes) == APUS_OK)
            #expect(size == 0 || !pair.client.outgoing.contains(Self.hello))
            pair.exchange()
            #expect(Array(pair.server.plaintext.dropFirst(before)) == bytes)
        }
    }

    @Test func `byte by byte it is the same`() throws {
        let pair = try TLSPair(clients, servers)
        let bytewise: ([UInt8]) -> [ArraySlice<UInt8>] = { bytes in bytes.indices.map { bytes[$0...$0] } }
        pair.exchange(bytewise)
        #expect(pair.client.send(Self.hello) == APUS_OK)
        #expect(pair.server.send(Self.hello) == APUS_OK)
        pair.exchange(bytewise)
        #expect(pair.server.plaintext == Self.hello)
        #expect(pair.client.plaintext == Self.hello)
    }

    @Test func `cut at every place it is the same`() throws {
        let pair = try openPair()
        #expect(pair.client.send(Self.hello) == APUS_OK)
        #expect(pair.client.send(Self.hello) == APUS_OK)
        let size = pair.client.takeOutgoing().count
        for cut in 0...size {
            let pair = try openPair()
            #expect(pair.client.send(Self.hello) == APUS_OK)
            #expect(pair.client.send(Self.hello) == APUS_OK)
            pair.exchange { [$0.prefix(cut), $0.dropFirst(cut)] }
            #expect(pair.server.plaintext == Self.hello + Self.hello)
        }
    }

    @Test func `a small buffer for plaintext is filled again and again`() throws {
        let pair = try openPair()
        #expect(pair.client.send(Array(repeating: 7, count: 1000)) == APUS_OK)
        pair.server.receive(pair.client.takeOutgoing(), buffer: 3)
        #expect(pair.server.plaintext == Array(repeating: 7, count: 1000))
    }

    @Test func `close_notify is the end, and comes once`() throws {
        let pair = try openPair()
        #expect(pair.client.send(Self.hello) == APUS_OK)
        #expect(pair.client.close() == APUS_OK)
        #expect(pair.client.close() == APUS_OK)
        pair.server.receive(pair.client.takeOutgoing() + [1, 2, 3])
        #expect(pair.server.plaintext == Self.hello)
        #expect(pair.server.hasEnded)
        #expect(pair.server.error == APUS_OK)
        // The other direction goes on (RFC 8446 §6.1).
        #expect(pair.server.send(Self.hello) == APUS_OK)
        pair.exchange()
        #expect(pair.client.plaintext == Self.hello)
        #expect(!pair.client.hasEnded)
    }

    @Test func `a record that was changed fails the connection, and the peer is told`() throws {
        let pair = try openPair()
        #expect(pair.client.send(Self.hello) == APUS_OK)
        var bytes = pair.client.takeOutgoing()
        bytes[bytes.count - 1] ^= 1
        pair.server.receive(bytes)
        #expect(pair.server.error == APUS_ETLS)
        #expect(!pair.server.words.isEmpty)
        #expect(!pair.server.isOpen)
        #expect(pair.server.send(Self.hello) == APUS_ETLS)
        pair.exchange()
        #expect(pair.client.error == APUS_EALERT)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n", "P"])
    func `HTTP in plain text gets an answer in plain text`(request: String) throws {
        let server = try TLSEnd(servers)
        server.receive(Array(request.utf8))
        #expect(server.error == APUS_ETLSPLAIN)
        let answer = String(decoding: server.takeOutgoing(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(answer.contains("Content-Length: \(parts.last?.utf8.count ?? 0)\r\n"))
    }

    @Test func `a server that speaks no TLS is told apart`() throws {
        let client = try TLSEnd(clients, host: "localhost")
        client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        #expect(client.error == APUS_ENOTTLS)
    }

    @Test func `anything else that is no TLS fails`() throws {
        for byte in 0...255 as ClosedRange<UInt8> where !(65...90).contains(byte) {
            let server = try TLSEnd(servers)
            server.receive([byte] + Array(repeating: 0xff, count: 600))
            #expect(server.error == APUS_ETLS, "\(byte)")
        }
    }

    /// What a client says of a server that it should not trust.
    private func refusal(_ certificate: TestCertificate, host: String = "localhost") throws -> apus_error {
        let servers = try TLSContext(APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)])
        let pair = try TLSPair(clients, servers, host: host)
        pair.exchange()
        #expect(pair.server.error == APUS_EALERT)
        #expect(!pair.client.words.isEmpty)
        return pair.client.error
    }

    @Test func `a client refuses a certificate for each reason by its name`() throws {
        #expect(try refusal(TestCertificate()) == APUS_EUNTRUSTED)
        #expect(try refusal(TestCertificate(days: -10 ... -1, issuer: authority)) == APUS_EEXPIRED)
        #expect(try refusal(TestCertificate(days: 1...2, issuer: authority)) == APUS_EEXPIRED)
        #expect(try refusal(certificate, host: "example.org") == APUS_EWRONGHOST)
        #expect(try refusal(certificate, host: "127.0.0.2") == APUS_EWRONGHOST)
        #expect(try refusal(TestCertificate(names: "DNS:*.example.org", issuer: authority)) == APUS_EWRONGHOST)
        // Its common name, which says nothing (RFC 9525 §2), is "localhost".
        #expect(try refusal(TestCertificate(names: "IP:127.0.0.9", issuer: authority)) == APUS_EWRONGHOST)
        let partial = try TestCertificate(names: "DNS:a*.example.org,DNS:*b.example.org", issuer: authority)
        #expect(try refusal(partial, host: "ab.example.org") == APUS_EWRONGHOST)
    }

    @Test func `a client may be told to take anybody`() throws {
        let pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, verification: APUS_TLS_VERIFY_NONE), servers, host: "x.org")
        pair.exchange()
        #expect(pair.client.isOpen)
    }

    @Test func `a self-signed certificate may be its own root`() throws {
        let own = try TestCertificate()
        let servers = try TLSContext(APUS_ROLE_SERVER, [(own.pem, own.keyPEM)])
        let pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, roots: own.pem), servers)
        pair.exchange()
        #expect(pair.client.isOpen)
    }

    /// `common.example` is the common name of the last one, which has no names beside it.
    @Test(arguments: [
        ("a.example", 1), ("b.example", 2), ("x.b.example", 2), ("other.example", 0), ("common.example", 0),
    ])
    func `a server shows the certificate for the name that is asked for`(host: String, index: Int) throws {
        let all = [
            certificate, try TestCertificate("a", names: "DNS:a.example", issuer: authority),
            try TestCertificate("b", names: "DNS:b.example,DNS:*.b.example", issuer: authority),
            try TestCertificate("common.example", names: "IP:127.0.0.9", issuer: authority),
        ]
        let servers = try TLSContext(APUS_ROLE_SERVER, all.map { ($0.pem, $0.keyPEM) })
        let pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, verification: APUS_TLS_VERIFY_NONE), servers, host: host)
        pair.exchange()
        #expect(pair.client.peerCertificate == all[index].der)
        #expect(pair.client.agreedProtocol == "http/1.1")
    }

    @Test(arguments: [
        (["h2", "http/1.1"], ["http/1.1"], "http/1.1"), (["http/1.1", "h2"], ["h2", "http/1.1"], "h2"),
        ([], ["h2"], ""), (["h2"], [], ""),
    ])
    func `of protocols the server's preference counts`(offered: [String], spoken: [String], agreed: String) throws {
        let servers = try TLSContext(APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)], protocols: spoken)
        let clients = try TLSContext(APUS_ROLE_CLIENT, protocols: offered, roots: authority.pem)
        let pair = try TLSPair(clients, servers)
        pair.exchange()
        #expect(pair.client.isOpen)
        #expect(pair.client.agreedProtocol == agreed)
        #expect(pair.server.agreedProtocol == agreed)
    }

    @Test func `without a common protocol there is no connection`() throws {
        let pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, protocols: ["h2"], roots: authority.pem), servers)
        pair.exchange()
        #expect(pair.server.error == APUS_ETLS)
        #expect(pair.client.error == APUS_EALERT)
    }

    @Test func `the next connection to a host takes up its session, and with another context it does not`() throws {
        #expect(try !openPair().client.isResumed)
        #expect(try openPair().server.isResumed)
        #expect(try openPair().client.isResumed)
        #expect(try !openPair(host: "127.0.0.1").client.isResumed)
        // As after a reload: the server cannot read the ticket, and there is a full handshake.
        let fresh = try TLSContext(APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)])
        let pair = try TLSPair(clients, fresh)
        pair.exchange()
        #expect(pair.client.isOpen && !pair.client.isResumed)
    }

    /// A server that asks for certificates of the authority, and a client with this one.
    private func clientShowing(_ own: TestCertificate?, _ verification: apus_tls_verification) throws -> TLSPair {
        let servers = try TLSContext(
            APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)], verification: verification, roots: authority.pem)
        let shown = own.map { [($0.pem, $0.keyPEM)] } ?? []
        let pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, shown, roots: authority.pem), servers)
        pair.exchange()
        return pair
    }

    @Test func `a server may ask for a certificate`() throws {
        let own = try TestCertificate("a client", names: "email:a@example.org", issuer: authority)
        let stranger = try TestCertificate("a stranger")
        #expect(try clientShowing(own, APUS_TLS_VERIFY_REQUIRED).server.peerCertificate == own.der)
        #expect(try clientShowing(own, APUS_TLS_VERIFY_OPTIONAL).server.peerCertificate == own.der)
        #expect(try clientShowing(nil, APUS_TLS_VERIFY_OPTIONAL).server.isOpen)
        #expect(try clientShowing(nil, APUS_TLS_VERIFY_REQUIRED).server.error == APUS_ENOCERTIFICATE)
        #expect(try clientShowing(nil, APUS_TLS_VERIFY_REQUIRED).client.error == APUS_EALERT)
        #expect(try clientShowing(stranger, APUS_TLS_VERIFY_OPTIONAL).server.error == APUS_EUNTRUSTED)
    }

    @Test func `a client names a host, a server does not`() {
        #expect(throws: TLSContext.Failure(error: APUS_EINVAL, words: "")) { try TLSEnd(clients) }
        #expect(throws: TLSContext.Failure(error: APUS_EINVAL, words: "")) {
            try TLSEnd(clients, host: String(repeating: "x", count: 256))
        }
        #expect(throws: TLSContext.Failure(error: APUS_EINVAL, words: "")) { try TLSEnd(servers, host: "localhost") }
    }

    @Test func `a connection outlives its context's other references`() throws {
        var pair: TLSPair?
        do {
            let servers = try TLSContext(APUS_ROLE_SERVER, [(certificate.pem, certificate.keyPEM)])
            pair = try TLSPair(TLSContext(APUS_ROLE_CLIENT, roots: authority.pem), servers)
        }
        pair?.exchange()
        #expect(pair?.server.isOpen == true)
    }

    @Test func `every allocation of ours may fail, and the connection with it`() throws {
        for nth in 1...100 as ClosedRange<UInt32> {
            apus_alloc_fail(nth)
            defer { apus_alloc_fail(0) }
            guard let pair = try? TLSPair(clients, servers) else { continue }  // the context is there, memory is not
            pair.exchange()
            _ = pair.server.send(Self.hello)
            apus_alloc_fail(0)
            pair.exchange()
            if pair.client.plaintext == Self.hello { return }
            #expect([pair.client.error, pair.server.error].contains { $0 != APUS_OK } || nth > 3)
        }
        Issue.record("there is no end to the allocations")
    }

    @Test func `OpenSSL's memory counts: in the handshake, open, and with half a record`() throws {
        func growth(_ body: () throws -> Void) rethrows -> Int {
            let before = apus_memory_here()
            try body()
            return apus_memory_here() - before
        }
        let client = try TLSEnd(clients, host: "localhost")
        var server: TLSEnd?
        #expect(try growth { server = try TLSEnd(servers) } > 9000)
        let hello = client.takeOutgoing()
        #expect(growth { server?.receive(hello) } > 30_000)
        client.receive(try #require(server?.takeOutgoing()))
        let finished = client.takeOutgoing()
        #expect(growth { server?.receive(finished) } < -20_000)
        #expect(client.send([UInt8](repeating: 7, count: 16_000)) == APUS_OK)
        let record = client.takeOutgoing()
        #expect(growth { server?.receive(record.prefix(9000)) } > 16_000)
        #expect(growth { server?.receive(record.dropFirst(9000)) } < -16_000)
        #expect(server?.plaintext.count == 16_000)
        #expect(growth { server = nil } < -18_000)
    }
}

extension [UInt8] {
    /// Whether the bytes stand in these, one behind the other.
    fileprivate func contains(_ bytes: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: bytes) }
    }
}
