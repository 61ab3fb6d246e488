import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Handlers, and those who have left.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SocketEventsTests {
    @Test func `an event that waits behind the one that throws its client out is not handled`() async throws {
        let gate = Gate()
        let (heard, left) = (Counter(), Counter())
        try await withSocketIO { io, port in
            io.onConnection { socket in
                socket.on("x") { (_: SocketEvent) in
                    heard.increment()
                    await gate.pass()
                    socket.disconnect()
                }
                socket.onDisconnect { _ in left.increment() }
            }
            let client = try await onThread { try joined(port: port) }
            try await onThread {
                try client.send(.text(#"42["x"]"#), .text(#"42["x"]"#), .text("40/nowhere,"))
                #expect(try client.readText().hasPrefix("44/nowhere,"))
            }
            try await until { gate.waiting == 1 }
            gate.open()
            try await until { left.count == 1 }
            #expect(heard.count == 1)
            client.close()
        }
    }

    @Test func `what begins when handlers are to hurry is told so, too`() async throws {
        let told = Mutex<[Bool]>([])
        try await withSocketIO { io, port in
            io.onConnection { socket in
                socket.onDisconnect { _ in told.withLock { $0.append(Task.isCancelled) } }
            }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            try await until { socket.state.withLock { !$0.isWorking } }
            let finishing = Task { await io.core.work.finish(by: .now) }
            try await until { socket.state.withLock { $0.isCancelled } }
            socket.disconnect()
            await finishing.value
            #expect(told.withLock { $0 } == [true])
            client.close()
        }
    }

    @Test func `who has left joins no room, and keeps those that it was in`() async throws {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            await socket.join("a")
            socket.disconnect()
            await socket.join("b")
            await socket.leave("a")
            #expect(socket.rooms == ["a", Name(socket.id)])
            client.close()
        }
    }

    @Test func `what waits for a client's poll when the client is lost is sent when it comes back`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        configuration.maxQueuedBytes = 1000
        configuration.pingInterval = .seconds(3600)
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            try await socket.emit("x", 0)
            let offset = try await onThread { try poller.poll() }.first?.split(separator: "\"").dropLast().last
            let text = String(repeating: "y", count: 800)
            try await socket.emit("x", 1, text)
            let emitting = Task { try await socket.emit("x", 2, text) }
            try await until { socket.client.session.state.withLock { $0.senders.count == 1 } }
            socket.client.session.fail()
            try await emitting.value
            let auth = #"{"pid":"\#(socket.privateID ?? "")","offset":"\#(offset ?? "")"}"#
            let back = try await onThread { try Recoverable(port: port, auth) }
            #expect(back.id == socket.id)
            let heard = try await onThread { [try back.hearNumber(), try back.hearNumber()] }
            #expect(heard == [#"42["x",1"#, #"42["x",2"#])
            back.client.close()
            poller.connection.close()
        }
    }
}
