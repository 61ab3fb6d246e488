import CApus
import CApusCore
import Synchronization
import TestSupport
import Testing

/// The core's client against the core's server.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ClientTests {
    @Test(arguments: [0, 125, 70_000, 200_000, 900_000])
    func `a message of any size comes back`(count: Int) async throws {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let end = try await onThread {
            let server = try CoreServer()
            defer { server.stop() }
            let client = try CoreClient(message: message)
            defer { client.loop.free() }
            return client.run(port: server.port)
        }
        #expect(end == .ended(APUS_OK, echoed: message))
    }

    @Test func `a port where nobody listens fails`() async throws {
        let end = try await onThread {
            let client = try CoreClient(message: [])
            defer { client.loop.free() }
            return client.run(port: try RawServer.closedPort())
        }
        #expect(end == .failed(APUS_ECONNECT))
    }

    @Test func `without memory an attempt or its connection ends, and the next one is served`() async throws {
        try await onThread {
            let server = try CoreServer()
            defer { server.stop() }
            // Larger than the cork, so that a part of it is queued.
            let message = [UInt8](repeating: 7, count: 300_000)
            let client = try CoreClient(message: message)
            defer { client.loop.free() }
            let count = client.runUntilWhole(message, port: server.port)
            #expect(count > 5, "the client, its opening, its requests, its connection")
        }
    }

    // MARK: TLS

    @Test(arguments: [0, 125, 900_000])
    func `a message of any size comes back over TLS`(count: Int) async throws {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await onThread {
            let tls = try TLSContexts()
            let server = try CoreServer { $0.endpoint.tls = tls.server }
            let client = try CoreClient(message: message, serverName: "localhost.", tls: tls.client)
            defer { client.loop.free() }
            #expect(client.run(port: server.port) == .ended(APUS_OK, echoed: message))
            #expect(client.run(port: server.port) == .ended(APUS_OK, echoed: message))
            let statistics = server.stop()
            #expect(statistics.tls_handshakes == 2)
            #expect(statistics.tls_resumptions == 1)
            #expect(statistics.tls_truncations == 0)
        }
    }

    @Test func `a certificate for another host ends the opening`() async throws {
        try await onThread {
            let tls = try TLSContexts()
            let server = try CoreServer { $0.endpoint.tls = tls.server }
            let client = try CoreClient(message: [], serverName: "other.example", tls: tls.client)
            defer { client.loop.free() }
            #expect(client.run(port: server.port) == .failed(APUS_EWRONGHOST))
            #expect(server.stop().tls_failures == 1, "the alert has arrived")
        }
    }

    @Test(arguments: [("", APUS_EHOST), (".", APUS_EHOST), (String(repeating: "a", count: 256), APUS_EHOST)])
    func `a server's name that no certificate can have is refused at once`(name: String, error: apus_error)
        async throws
    {
        try await onThread {
            let tls = try TLSContexts()
            let client = try CoreClient(message: [], serverName: name, tls: tls.client)
            defer { client.loop.free() }
            #expect(client.run(port: 1) == .refused(error))
        }
    }

    @Test func `TLS without a context is refused at once`() async throws {
        try await onThread {
            let client = try CoreClient(message: [], serverName: "localhost")
            defer { client.loop.free() }
            #expect(client.run(port: 1) == .refused(APUS_EINVAL))
        }
    }

    @Test func `without memory an attempt over TLS ends, and the next one is served`() async throws {
        try await onThread {
            let tls = try TLSContexts()
            let server = try CoreServer { $0.endpoint.tls = tls.server }
            defer { server.stop() }
            let message = [UInt8](repeating: 7, count: 100_000)
            let client = try CoreClient(message: message, serverName: "localhost", tls: tls.client)
            defer { client.loop.free() }
            let count = client.runUntilWhole(message, port: server.port)
            #expect(count > 8, "the client, its opening, its requests, its connection, its TLS")
        }
    }

    @Test func `a client's connection cannot subscribe to a topic, whose frames are not masked`() async throws {
        let result = Mutex<CInt>(0)
        try await onThread {
            let server = try CoreServer()
            defer { server.stop() }
            let client = try CoreClient(
                message: [1],
                onOpen: { connection, loop in
                    guard let topic = apus_topic_new([loop], 1) else { return }
                    let error = apus_topic_subscribe(topic, connection)
                    result.withLock { $0 = error }
                    apus_topic_release(topic)
                })
            defer { client.loop.free() }
            _ = client.run(port: server.port)
        }
        #expect(result.withLock { $0 } == APUS_EINVAL.rawValue)
    }
}

extension CoreClient {
    /// Lets one allocation after the other fail until all is well in spite of it; each time the next attempt is served.
    /// Gives which one no longer did any harm.
    fileprivate func runUntilWhole(_ message: [UInt8], port: Int) -> UInt32 {
        let whole = End.ended(APUS_OK, echoed: message)
        for nth in 1...200 as ClosedRange<UInt32> {
            let end = run(port: port, failing: nth)
            #expect(run(port: port) == whole)
            if end == whole { return nth }
        }
        Issue.record("after two hundred allocations there is no end to them")
        return 0
    }
}
