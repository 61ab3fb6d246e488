import Apus
import ApusSocketIO
import Synchronization

/// Something of everything that Socket.IO has, for clients that ask for it.
enum FeatureServer {
    private struct Deliberate: Error {}

    /// Why clients have left, in order.
    private final class Journal: Sendable {
        private let lines = Mutex<[String]>([])

        func note(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    static func run(_ configuration: WebSocketServer.Configuration, recovers: Bool, isQuiet: Bool) async throws {
        let server = try WebSocketServer(configuration: configuration)
        var configuration = SocketIOServer.Configuration()
        configuration.cookie = SessionCookie()
        configuration.allowRequest = { handshake in
            if handshake.query["forbidden"] != nil { throw SocketIOError.refused("Not you") }
        }
        // Who counts instructions wants none of pings.
        if isQuiet { configuration.pingInterval = .seconds(3600) }
        if recovers { configuration.recovery = .init() }
        let io = try SocketIOServer(on: server, configuration: configuration)
        let journal = Journal()
        io.onConnection { socket in
            exchange(socket, io)
            gather(socket, io)
            observe(socket, io, journal)
        }
        FarewellServer.serve(io)
        protect(io.of("/admin"))
        let rooms = io.of { name, _ in name.hasPrefix("/dynamic-") }
        rooms.onConnection { socket in
            socket.on("where") { () -> String in socket.namespace.name }
            socket.on("tell") { (text: String) in try await socket.namespace.emit("told", text) }
        }
        try await io.run(onListening: SocketIOTestServer.announce)
    }

    /// Events and acknowledgements, both ways.
    private static func exchange(_ socket: Socket, _ io: SocketIOServer) {
        socket.on("echo") { (event: SocketEvent) in try await event.acknowledge(arguments: event.arguments) }
        socket.on("back") { (event: SocketEvent) in try await socket.emit("back", arguments: event.arguments) }
        for name in ["message", "broadcast"] { load(socket, io, name) }
        socket.on("sum") { (numbers: [Int], scale: Int?) -> Int in numbers.reduce(0, +) * (scale ?? 1) }
        socket.on("size") { (bytes: [UInt8]) -> Int in bytes.count }
        socket.on("throw") { throw Deliberate() }
        socket.on("ask") { (question: JSON) -> JSON in try await socket.emitWithAck("question", question) }
        socket.on("ask-briefly") { () -> String in
            do {
                let answer: String = try await socket.timeout(.milliseconds(50)).emitWithAck("question", "quick!")
                return answer
            } catch let error as SocketIOError {
                return "\(error.code)"
            }
        }
        socket.on("ask-all") { (room: String) -> [JSON] in
            try await io.to(room).timeout(.seconds(5)).emitWithAck("question", "all")
        }
        socket.on("burst") { (count: Int) in
            for number in 0..<count { try await io.emit("tick", number) }
        }
        socket.on("announce") { (text: String) in try await io.emit("said", text) }
        socket.on("volatile") { (text: String) in try await socket.volatile.emit("maybe", text) }
    }

    /// What `apus-load --socketio` sends, and expects back: from `message` by itself, from `broadcast` by all.
    private static func load(_ socket: Socket, _ io: SocketIOServer, _ name: String) {
        socket.on(name) { (event: SocketEvent) in
            if name == "message" {
                try await socket.emit(name, arguments: event.arguments)
            } else {
                try await io.root.everybody.emit(name, arguments: event.arguments)
            }
        }
    }

    /// Rooms.
    private static func gather(_ socket: Socket, _ io: SocketIOServer) {
        socket.on("join") { (room: String) -> Bool in
            await socket.join(room)
            return true
        }
        socket.on("leave") { (room: String) -> Bool in
            await socket.leave(room)
            return true
        }
        socket.on("rooms") { () -> [String] in names(of: socket) }
        socket.on("say") { (room: String, value: JSON) in try await io.to(room).emit("said", value) }
        socket.on("say-to-others") { (room: String, value: JSON) in try await socket.to(room).emit("said", value) }
        socket.on("say-except") { (room: String, value: JSON) in try await io.except(room).emit("said", value) }
        socket.on("shout") { (value: JSON) in try await socket.broadcast.emit("said", value) }
        socket.on("gather") { (room: String) -> Int in
            await io.root.socketsJoin(room)
            return await io.in(room).fetchSockets().count
        }
        socket.on("scatter") { (room: String) -> Int in
            await io.root.socketsLeave(room)
            return await io.in(room).fetchSockets().count
        }
        socket.on("kick") { (room: String, close: Bool) in await io.in(room).disconnectSockets(close: close) }
    }

    /// The rooms that a client is in, beside its own.
    private static func names(of socket: Socket) -> [String] {
        socket.rooms.subtracting([Name(socket.id)]).sorted().map(\.text)
    }

    /// Who is who, and what becomes of them.
    private static func observe(_ socket: Socket, _ io: SocketIOServer, _ journal: Journal) {
        socket.on("whoami") { () -> JSON in ["id": .string(socket.id), "recovered": .bool(socket.isRecovered)] }
        socket.on("remember") { (data: JSON) in socket.data = data }
        socket.on("recall") { () -> JSON in socket.data }
        socket.on("people") { () -> [JSON] in await io.root.fetchSockets().map(\.data) }
        socket.on("journal") { () -> [String] in journal.all }
        socket.on("leave-me") { (close: Bool) in socket.disconnect(close: close) }
        socket.use { event in
            if event.name == "forbidden" { throw Deliberate() }
        }
        socket.on("forbidden") { journal.note("this must not be") }
        socket.onAny { event in
            if event.name == "any" { try await socket.emit("heard", event.name, event.arguments) }
        }
        socket.onDisconnecting { reason in
            journal.note("disconnecting \(reason) \(names(of: socket))")
        }
        socket.onDisconnect { reason in journal.note("disconnect \(reason)") }
    }

    private static func protect(_ admin: Namespace) {
        admin.use { socket in
            guard socket.auth["token"] == "secret" else {
                throw SocketIOError.refused("not authorized", data: ["why": "token"])
            }
        }
        admin.use { socket in
            if socket.auth["broken"] == true { throw Deliberate() }
        }
        admin.onConnection { socket in
            socket.on("echo") { (event: SocketEvent) in try await event.acknowledge(arguments: event.arguments) }
            if socket.auth["throws"] == true { throw Deliberate() }
        }
    }
}
