import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// What only shows from inside: what is left, what waits, and what comes between.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SocketIOServerTests {
    private final class Weak<Object: AnyObject & Sendable>: Sendable {
        private let storage: Mutex<Reference>

        private struct Reference: Sendable { weak var object: Object? }

        init(_ object: Object) { storage = Mutex(Reference(object: object)) }

        var isGone: Bool { storage.withLock { $0.object == nil } }
    }

    @Test func `a server that has stopped is freed, though its handlers hold it`() async throws {
        var gone: [() -> Bool] = []
        do {
            var configuration = SocketIOServer.Configuration()
            configuration.forgetsEmptyNamespaces = true
            var settings = WebSocketServer.Configuration(port: 0)
            settings.closeTimeout = .milliseconds(100)
            var clients: [TestSupport.Client] = []
            var timers: Timers?
            try await withSocketIO(configuration, settings: settings) { io, port in
                let chat = io.of("/chat")
                let dynamic = io.of { _, _ in true }
                io.use { _ in _ = (io, dynamic) }
                io.onConnection { socket in
                    socket.on("x") { try await io.emit("y") }
                    socket.onDisconnect { _ in try await chat.emit("z", socket.id, io.clientCount) }
                }
                chat.onConnection { _ in try await chat.emit("here") }
                dynamic.onConnection { try await dynamic.emit($0.namespace.name) }
                clients = try await onThread {
                    try ["", "/chat", "/any"].flatMap { namespace in
                        [
                            try joined(port: port, namespace),
                            try Poller(port: port, namespace: namespace).connection,
                        ]
                    }
                }
                let objects: [any AnyObject & Sendable] = [io, io.root, chat, dynamic, io.core.engine, io.core.server]
                for object in objects { gone.append(Self.isGone(object)) }
                timers = io.core.engine.timers
            }
            #expect(timers?.count == 0)
            for client in clients { client.close() }
        }
        try await until { gone.allSatisfy { $0() } }
    }

    private static func isGone<Object: AnyObject & Sendable>(_ object: Object) -> () -> Bool {
        let reference = Weak(object)
        return { reference.isGone }
    }

    @Test func `a server that never runs is freed`() async throws {
        let gone: [() -> Bool]
        do {
            let server = try WebSocketServer(configuration: .init(port: 0))
            let io = try SocketIOServer(on: server)
            let chat = io.of("/chat")
            chat.onConnection { _ in try await chat.emit("here") }
            try await io.emit("nobody")
            gone = [Self.isGone(io), Self.isGone(chat), Self.isGone(io.core.engine), Self.isGone(server)]
        }
        try await until { gone.allSatisfy { $0() } }
    }

    @Test func `a server ends when its handlers have, and cancels those that are late`() async throws {
        let ended = Counter()
        var settings = WebSocketServer.Configuration(port: 0)
        settings.stopDeadline = .milliseconds(100)
        var clients: [TestSupport.Client] = []
        try await withSocketIO(settings: settings) { io, port in
            io.onConnection { socket in
                socket.onDisconnect { _ in
                    do { try await Task.sleep(for: .seconds(3600)) } catch is CancellationError { ended.increment() }
                }
            }
            clients = try await onThread { [try Poller(port: port).connection, try joined(port: port)] }
            try await until { io.root.sockets.count == 2 }
        }
        #expect(ended.count == 2)
        for client in clients { client.close() }
    }

    /// How far a client gets before it is dropped.
    enum Stage: CaseIterable {
        case opened, polling, joined, posting, probing, upgraded, upgrading, webSocket, webSocketJoined, attaching
        case refused, rooms
    }

    private static func drop(at stage: Stage, port: Int) throws {
        switch stage {
        case .opened: try Poller(port: port, namespace: nil).connection.reset()
        case .polling:
            let poller = try Poller(port: port)
            try poller.startPoll()
            try poller.connection.reset()
        case .joined: try Poller(port: port).connection.reset()
        case .posting:
            let poller = try Poller(port: port)
            try poller.connection.sendRequest(
                "POST", "/socket.io/?EIO=4&transport=polling&sid=\(poller.sid)", "Content-Length: 100")
            try poller.connection.send("42[")
            try poller.connection.reset()
        case .probing: try Poller(port: port).probe(port: port).reset()
        case .upgrading:
            let poller = try Poller(port: port)
            try poller.startPoll()
            try poller.probe(port: port).reset()
        case .upgraded:
            let client = try Poller(port: port).probe(port: port)
            try client.send(.text("5"))
            try client.reset()
        case .webSocket: try ApusSocketIOTests.joined(port: port, nil).reset()
        case .webSocketJoined: try ApusSocketIOTests.joined(port: port).reset()
        case .attaching:
            let client = try ApusSocketIOTests.joined(port: port)
            try client.send(.text(#"451-["x",{"_placeholder":true,"num":0}]"#))
            try client.reset()
        case .refused: try ApusSocketIOTests.joined(port: port, "/refused").reset()
        case .rooms:
            let client = try ApusSocketIOTests.joined(port: port)
            try client.send(.text(#"421["join"]"#))
            _ = try client.readText()
            try client.reset()
        }
    }

    @Test(arguments: Stage.allCases)
    func `nothing is left of a client, wherever it is dropped`(stage: Stage) async throws {
        var configuration = SocketIOServer.Configuration()
        // What shows only by a ping shows soon, but not while a client is on its way.
        configuration.pingInterval = .milliseconds(500)
        configuration.pingTimeout = .milliseconds(500)
        let sockets = Mutex<[Weak<Socket>]>([])
        let clients = Mutex<[Weak<ApusSocketIO.Client>]>([])
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in
                sockets.withLock { $0.append(Weak(socket)) }
                clients.withLock { $0.append(Weak(socket.client)) }
                socket.on("x") { (_: [UInt8]) in try await socket.emit("y") }
                socket.on("join") { () -> Bool in
                    await socket.join("room")
                    return true
                }
            }
            io.of("/refused").use { socket in
                sockets.withLock { $0.append(Weak(socket)) }
                socket.on("x") { try await socket.emit("y") }
                throw SocketIOError.refused("no")
            }
            for _ in 0..<5 { try await onThread { try Self.drop(at: stage, port: port) } }
            try await until { io.clientCount == 0 && sockets.withLock { $0.allSatisfy(\.isGone) } }
            try await until { clients.withLock { $0.allSatisfy(\.isGone) } }
            #expect(io.root.sockets.isEmpty)
            #expect(await io.in("room").fetchSockets().isEmpty)
        }
    }

    @Test(arguments: 0..<10)
    func `a client that goes over to a WebSocket misses no broadcast, and hears none twice`(round: Int) async throws {
        let count = 3000
        try await withSocketIO { io, port in
            async let heard = onThread { () -> [Int] in
                let poller = try Poller(port: port)
                var ticks = poller.early.dropFirst().compactMap(tick)
                while ticks.count < 100 * round { ticks += try poller.poll().compactMap(tick) }
                let webSocket = try poller.probe(port: port)
                try webSocket.send(.text("5"))
                while ticks.count < count { ticks += [try webSocket.readText()].compactMap(tick) }
                return ticks
            }
            try await until { !io.root.sockets.isEmpty }
            for number in 0..<count {
                try await io.emit("tick", number)
                if number.isMultiple(of: 50) { await Task.yield() }
            }
            #expect(try await heard == Array(0..<count))
        }
    }

    @Test func `what two tasks emit in turns arrives in turns, wherever they run`() async throws {
        try await withSocketIO { io, port in
            async let heard = onThread { () -> [Int] in
                let client = try joined(port: port)
                return try (0..<500).compactMap { _ in tick(try client.readText()) }
            }
            try await until { !io.root.sockets.isEmpty }
            let socket = try #require(io.root.sockets.values.first)
            for number in 0..<500 {
                try await Task { try await socket.emit("tick", number) }.value
            }
            #expect(try await heard == Array(0..<500))
        }
    }

    @Test func `emitting waits for a client that does not poll, and goes on when it does`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxQueuedBytes = 1000
        let emitted = Counter()
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let emitting = Task {
                for number in 0..<1000 {
                    try await socket.emit("tick", number)
                    emitted.increment()
                }
            }
            try await until { emitted.count > 10 }
            for _ in 0..<100 { await Task.yield() }
            #expect(emitted.count < 100)
            let ticks = try await onThread {
                var ticks: [Int] = []
                while ticks.count < 1000 { ticks += try poller.poll().compactMap(tick) }
                return ticks
            }
            try await emitting.value
            #expect(ticks == Array(0..<1000))
        }
    }

    @Test func `a client that takes no broadcasts is thrown out`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxQueuedBytes = 1000
        try await withSocketIO(configuration) { io, port in
            let reasons = Mutex<[DisconnectReason]>([])
            io.onConnection { $0.onDisconnect { reason in reasons.withLock { $0.append(reason) } } }
            let poller = try await onThread { try Poller(port: port) }
            for number in 0..<1000 { try await io.emit("tick", number) }
            try await until { reasons.withLock { $0 } == [.transportError] }
            poller.connection.close()
        }
    }

    @Test func `who waits for an acknowledgement hears of its absence`() async throws {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let timedOut = await #expect(throws: SocketIOError.self) {
                let _: JSON = try await socket.timeout(.milliseconds(10)).emitWithAck("x")
            }
            #expect(timedOut?.code == .timedOut)
            let cancelled = Task { () -> JSON in try await socket.emitWithAck("x") }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let left = Task { () -> JSON in try await socket.emitWithAck("x") }
            try await until { socket.state.withLock { !$0.acknowledgements.isEmpty } }
            try await onThread { try client.reset() }
            let disconnected = await #expect(throws: SocketIOError.self) { try await left.value }
            #expect(disconnected?.code == .disconnected)
            await #expect(throws: SocketIOError.self) { try await socket.emit("x") }
        }
    }

    @Test func `names and counts that cannot be are refused before anything is sent`() async throws {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            for name in SocketPacket.reservedEvents {
                let error = await #expect(throws: SocketIOError.self) { try await socket.emit(name) }
                #expect(error?.code == .reservedEvent)
            }
            let error = await #expect(throws: SocketIOError.self) {
                try await io.root.everybody.emit("x", arguments: Array(repeating: .binary([1]), count: 11))
            }
            #expect(error?.code == .tooManyAttachments)
            client.close()
        }
    }

    @Test func `a stopping server tells its clients why`() async throws {
        let reasons = Mutex<[DisconnectReason]>([])
        var clients: [TestSupport.Client] = []
        try await withSocketIO { io, port in
            io.onConnection { $0.onDisconnect { reason in reasons.withLock { $0.append(reason) } } }
            clients = try await onThread { [try Poller(port: port).connection, try joined(port: port)] }
            try await until { io.root.sockets.count == 2 }
        }
        try await until { reasons.withLock { $0.count } == 2 }
        #expect(reasons.withLock { $0 } == [.serverShuttingDown, .serverShuttingDown])
        for client in clients { client.close() }
    }

    @Test func `the client's script is served, with a tag, and compressed where that is taken`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.clientScript = #filePath
        try await withSocketIO(configuration) { _, port in
            try await onThread {
                let client = try TestSupport.Client(port: port)
                try client.sendRequest("GET", "/socket.io/socket.io.min.js")
                let plain = try client.readAnswer()
                #expect(plain.status == 200)
                #expect(plain["Content-Type"] == "text/javascript; charset=utf-8")
                #expect(plain.text.contains("What only shows from inside"))
                try client.sendRequest("GET", "/socket.io/socket.io.js?v=1", "Accept-Encoding: br, gzip")
                let packed = try client.readAnswer()
                #expect(packed["Content-Encoding"] == "gzip")
                #expect(packed.body.count < plain.body.count / 2)
                try client.sendRequest(
                    "GET", "/socket.io/socket.io.min.js", "If-None-Match: \(plain["ETag"] ?? "")")
                let again = try client.readAnswer()
                #expect(again.status == 304)
                try client.sendRequest("GET", "/socket.io/other.js")
                let other = try client.readAnswer()
                #expect(other.status == 404)
                client.close()
            }
        }
    }

    @Test func `of the subprotocols that a client offers the first is taken, for a session and for an upgrade`()
        async throws
    {
        try await withSocketIO { _, port in
            try await onThread {
                let poller = try Poller(port: port)
                for sid in ["", "&sid=\(poller.sid)"] {
                    for (offer, taken) in [("one, two", "one"), ("two", "two"), ("", nil)] as [(String, String?)] {
                        let client = try TestSupport.Client(port: port)
                        let lines = offer.isEmpty ? [] : ["Sec-WebSocket-Protocol: \(offer)"]
                        let answer = try client.open("/socket.io/?EIO=4&transport=websocket\(sid)", lines)
                        #expect(answer["Sec-WebSocket-Protocol"] == taken)
                        client.close()
                    }
                }
                poller.connection.close()
            }
        }
    }

    @Test(arguments: [nil, "Range"])
    func `a preflight is allowed the fields that it asks for, unless the settings name some`(
        known: String?
    ) async throws {
        var configuration = SocketIOServer.Configuration()
        let origins = CORS.Origins.only(["https://a.example"])
        configuration.cors = try CORS(allowedOrigins: origins, headers: known == nil ? [] : [.range])
        try await withSocketIO(configuration) { _, port in
            try await onThread {
                let client = try TestSupport.Client(port: port)
                let target = "/socket.io/?EIO=4&transport=polling"
                let ask = [
                    "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-token, content-type",
                ]
                try client.sendRequest("OPTIONS", target, "Origin: https://a.example", ask[0], ask[1])
                let allowed = try client.readAnswer(hasBody: false)
                #expect(allowed.status == 204)
                #expect(allowed["Access-Control-Allow-Headers"] == known ?? "x-token, content-type")
                try client.sendRequest("OPTIONS", target, "Origin: https://a.example", ask[0])
                let nothing = try client.readAnswer(hasBody: false)
                #expect(nothing["Access-Control-Allow-Headers"] == known)
                try client.sendRequest("OPTIONS", target, "Origin: https://b.example", ask[0], ask[1])
                let refused = try client.readAnswer()
                #expect(refused.status == 403 && refused["Access-Control-Allow-Headers"] == nil)
                client.close()
            }
        }
    }

    @Test func `settings that cannot work are refused`() throws {
        let server = try WebSocketServer(configuration: .init(port: 0))
        for change: (inout SocketIOServer.Configuration) -> Void in [
            { $0.path = "socket.io" }, { $0.path = "/" }, { $0.transports = [] }, { $0.maxPayloadBytes = 0 },
            { $0.maxPayloadBytes = 1 << 30 },
            { $0.pingTimeout = .zero }, { $0.pingInterval = .seconds(Int64.max) },
            { $0.clientScript = "/no/such/file.js" },
        ] {
            var configuration = SocketIOServer.Configuration()
            change(&configuration)
            #expect(throws: WebSocketError.self) { try SocketIOServer(on: server, configuration: configuration) }
        }
    }
}
