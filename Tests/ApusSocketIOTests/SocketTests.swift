import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Rooms, leaving, and coming back.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SocketTests {
    /// How a server throws clients out.
    enum Expulsion: CaseIterable, Sendable {
        case disconnect, disconnectAndClose, disconnectSockets, disconnectSocketsAndClose, everybody

        func callAsFunction(_ socket: Socket, _ io: SocketIOServer) async {
            switch self {
            case .disconnect: socket.disconnect()
            case .disconnectAndClose: socket.disconnect(close: true)
            case .disconnectSockets: await io.in(socket.id).disconnectSockets()
            case .disconnectSocketsAndClose: await io.in([socket.id]).disconnectSockets(close: true)
            case .everybody: io.disconnectAll()
            }
        }

        var closes: Bool { self != .disconnect && self != .disconnectSockets }
    }

    @Test(arguments: Expulsion.allCases)
    func `a client that is thrown out is told so in each namespace, before its connection is closed`(
        expulsion: Expulsion
    ) async throws {
        let reasons = Mutex<[DisconnectReason]>([])
        try await withSocketIO { io, port in
            for namespace in [io.root, io.of("/other")] {
                namespace.onConnection { $0.onDisconnect { reason in reasons.withLock { $0.append(reason) } } }
            }
            let client = try await onThread { try joined(port: port) }
            try await onThread {
                try client.send(.text("40/other,"))
                _ = try client.readText()
            }
            try await until { io.root.sockets.count == 1 && io.of("/other").sockets.count == 1 }
            await expulsion(try #require(io.root.sockets.values.first), io)
            let count = expulsion.closes ? 2 : 1
            let told = try await onThread { Set(try (0..<count).map { _ in try client.readText() }) }
            #expect(told == (expulsion.closes ? ["41", "41/other,"] : ["41"]))
            if expulsion.closes { try await until { io.clientCount == 0 } }
            try await until { reasons.withLock { $0.count } == count }
            #expect(reasons.withLock { $0.allSatisfy { $0 == .serverNamespaceDisconnect } })
            client.close()
        }
    }

    @Test func `a client that polls is told, too, whether it waits or comes later`() async throws {
        for waits in [true, false] {
            try await withSocketIO { io, port in
                let poller = try await onThread { try Poller(port: port) }
                try await until { io.root.sockets.count == 1 }
                if waits { try await onThread { try poller.startPoll() } }
                let socket = try #require(io.root.sockets.values.first)
                if waits { try await until { socket.client.session.state.withLock { $0.poll != nil } } }
                socket.disconnect(close: true)
                let told = try await onThread { try waits ? poller.answer() : poller.poll() }
                #expect(told.first == "41")
                poller.connection.close()
            }
        }
    }

    // Recovery

    private static var recovering: SocketIOServer.Configuration {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        return configuration
    }

    @Test(arguments: Expulsion.allCases)
    func `a client that was thrown out does not recover, and middlewares are asked`(expulsion: Expulsion) async throws {
        let asked = Counter()
        try await withSocketIO(Self.recovering) { io, port in
            io.use { _ in asked.increment() }
            let (client, socket, auth) = try await recoverable(io, port: port)
            await expulsion(socket, io)
            #expect(try await onThread { try client.client.readText() } == "41")
            let back = try await onThread { try Recoverable(port: port, auth) }
            #expect(back.id != client.id && asked.count == 2)
            #expect(io.root.sockets[Name(back.id)]?.isRecovered == false)
            client.client.close()
            back.client.close()
        }
    }

    @Test(arguments: Expulsion.allCases)
    func `a client that is thrown out while it is lost does not recover, either`(expulsion: Expulsion) async throws {
        try await withSocketIO(Self.recovering) { io, port in
            let (client, socket, auth) = try await recoverable(io, port: port)
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            await expulsion(socket, io)
            let back = try await onThread { try Recoverable(port: port, auth) }
            #expect(back.id != client.id)
            back.client.close()
        }
    }

    @Test func `a client that is thrown out just while it is being lost does not recover, either`() async throws {
        let losing = Mutex(Socket?.none)
        var configuration = Self.recovering
        configuration.makeAdapter = { namespace in
            HookedAdapter(InMemoryAdapter(namespace), isLost: { _ in losing.withLock { $0 }?.disconnect() })
        }
        try await withSocketIO(configuration) { io, port in
            let (client, socket, auth) = try await recoverable(io, port: port)
            losing.withLock { $0 = socket }
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            let back = try await onThread { try Recoverable(port: port, auth) }
            #expect(back.id != client.id)
            back.client.close()
        }
    }

    @Test func `a client that is thrown out with all others while a middleware decides on its return does not recover`()
        async throws
    {
        let gate = Gate()
        var configuration = Self.recovering
        configuration.recovery?.skipsMiddlewares = false
        try await withSocketIO(configuration) { io, port in
            let (client, _, auth) = try await recoverable(io, port: port)
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            io.use { _ in await gate.pass() }
            let returning = try await onThread { () -> TestSupport.Client in
                let returning = try joined(port: port, nil)
                try returning.send(.text("40\(auth)"))
                return returning
            }
            try await until { gate.waiting == 1 }
            io.disconnectAll()
            gate.open()
            let back = try await onThread { () -> Recoverable in
                try returning.readClose()
                return try Recoverable(port: port, auth)
            }
            #expect(back.id != client.id)
            back.client.close()
        }
    }

    @Test func `a client that has said goodbye does not recover, and one that was lost does`() async throws {
        for goodbye in ["41", nil] {
            try await withSocketIO(Self.recovering) { io, port in
                let (client, socket, auth) = try await recoverable(io, port: port)
                socket.data = ["name": "Ada"]
                await socket.join("a", "b")
                try await onThread {
                    if let goodbye { try client.client.send(.text(goodbye)) } else { try client.client.reset() }
                }
                try await until { io.root.sockets.isEmpty }
                let back = try await onThread { try Recoverable(port: port, auth) }
                try await until { io.root.sockets.count == 1 }
                let returned = try #require(io.root.sockets.values.first)
                #expect((back.id == client.id) == (goodbye == nil) && returned.isRecovered == (goodbye == nil))
                #expect(returned.rooms == (goodbye == nil ? ["a", "b", Name(client.id)] : [Name(back.id)]))
                #expect(returned.data == (goodbye == nil ? ["name": "Ada"] : [:]))
                back.client.close()
            }
        }
    }

    @Test func `what is emitted to a lost client is sent when it comes back, in order and once`() async throws {
        try await withSocketIO(Self.recovering) { io, port in
            let (client, socket, auth) = try await recoverable(io, port: port)
            await socket.join("a")
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            try await socket.emit("x", 1)
            try await io.to("a").emit("x", 2)
            try await io.to("b").emit("x", 3)
            try await socket.emit("x", arguments: [4])
            // Those that may be lost are.
            try await socket.volatile.emit("x", 5)
            try await io.root.volatile.emit("x", 6)
            try await io.to("a").volatile.emit("x", 7)
            try await io.emit("x", 8)
            let back = try await onThread { try Recoverable(port: port, auth) }
            try await until { io.root.sockets.count == 1 }
            // The socket that was lost stands for the client still.
            try await socket.emit("x", 9)
            // Also when it could not come back any more.
            socket.state.withLock { $0.recoveryEnd = .now - .seconds(1) }
            try await socket.emit("x", 10)
            let heard = try await onThread { try (0..<6).map { _ in try back.hearNumber() } }
            #expect(back.id == client.id && heard == [1, 2, 4, 8, 9, 10].map { #"42["x",\#($0)"# })
            back.client.close()
        }
    }

    @Test func `of more lost clients than are remembered the first cannot recover, and is counted`() async throws {
        var configuration = Self.recovering
        configuration.recovery?.maxClients = 1
        try await withSocketIO(configuration) { io, port in
            var lost: [(client: Recoverable, auth: String)] = []
            for _ in 0..<2 {
                let (client, _, auth) = try await recoverable(io, port: port)
                try await onThread { try client.client.reset() }
                try await until { io.root.sockets.isEmpty }
                lost.append((client, auth))
            }
            #expect(io.statistics.recoveriesForgotten == 1)
            let back = try await onThread { [lost] in try lost.map { try Recoverable(port: port, $0.auth) } }
            #expect(back[0].id != lost[0].client.id && back[1].id == lost[1].client.id)
            for client in back { client.client.close() }
        }
    }

    @Test func `what nobody will come back for is not emitted, and that is said`() async throws {
        var configuration = Self.recovering
        configuration.recovery?.maxDisconnection = .milliseconds(1)
        try await withSocketIO(configuration) { io, port in
            let (client, socket, _) = try await recoverable(io, port: port)
            try await onThread { try client.client.reset() }
            try await until { io.root.sockets.isEmpty }
            let lost = ContinuousClock.now
            try await until { .now > lost + .milliseconds(1) }
            let late = await #expect(throws: SocketIOError.self) { try await socket.emit("x") }
            #expect(late?.code == .disconnected)
            let (next, thrownOut, _) = try await recoverable(io, port: port)
            thrownOut.disconnect()
            await #expect(throws: SocketIOError.self) { try await thrownOut.emit("x") }
            let unanswered = await #expect(throws: SocketIOError.self) {
                let _: JSON = try await thrownOut.emitWithAck("x")
            }
            #expect(unanswered?.code == .disconnected)
            next.client.close()
        }
    }

    @Test func `an event with too many attachments takes no place among those that are remembered`() async throws {
        try await withSocketIO(Self.recovering) { io, port in
            let (client, socket, _) = try await recoverable(io, port: port)
            let tooMany = [JSON](repeating: .array([.binary([1])]), count: 11)
            await #expect(throws: SocketIOError.self) { try await socket.emit("x", arguments: tooMany) }
            await #expect(throws: SocketIOError.self) { try await io.root.everybody.emit("x", arguments: tooMany) }
            try await socket.emit("x", 1)
            #expect(try await onThread { try client.client.readText() } == #"42["x",1,"2"]"#)
            client.client.close()
        }
    }

    // Rooms

    @Test func `rooms that middlewares let a client join are its rooms once it is connected`() async throws {
        try await withSocketIO { io, port in
            io.use { socket in await socket.join("a", "b", "c") }
            io.use { socket in
                #expect(socket.rooms == ["a", "b", "c"])
                await socket.leave("b")
            }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            #expect(socket.rooms == ["a", "c", Name(socket.id)])
            try await io.to("b").emit("x", 1)
            try await io.to("a").emit("x", 2)
            try await io.except("c").emit("x", 3)
            try await io.to("b", "c").emit("x", 4)
            let heard = try await onThread { [try client.readText(), try client.readText()] }
            #expect(heard == [#"42["x",2]"#, #"42["x",4]"#])
            client.close()
        }
    }

    @Test func `a client that a middleware refuses after it has joined a room is in none`() async throws {
        try await withSocketIO { io, port in
            let refused = Mutex(Socket?.none)
            io.use { socket in
                await socket.join("a")
                refused.withLock { $0 = socket }
                throw SocketIOError.refused("no")
            }
            let client = try await onThread { try joined(port: port) }
            try await until { refused.withLock { $0?.phase == .gone } }
            await refused.withLock { $0 }?.join("b")
            #expect(try #require(io.root.adapter as? InMemoryAdapter).roomNames.isEmpty)
            #expect(await io.in("a", "b").fetchSockets().isEmpty)
            client.close()
        }
    }

    @Test func `what is sent to a room after a client has left it does not reach it, by either transport`() async throws
    {
        try await withSocketIO { io, port in
            let webSocket = try await onThread { try joined(port: port) }
            let poller = try await onThread { try Poller(port: port) }
            try await until { io.root.sockets.count == 2 }
            for socket in io.root.sockets.values {
                await socket.join(["a", "b", "c"])
                await socket.leave("a")
                await socket.leave(["b", "nowhere"])
                #expect(socket.rooms == ["c", Name(socket.id)])
            }
            for room in ["a", "b", "c"] { try await io.to(room).emit("x", room) }
            #expect(try await onThread { try webSocket.readText() } == #"42["x","c"]"#)
            #expect(try await onThread { try poller.poll() } == [#"42["x","c"]"#])
            webSocket.close()
            poller.connection.close()
        }
    }

    @Test func `rooms are forgotten with the last who is in them`() async throws {
        try await withSocketIO { io, port in
            let adapter = try #require(io.root.adapter as? InMemoryAdapter)
            let clients = try await onThread { [try joined(port: port), try Poller(port: port).connection] }
            try await until { io.root.sockets.count == 2 }
            let sockets = Array(io.root.sockets.values)
            for socket in sockets { await socket.join("a", "b") }
            #expect(adapter.roomNames == ["a", "b"])
            await sockets[0].leave("a")
            #expect(adapter.roomNames == ["a", "b"])
            await sockets[1].leave("a")
            #expect(adapter.roomNames == ["b"])
            for socket in sockets { socket.disconnect() }
            #expect(adapter.roomNames.isEmpty)
            for client in clients { client.close() }
        }
    }

    @Test func `a client that leaves its own room is not found by its name, joins and leaves others, and hears itself`()
        async throws
    {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            let other = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 2 }
            try await io.emit("who")
            let sockets = Array(io.root.sockets.values)
            let first = sockets[0]
            await first.leave(first.id)
            #expect(first.rooms == [])
            #expect(await io.in(first.id).fetchSockets().isEmpty)
            await first.join("a")
            #expect(first.rooms == ["a"] && sockets[1].rooms == [Name(sockets[1].id)])
            await first.leave("a")
            await first.join("b")
            try await io.to(first.id).emit("x", 1)
            try await first.broadcast.emit("x", 2)
            try await first.emit("x", 3)
            try await io.to("b").emit("x", 4)
            let heard = try await onThread {
                try [client, other].map { client in
                    var heard: [String] = []
                    while heard.last != #"42["end"]"# {
                        heard.append(try client.readText())
                        if heard.last == #"42["x",2]"# { break }
                    }
                    return heard
                }
            }
            #expect(heard == [["42[\"who\"]", "42[\"x\",2]"], ["42[\"who\"]", "42[\"x\",2]"]])
            client.close()
            other.close()
        }
    }

    @Test func `a room of another client's name is that client's no more than its own`() async throws {
        try await withSocketIO { io, port in
            let clients = try await onThread { [try joined(port: port), try joined(port: port)] }
            try await until { io.root.sockets.count == 2 }
            let sockets = Array(io.root.sockets.values)
            await sockets[0].join(sockets[1].id)
            // It joins alone, though another is in the room of its name.
            await sockets[1].join("a")
            #expect(sockets[0].rooms == [Name(sockets[0].id), Name(sockets[1].id)])
            #expect(sockets[1].rooms == ["a", Name(sockets[1].id)])
            try await io.to(sockets[1].id).emit("x")
            for client in clients { #expect(try await onThread { try client.readText() } == #"42["x"]"#) }
            for client in clients { client.close() }
        }
    }
}
