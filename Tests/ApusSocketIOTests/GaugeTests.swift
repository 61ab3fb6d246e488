import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// What sessions hold is in the gauge of the whole process, beside what other tests hold; so only what is large shows.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct GaugeTests {
    @Test func `a session reports its queue, and takes it back`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxQueuedBytes = 200_000
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let session = try #require(io.root.sockets.values.first).client.session
            let idle = session.state.withLock { $0.gaugedBytes }
            #expect(idle > 1024)
            session.post([.text("4" + String(repeating: "x", count: 99_999))])
            #expect(session.state.withLock { $0.gaugedBytes } == idle + 100_000 + SessionMachine.messageOverhead)
            _ = try await onThread { try poller.poll() }
            #expect(session.state.withLock { $0.gaugedBytes } == idle)
            poller.connection.close()
        }
    }
}
