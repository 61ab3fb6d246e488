import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// What sessions hold is in the gauge of the whole process, beside what other tests hold; so only what is large shows.
@Suite(.serialized, .withPeers, .timeLimit(.minutes(5)))
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

    /// Whether `body` sees the gauge grow by so much, and fall again. Other tests of this process give and take
    /// meanwhile, so a few attempts are made.
    private static func shows(_ growth: Int, _ body: (() -> Void) async throws -> Void) async throws -> Bool {
        for _ in 0..<5 {
            let before = MemoryGauge.current
            var full = before
            try await body { full = MemoryGauge.current }
            if full > before + growth, MemoryGauge.current < before + growth / 2 { return true }
        }
        return false
    }

    @Test func `rooms show in the gauge, until they are left`() async throws {
        try await withSocketIO { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let rooms = (0..<30_000).map { "room \($0)" }
            let isShown = try await Self.shows(12_000_000) { noteFull in
                await socket.join(rooms)
                noteFull()
                await socket.leave(rooms)
            }
            #expect(isShown)
            poller.connection.close()
        }
    }

    @Test func `acknowledgements that are awaited show in the gauge, until the client has gone`() async throws {
        try await withSocketIO { io, port in
            let isShown = try await Self.shows(10_000_000) { noteFull in
                let poller = try await onThread { try Poller(port: port) }
                let socket = try #require(io.root.sockets.values.first)
                await withTaskGroup { group in
                    for _ in 0..<5000 {
                        group.addTask {
                            await #expect(throws: SocketIOError.self) {
                                let _: JSON = try await socket.emitWithAck("x")
                            }
                        }
                    }
                    while socket.state.withLock({ $0.acknowledgements.count }) < 5000 { await Task.yield() }
                    noteFull()
                    socket.disconnect(close: true)
                }
                poller.connection.close()
                try await until { io.root.sockets.isEmpty }
            }
            #expect(isShown)
        }
    }
}
