@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketServerTLSTests {
    private static func tls(_ certificate: TestCertificate) -> TLSConfiguration {
        TLSConfiguration(certificates: [.init(chain: .bytes(certificate.pem), key: .bytes(certificate.keyPEM))])
    }

    @Test func `a certificate that is loaded while the server begins to listen is that of all its event loops`()
        async throws
    {
        let authority = try TestCertificate("an authority", isAuthority: true)
        let first = try TestCertificate(issuer: authority)
        let next = try TestCertificate("the next one", names: "DNS:localhost", issuer: authority)
        let server = try makeServer(.with { $0.tls = Self.tls(first) })
        // The listeners open one after the other; none does before the certificate has changed.
        let blockers = server.loops.map { loop in
            let blocker = Blocker()
            loop.post { blocker.wait() }
            return blocker
        }
        let listening = Box<Int>()
        let running = Task { try await server.run(onListening: { listening.put($0.port) }, handler: echo) }
        try await until { server.listeners.withLock { !$0.isEmpty } }
        for _ in 0..<1000 { await Task.yield() }
        try server.reloadTLS(Self.tls(next))
        for blocker in blockers { blocker.release() }
        let port = try #require(await listening.take())
        for loop in server.loops { await loop.run {} }
        let names = try await onThread {
            try (0..<32).map { _ in try Client(port: port, tls: .init(root: authority)).serverName }
        }
        #expect(Set(names) == ["the next one"])
        running.cancel()
        try await running.value
    }
}
