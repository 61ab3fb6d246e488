import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Joining namespaces, while what decides on it takes its time.
@Suite(.timeLimit(.minutes(1)))
struct ClientTests {
    /// Holds whoever passes until it is opened.
    private final class Gate: Sendable {
        private struct State {
            var isOpen = false
            var waiters: [CheckedContinuation<Void, Never>] = []
        }

        private let state = Mutex(State())

        var waiting: Int { state.withLock { $0.waiters.count } }

        func pass() async {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.isOpen { state.waiters.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
        }

        func open() {
            let waiters = state.withLock { state in
                defer { state.waiters = [] }
                state.isOpen = true
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    @Test func `who comes back misses nothing that was sent while a middleware took its time`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init(skipsMiddlewares: false)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.use { socket in if socket.isRecovered { await gate.pass() } }
            let lost = try await onThread { try joined(port: port, nil) }
            let welcome = try await onThread {
                try lost.send(.text("40"))
                return try lost.readText()
            }
            try await until { io.root.sockets.count == 1 }
            try await io.emit("x", 0)
            let first = try await onThread { try lost.readText() }
            let (pid, offset) = (welcome.split(separator: "\"")[7], first.split(separator: "\"")[3])
            try await onThread { try lost.reset() }
            try await until { io.root.sockets.isEmpty }
            try await io.emit("x", 1)
            let back = try await onThread { try joined(port: port, nil) }
            try await onThread { try back.send(.text(#"40{"pid":"\#(pid)","offset":"\#(offset)"}"#)) }
            try await until { gate.waiting == 1 }
            try await io.emit("x", 2)
            gate.open()
            let heard = try await onThread { try (0..<3).map { _ in try back.readText() } }
            #expect(heard[0] == welcome)
            #expect(heard[1].hasPrefix(#"42["x",1,"#) && heard[2].hasPrefix(#"42["x",2,"#))
            back.close()
        }
    }

    @Test func `who asks for namespaces faster than they are decided on is not listened to`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 1000
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.of { _, _ in true }.use { _ in await gate.pass() }
            let client = try await onThread { try joined(port: port, nil) }
            try await onThread { for number in 0..<100 { try client.send(.text("40/\(number)")) } }
            try await until { gate.waiting > 10 }
            for _ in 0..<100 { await Task.yield() }
            #expect(gate.waiting < 20)
            gate.open()
            let answers = try await onThread { try (0..<100).map { _ in try client.readText() } }
            #expect(answers.allSatisfy { $0.hasPrefix("40/") })
            client.close()
        }
    }

    @Test func `a namespace that clients have made is found by its name, and goes with the last of them`() async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.forgetsEmptyNamespaces = true
        try await withSocketIO(configuration) { io, port in
            let parent = io.of { name, _ in name == "/room" }
            let client = try await onThread { try joined(port: port, "/room") }
            #expect(Array(parent.children.keys) == ["/room"])
            let found = io.of("/room")
            #expect(found === parent.children["/room"])
            try await until { found.sockets.count == 1 }
            try await found.emit("x")
            #expect(try await onThread { try client.readText() } == #"42/room,["x"]"#)
            try await onThread { try client.reset() }
            try await until { parent.children.isEmpty }
        }
    }
}
