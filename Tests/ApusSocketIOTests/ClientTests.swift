import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Joining namespaces, while what decides on it takes its time.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ClientTests {
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
        configuration.maxUnhandledBytes = 2000
        configuration.pingInterval = .seconds(3600)
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

    @Test(arguments: [false, true])
    func `a middleware that disconnects a client does nothing to it, for it is not connected yet`(
        close: Bool
    ) async throws {
        let served = Counter()
        try await withSocketIO { io, port in
            io.use { socket in
                #expect(!socket.isConnected)
                socket.disconnect(close: close)
            }
            io.onConnection { socket in
                #expect(socket.isConnected)
                served.increment()
            }
            let client = try await onThread { try joined(port: port, nil) }
            let welcome = try await onThread {
                try client.send(.text("40"))
                return try client.readText()
            }
            #expect(welcome.hasPrefix(#"40{"sid":"#))
            try await io.emit("x")
            #expect(try await onThread { try client.readText() } == #"42["x"]"#)
            client.close()
        }
        #expect(served.count == 1)
    }

    @Test func `who is refused is not welcomed, may try again, and holds up no end`() async throws {
        let (passed, served) = (Counter(), Counter())
        try await withSocketIO { io, port in
            io.use { socket in
                passed.increment()
                if passed.count == 1 { throw SocketIOError.refused("not yet") }
            }
            io.onConnection { _ in served.increment() }
            let client = try await onThread { try joined(port: port, nil) }
            let answers = try await onThread {
                try client.send(.text("40"))
                let first = try client.readText()
                try client.send(.text("40"))
                return [first, try client.readText()]
            }
            #expect(answers[0] == #"44{"message":"not yet"}"# && answers[1].hasPrefix(#"40{"sid":"#))
            try await until { served.count == 1 }
            client.close()
        }
        #expect(served.count == 1)
    }

    @Test func `who is thrown out while another namespace decides is not let into it any more`() async throws {
        let gate = Gate()
        let served = Counter()
        try await withSocketIO { io, port in
            io.of("/slow").use { _ in await gate.pass() }
            io.of("/slow").onConnection { _ in served.increment() }
            let client = try await onThread { try joined(port: port) }
            try await onThread { try client.send(.text("40/slow,")) }
            try await until { gate.waiting == 1 && io.root.sockets.count == 1 }
            try #require(io.root.sockets.values.first).disconnect(close: true)
            gate.open()
            #expect(try await onThread { try client.readText() } == "41")
            try await until { io.clientCount == 0 }
            client.close()
        }
        #expect(served.count == 0)
    }

    @Test func `what a client sends to a namespace before it knows that it was thrown out ends nothing`() async throws {
        try await withSocketIO { io, port in
            io.onConnection { socket in socket.on("echo") { (text: String) in text } }
            let client = try await onThread { try joined(port: port) }
            let other = io.of("/other")
            try await onThread {
                try client.send(.text("40/other,"))
                _ = try client.readText()
            }
            try await until { other.sockets.count == 1 }
            try #require(other.sockets.values.first).disconnect()
            let answers = try await onThread {
                for packet in [
                    #"42/other,["x"]"#, #"42/other,7["x"]"#, "41/other,", #"43/other,0[]"#, #"421["echo","here"]"#,
                ] {
                    try client.send(.text(packet))
                }
                return [try client.readText(), try client.readText()]
            }
            // What two tasks send at once has no order.
            #expect(Set(answers) == ["41/other,", #"431["here"]"#])
            client.close()
        }
    }

    @Test func `disconnecting a client that was refused does nothing to the one that was let in later`() async throws {
        let refused = Mutex(Socket?.none)
        try await withSocketIO { io, port in
            io.use { socket in
                let isFirst = refused.withLock { refused in
                    defer { refused = refused ?? socket }
                    return refused == nil
                }
                if isFirst { throw SocketIOError.refused("no") }
            }
            let client = try await onThread { try joined(port: port) }
            try await onThread {
                try client.send(.text("40"))
                _ = try client.readText()
            }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(refused.withLock { $0 })
            socket.disconnect()
            #expect(!socket.isConnected)
            try await io.emit("x")
            #expect(try await onThread { try client.readText() } == #"42["x"]"#)
            try await onThread { try client.reset() }
            try await until { io.root.sockets.isEmpty }
        }
    }

    @Test func `who is lost again before the adapter knows of the return keeps the rooms`() async throws {
        let sessions = Mutex([RecoveredSession]())
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        configuration.makeAdapter = { namespace in
            HookedAdapter(
                InMemoryAdapter(namespace), comesBack: { $0.client.session.close(.transportClose) },
                wasLost: { session in sessions.withLock { $0.append(session) } })
        }
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in await socket.join("a", "b") }
            let lost = try await onThread { try joined(port: port, nil) }
            let welcome = try await onThread {
                try lost.send(.text("40"))
                return try lost.readText()
            }
            try await until { io.root.sockets.values.first?.rooms.count == 3 }
            try await io.emit("x")
            let event = try await onThread { try lost.readText() }
            let (pid, offset) = (welcome.split(separator: "\"")[7], event.split(separator: "\"")[3])
            try await onThread { try lost.reset() }
            try await until { sessions.withLock { $0.count } == 1 }
            let back = try await onThread { try joined(port: port, nil) }
            try await onThread { try back.send(.text(#"40{"pid":"\#(pid)","offset":"\#(offset)"}"#)) }
            try await until { sessions.withLock { $0.count } == 2 }
            back.close()
        }
        #expect(sessions.withLock { $0.map(\.rooms) } == [["a", "b"], ["a", "b"]])
    }

    @Test func `who is thrown out of very many namespaces is not forgiven for the first of them any more`()
        async throws
    {
        try await withSocketIO { io, port in
            _ = io.of { _, _ in true }
            let client = try await onThread { try joined(port: port) }
            for number in 0...64 {
                let welcome = try await onThread { () -> String in
                    try client.send(.text("40/\(number),"))
                    return try client.readText()
                }
                #expect(welcome.hasPrefix("40/\(number),"))
                try await until { io.of("/\(number)").sockets.count == 1 }
                await io.of("/\(number)").disconnectSockets()
                #expect(try await onThread { try client.readText() } == "41/\(number),")
            }
            try await onThread {
                try client.send(.text(#"42/64,["x"]"#), .text("40/more,"))
                #expect(try client.readText().hasPrefix("40/more,"))
                try client.send(.text(#"42/0,["x"]"#))
                #expect(try client.readClose() == 1000)
            }
        }
    }

    @Test func `who was thrown out, came back and left knows that it is out`() async throws {
        try await withSocketIO { io, port in
            let other = io.of("/other")
            let client = try await onThread { try joined(port: port) }
            let enter = { @Sendable in
                try client.send(.text("40/other,"))
                return try client.readText()
            }
            _ = try await onThread { try enter() }
            try await until { other.sockets.count == 1 }
            await other.disconnectSockets()
            let answers = try await onThread { [try client.readText(), try enter()] }
            #expect(answers[0] == "41/other," && answers[1].hasPrefix("40/other,"))
            try await until { other.sockets.count == 1 }
            try await onThread {
                try client.send(.text("41/other,"), .text(#"42/other,["x"]"#))
                #expect(try client.readClose() == 1000)
            }
        }
    }

    @Test func `who is lost again while a middleware takes its time comes back later, and has missed nothing`()
        async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init(skipsMiddlewares: false)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.use { socket in if socket.isRecovered { await gate.pass() } }
            let (lost, socket, auth) = try await recoverable(io, port: port)
            await socket.join("a")
            try await onThread { try lost.client.reset() }
            try await until { io.root.sockets.isEmpty }
            try await io.to("a").emit("x", 1)
            let again = try await onThread { () -> TestSupport.Client in
                let again = try joined(port: port, nil)
                try again.send(.text("40\(auth)"))
                return again
            }
            try await until { gate.waiting == 1 }
            try await onThread { try again.reset() }
            try await until { io.clientCount == 0 }
            gate.open()
            let adapter = try #require(io.root.adapter as? InMemoryAdapter)
            try await until { adapter.state.withLock { $0.memory?.clientCount == 1 } }
            let back = try await onThread { try Recoverable(port: port, auth) }
            #expect(back.id == lost.id)
            #expect(try await onThread { try back.hearNumber() } == #"42["x",1"#)
            back.client.close()
        }
    }

    @Test func `who is on its way into a namespace when its time is over is let in, and who is not has to go`()
        async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.connectTimeout = .seconds(3600)
        try await withSocketIO(configuration) { io, port in
            io.use { $0.client.closeIfIdle() }
            io.onConnection { $0.client.closeIfIdle() }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            try await io.emit("x")
            #expect(try await onThread { try client.readText() } == #"42["x"]"#)
            client.close()
        }
        configuration.connectTimeout = .milliseconds(1)
        try await withSocketIO(configuration) { _, port in
            let code = try await onThread { try joined(port: port, nil).readClose() }
            #expect(code == 1000)
        }
    }

    @Test func `what comes behind a packet that is refused is not looked at`() async throws {
        try await withSocketIO { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let asking = Task { () -> Int in try await socket.emitWithAck("question") }
            try await onThread {
                let id = try #require(try poller.poll().first).prefix { $0 != "[" }.dropFirst(2)
                _ = try poller.post("42[\"\(String(repeating: "n", count: 257))\"]", "43\(id)[7]")
            }
            let error = await #expect(throws: SocketIOError.self) { try await asking.value }
            #expect(error?.code == .disconnected)
            #expect(io.statistics.namesRefused == 1)
            poller.connection.close()
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

    @Test func `who is thrown out while another namespace decides whether it comes back does not come back later`()
        async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init(skipsMiddlewares: false)
        configuration.pingInterval = .seconds(3600)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            let slow = io.of("/slow")
            slow.use { socket in if socket.isRecovered { await gate.pass() } }
            try await slow.emit("x", 0)
            let adapter = try #require(slow.adapter as? InMemoryAdapter)
            adapter.persist(RecoveredSession(id: "of before", privateID: "secret", rooms: [], data: .null))
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            #expect(try await onThread { try poller.post(#"40/slow,{"pid":"secret","offset":"1"}"#).text } == "ok")
            try await until { gate.waiting == 1 }
            socket.disconnect(close: true)
            gate.open()
            #expect(try await onThread { try poller.poll() } == ["41"])
            #expect(try await onThread { try poller.poll() } == ["1"])
            // Nothing is decided any more.
            await io.core.work.finish(by: .now + .seconds(3600))
            #expect(adapter.state.withLock { $0.memory?.clientCount } == 0)
        }
    }
}
