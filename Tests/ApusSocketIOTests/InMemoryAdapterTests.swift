import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Broadcasts that no single topic has the recipients of, or that are more than one message.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct InMemoryAdapterTests {
    /// A way of the packets, from which what a client hears is read.
    private enum Listener: Sendable {
        case webSocket(TestSupport.Client)
        case poller(Poller)

        /// The next packets: events as text, attachments as Base64 behind `b`.
        func next() throws -> [String] {
            switch self {
            case .webSocket(let client):
                let message = try client.readMessage()
                guard message.opcode == Frame.Opcode.binary else {
                    return [String(decoding: message.payload, as: UTF8.self)]
                }
                var text = Array("b".utf8)
                Base64.encode(message.payload, into: &text)
                return [String(decoding: text, as: UTF8.self)]
            case .poller(let poller): return try poller.poll()
            }
        }

        /// What is heard before the event `end`.
        func heard() throws -> [String] {
            var packets: [String] = []
            while packets.last != #"42["end"]"# { packets += try next().filter { $0 != "2" } }
            return packets.dropLast()
        }
    }

    /// Three clients by WebSocket, on either of two loops, and one that polls, in rooms by their number: `n`, and
    /// `even` or `odd`.
    private static func withListeners(
        _ body: (SocketIOServer, [String], @escaping () async throws -> [[String]]) async throws -> Void
    ) async throws {
        try await withSocketIO { io, port in
            var listeners: [Listener] = []
            var ids: [String] = []
            for number in 0..<4 {
                listeners.append(
                    try await onThread {
                        number == 3 ? .poller(try Poller(port: port)) : .webSocket(try joined(port: port))
                    })
                try await until { io.root.sockets.count == number + 1 }
                let socket = try #require(io.root.sockets.values.first { !ids.contains($0.id) })
                await socket.join("\(number)", number.isMultiple(of: 2) ? "even" : "odd")
                ids.append(socket.id)
            }
            let all = listeners
            try await body(io, ids) {
                try await io.emit("end")
                return try await onThread { try all.map { try $0.heard() } }
            }
        }
    }

    @Test func `each hears what is for it, once and in order, whatever names it`() async throws {
        try await Self.withListeners { io, ids, heard in
            try await io.emit("a", 0)
            try await io.to("even", "0", "1").emit("a", 1)
            try await io.except("odd").emit("a", 2)
            try await io.to("even", "odd").except("2").emit("a", 3)
            try await io.to(ids[1], "3").emit("a", 4)
            try await io.except(ids[0], ids[3]).emit("a", 5)
            try await io.to("nobody", "0").except("0").emit("a", 6)
            // No publication leaves out two.
            try await io.except(ids[0], ids[1]).emit("a", 7)
            let expected = [[0, 1, 2, 3], [0, 1, 3, 4, 5], [0, 1, 2, 5, 7], [0, 3, 4, 7]]
            #expect(try await heard() == expected.map { $0.map { #"42["a",\#($0)]"# } })
        }
    }

    @Test func `rooms are named one by one or by an array, whoever emits`() async throws {
        try await Self.withListeners { io, ids, heard in
            try await io.to(["0", "1"]).emit("a", 0)
            try await io.in(["even"]).except(["2"]).emit("a", 1)
            try await io.except(["even", "1"]).emit("a", 2)
            let last = try #require(io.root.sockets[Name(ids[3])])
            try await last.to(["0", "3"]).emit("a", 3)
            try await last.in(["1"]).emit("a", 4)
            try await last.except(["even"]).emit("a", 5)
            try await io.root.to(["2"]).in(["0"]).emit("a", 6)
            try await io.root.in(["1"]).except([]).emit("a", 7)
            try await io.root.except(["odd"]).emit("a", 8)
            // An empty array names no room.
            try await io.to([]).emit("a", 9)
            await io.socketsJoin(["new", "newer"])
            await io.in(["even"]).socketsLeave(["new"])
            await io.root.socketsLeave(["nowhere", "newer"])
            try await io.to("new", "newer").emit("a", 10)
            let expected = [
                [0, 1, 3, 6, 8, 9], [0, 4, 5, 7, 9, 10], [6, 8, 9], [2, 9, 10],
            ]
            #expect(try await heard() == expected.map { $0.map { #"42["a",\#($0)]"# } })
            await io.disconnectSockets()
            #expect(io.root.sockets.isEmpty)
        }
    }

    @Test func `attachments follow their event, by a topic and without one`() async throws {
        try await Self.withListeners { io, ids, heard in
            let large = [UInt8](repeating: 7, count: 200_000)
            try await io.emit("a", [1, 2, 3] as [UInt8], large)
            try await io.to("even", "odd").except(ids[0]).emit("b", [] as [UInt8])
            try await io.to("odd").emit("c", [4] as [UInt8])
            var encoded = Array("b".utf8)
            Base64.encode(large, into: &encoded)
            let first = [
                #"452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#, "bAQID",
                String(decoding: encoded, as: UTF8.self),
            ]
            let second = [#"451-["b",{"_placeholder":true,"num":0}]"#, "b"]
            let third = [#"451-["c",{"_placeholder":true,"num":0}]"#, "bBA=="]
            #expect(try await heard() == [first, first + second + third, first + second, first + second + third])
        }
    }

    @Test func `all of several rooms are asked once each`() async throws {
        try await withSocketIO { io, port in
            let clients = try await onThread { try (0..<3).map { _ in try joined(port: port) } }
            try await until { io.root.sockets.count == 3 }
            for socket in io.root.sockets.values { await socket.join("a", "b") }
            async let answered: Void = onThread {
                for client in clients {
                    let question = try client.readText()
                    let id = question.prefix { $0 != "[" }.dropFirst(2)
                    try client.send(.text(#"43\#(id)["yes"]"#))
                }
            }
            let answers: [String] = try await io.to("a", "b").emitWithAck("question")
            try await answered
            #expect(answers == ["yes", "yes", "yes"])
        }
    }

    @Test func `what is volatile goes to those who can take it at once`() async throws {
        try await Self.withListeners { io, _, heard in
            try await io.to("even", "odd").volatile.emit("a")
            // Nobody polls, so the poller can take nothing.
            #expect(try await heard() == [[#"42["a"]"#], [#"42["a"]"#], [#"42["a"]"#], []])
        }
    }

    @Test func `a namespace in which nothing happens any more forgets what was sent and who was lost`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init(maxDisconnection: .milliseconds(100))
        try await withSocketIO(configuration) { io, port in
            let adapter = try #require(io.root.adapter as? InMemoryAdapter)
            let text = String(repeating: "x", count: 10_000)
            for _ in 0..<10 { try await io.emit("text", text) }
            adapter.persist(
                RecoveredSession(id: "a", privateID: "secret", rooms: [], data: .string(text)))
            #expect(adapter.state.withLock { $0.reportedBytes } > 110_000)
            try await until { adapter.state.withLock { $0.memory?.clientCount == 0 && $0.reportedBytes < 20_000 } }
        }
    }

    @Test func `a broadcast that all have acknowledged leaves nothing behind until its time is over`() async throws {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            async let answering: Void = onThread {
                for _ in 0..<1500 {
                    let id = try client.readText().dropFirst(2).prefix { $0.isNumber }
                    try client.send(.text("43\(id)[]"))
                }
            }
            for _ in 0..<1500 { let _: [JSON] = try await io.root.timeout(.seconds(3600)).emitWithAck("x") }
            try await answering
            #expect(io.core.engine.timers.count < 1200)
            client.close()
        }
    }

    @Test func `who has come back is not removed with the one that was lost`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        try await withSocketIO(configuration) { io, port in
            let (client, lost, auth) = try await recoverable(io, port: port)
            await lost.join("a")
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            let back = try await onThread { try Recoverable(port: port, auth) }
            try await until { io.root.sockets.count == 1 }
            // As who is late with it would do.
            #expect(io.root.adapter.remove(lost) == nil)
            io.root.forget(lost)
            #expect(io.root.sockets[Name(client.id)]?.rooms == ["a", Name(client.id)])
            try await io.to("a").emit("x", 1)
            #expect(try await onThread { try back.hearNumber() } == #"42["x",1"#)
            back.client.close()
        }
    }

    @Test func `an event that had to wait for room is remembered once`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        var settings = WebSocketServer.Configuration(port: 0)
        settings.maxPendingDeliveries = 1
        try await withSocketIO(configuration, settings: settings) { io, port in
            let client = try await onThread { try joined(port: port) }
            async let heard = onThread { () -> [String] in
                try (0..<2000).map { _ in
                    String(try client.readText().split(separator: "\"").dropLast().last ?? "")
                }
            }
            for number in 0..<2000 { try await io.emit("x", number) }
            #expect(try await heard == (1...2000).map { String($0, radix: 36) })
            client.close()
        }
    }

    @Test func `who does not answer a broadcast in its time is missing from the answers`() async throws {
        try await withSocketIO { io, port in
            let clients = try await onThread { try (0..<2).map { _ in try joined(port: port) } }
            try await until { io.root.sockets.count == 2 }
            let error = await #expect(throws: BroadcastAckError.self) {
                let _: [String] = try await io.root.timeout(.milliseconds(1)).emitWithAck("question")
            }
            #expect(error?.missing == 2)
            for client in clients { client.close() }
        }
    }
}
