import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// What is emitted before the server ends a connection arrives, whatever the client is just doing.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct FarewellTests {
    private static let denied = #"42["denied"]"#

    /// Throws out everybody who connects, once the gate is open.
    private static func deny(_ io: SocketIOServer, _ gate: Gate) {
        io.onConnection { socket in
            await gate.pass()
            try await socket.emit("denied")
            socket.disconnect(close: true)
        }
    }

    /// Polls until the server says goodbye, which it does in an answer of its own.
    private static func pollToEnd(_ poller: Poller, _ first: [String] = []) throws -> [String] {
        var (all, packets) = (first, first)
        while !packets.contains("1") {
            packets = try poller.poll()
            all += packets
        }
        #expect(packets == ["1"])
        return all
    }

    @Test func `by polling, in whichever order the client polls`() async throws {
        let gate = Gate()
        gate.open()
        try await withSocketIO { io, port in
            Self.deny(io, gate)
            for _ in 0..<20 {
                let packets = try await onThread {
                    let poller = try Poller(port: port)
                    return try Self.pollToEnd(poller, poller.early)
                }
                #expect(packets.count { $0 == Self.denied } == 1)
            }
            try await until { io.clientCount == 0 }
        }
    }

    @Test func `by polling, while the poll hangs`() async throws {
        let gate = Gate()
        try await withSocketIO { io, port in
            Self.deny(io, gate)
            let poller = try await onThread { () -> Poller in
                let poller = try Poller(port: port)
                try poller.startPoll()
                return poller
            }
            try await until { gate.waiting == 1 }
            gate.open()
            let packets = try await onThread { try Self.pollToEnd(poller, try poller.finishPoll()) }
            #expect(packets.first == Self.denied)
        }
    }

    @Test func `by polling, beside a POST of what the client says before it knows`() async throws {
        let gate = Gate()
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            Self.deny(io, gate)
            let poller = try await onThread { try Poller(port: port) }
            gate.open()
            try await until { reasons.all.count == 1 }
            #expect(try await onThread { try poller.post(#"42["x"]"#) }.text == "ok")
            #expect(try await onThread { try Self.pollToEnd(poller) }.contains(Self.denied))
        }
    }

    @Test func `in an upgrade whose probe was answered, by the WebSocket`() async throws {
        let gate = Gate()
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            Self.deny(io, gate)
            let (poller, webSocket) = try await onThread { () -> (Poller, TestSupport.Client) in
                let poller = try Poller(port: port)
                return (poller, try poller.probe(port: port))
            }
            gate.open()
            try await until { reasons.all.count == 1 }
            let first = try await onThread { () -> String in
                try webSocket.send(.text("5"))
                let first = try webSocket.readText()
                #expect(try webSocket.readClose() == 1000)
                return first
            }
            #expect(first == Self.denied)
            try await until { io.clientCount == 0 }
            poller.connection.close()
        }
    }

    @Test func `in an upgrade before the probe, by polling`() async throws {
        let gate = Gate()
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            Self.deny(io, gate)
            let (poller, webSocket) = try await onThread { () -> (Poller, TestSupport.Client) in
                let poller = try Poller(port: port)
                return (poller, try .webSocket(port: port, "/socket.io/?EIO=4&transport=websocket&sid=\(poller.sid)"))
            }
            gate.open()
            try await until { reasons.all.count == 1 }
            #expect(try await onThread { try Self.pollToEnd(poller) }.contains(Self.denied))
            try await until { io.clientCount == 0 }
            webSocket.close()
        }
    }

    @Test func `by WebSocket, from its opening on and after an upgrade`() async throws {
        let gate = Gate()
        try await withSocketIO { io, port in
            Self.deny(io, gate)
            let clients = try await onThread { () -> [TestSupport.Client] in
                let upgraded = try Poller(port: port).probe(port: port)
                try upgraded.send(.text("5"))
                return [upgraded, try joined(port: port)]
            }
            try await until { io.root.sockets.values.count { $0.transport == .webSocket } == 2 && gate.waiting == 2 }
            gate.open()
            for client in clients {
                let first = try await onThread { () -> String in
                    let first = try client.readText()
                    #expect(try client.readClose() == 1000)
                    return first
                }
                #expect(first == Self.denied)
            }
        }
    }

    @Test func `who waits to send hears that the session is over, before any poll comes`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxQueuedBytes = 1000
        configuration.pingInterval = .seconds(3600)
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let emitted = Counter()
            let emitting = Task {
                while true {
                    try await socket.emit("tick")
                    emitted.increment()
                }
            }
            try await until { socket.client.session.state.withLock { !$0.senders.isEmpty } }
            socket.client.session.close()
            let error = await #expect(throws: SocketIOError.self) { try await emitting.value }
            #expect(error?.code == .disconnected && emitted.count > 10)
            poller.connection.close()
        }
    }

    @Test func `a WebSocket that is full is closed with 1013 where something cannot wait`() async throws {
        var settings = WebSocketServer.Configuration(port: 0)
        settings.maxOutboundBytes = 100_000
        let reasons = Reasons()
        try await withSocketIO(settings: settings) { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let client = try await slowWebSocket(port: port)
            let session = try #require(io.root.sockets.values.first).client.session
            let text = Message.text("42[\"" + String(repeating: "x", count: 50_000) + "\"]")
            // More than the system keeps for both sides.
            for _ in 0..<400 { session.post([text]) }
            #expect(try await onThread { try client.readClose() } == 1013)
            try await until { reasons.all.count == 1 }
        }
    }

    @Test func `what a client sends after it was thrown out of a namespace ends nothing`() async throws {
        let heard = Counter()
        try await withSocketIO { io, port in
            io.of("/b").onConnection { $0.on("x") { (_: SocketEvent) in heard.increment() } }
            io.onConnection { $0.on("echo") { (text: String) -> String in text } }
            let client = try await onThread { () -> TestSupport.Client in
                let client = try joined(port: port)
                try client.send(.text("40/b,"))
                _ = try client.readText()
                return client
            }
            try await until { io.of("/b").sockets.count == 1 }
            await io.of("/b").disconnectSockets()
            let answers = try await onThread { () -> [String] in
                try client.send(.text(#"42/b,["x"]"#), .text("41/b,"), .text("43/b,1[]"), .text(#"421["echo","y"]"#))
                return [try client.readText(), try client.readText()]
            }
            // What two tasks send at once has no order.
            #expect(Set(answers) == ["41/b,", #"431["y"]"#])
            #expect(heard.count == 0 && io.clientCount == 1)
            // But a namespace that it never was in is an offence.
            try await onThread { try client.send(.text(#"42/c,["x"]"#)) }
            #expect(try await onThread { try client.readClose() } == 1000)
        }
    }
}
