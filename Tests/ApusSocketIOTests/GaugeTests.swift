import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

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

    @Test func `rooms show in the gauge, until they are left`() async {
        // A process of its own: the gauge is the whole process's.
        await #expect(processExitsWith: .success) {
            try await withSocketIO { io, port in
                let poller = try await onThread { try Poller(port: port) }
                let socket = try #require(io.root.sockets.values.first)
                let rooms = (0..<30_000).map { "room \($0)" }
                let before = MemoryGauge.current
                await socket.join(rooms)
                try #require(MemoryGauge.current > before + 12_000_000)
                await socket.leave(rooms)
                try #require(MemoryGauge.current < before + 2_000_000)
                poller.connection.close()
            }
        }
    }

    @Test func `acknowledgements that are awaited show in the gauge, until the client has gone`() async {
        await #expect(processExitsWith: .success) {
            try await withSocketIO { io, port in
                let before = MemoryGauge.current
                let poller = try await onThread { try Poller(port: port) }
                let socket = try #require(io.root.sockets.values.first)
                try await withThrowingTaskGroup { group in
                    for _ in 0..<5000 {
                        group.addTask {
                            await #expect(throws: SocketIOError.self) {
                                let _: JSON = try await socket.emitWithAck("x")
                            }
                        }
                    }
                    while socket.state.withLock({ $0.acknowledgements.count }) < 5000 { await Task.yield() }
                    try #require(MemoryGauge.current > before + 10_000_000)
                    socket.disconnect(close: true)
                    try await group.waitForAll()
                }
                poller.connection.close()
                try await until { io.root.sockets.isEmpty }
                try #require(MemoryGauge.current < before + 2_000_000)
            }
        }
    }
}
