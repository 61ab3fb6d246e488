import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct EngineSessionSendingTests {
    /// While it waits, and before.
    @Test(arguments: [true, false])
    func `a task that is cancelled gives up its wait for a poll, and what it emits is not sent`(
        waits: Bool
    ) async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxQueuedBytes = 1
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            try await socket.emit("x", 1)
            let emitting = Task { try await socket.emit("x", 2) }
            if waits { try await until { socket.client.session.state.withLock { !$0.senders.isEmpty } } }
            emitting.cancel()
            await #expect(throws: CancellationError.self) { try await emitting.value }
            #expect(try await onThread { try poller.poll() } == [#"42["x",1]"#])
            try await socket.emit("x", 3)
            #expect(try await onThread { try poller.poll() } == [#"42["x",3]"#])
            poller.connection.close()
        }
    }
}
