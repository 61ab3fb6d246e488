import Apus
import ApusSocketIO

/// What a Socket.IO client can fill.
enum SocketIOPlaces {
    /// Time limits are so long that nothing ends while it is measured.
    static func make(on server: WebSocketServer, recovers: Bool) throws -> SocketIOServer {
        var configuration = SocketIOServer.Configuration()
        configuration.pingInterval = .seconds(600)
        configuration.connectTimeout = .seconds(600)
        configuration.forgetsEmptyNamespaces = true
        if recovers {
            configuration.recovery = .init(maxDisconnection: .seconds(3), maxPackets: 100_000, maxBytes: 16 << 20)
        }
        let io = try SocketIOServer(on: server, configuration: configuration)
        io.onConnection { serve($0, io) }
        io.of { name, _ in name.hasPrefix("/dynamic-") }.onConnection { _ in }
        return io
    }

    private static func serve(_ socket: Socket, _ io: SocketIOServer) {
        // Events behind this one wait.
        socket.on("hold") { try await Release.next() }
        socket.on("flood") { (count: Int, size: Int) in
            let text = String(repeating: "x", count: size)
            for _ in 0..<count { try await socket.emit("text", text) }
        }
        socket.on("ask") { (count: Int) in
            try await withThrowingDiscardingTaskGroup { group in
                for number in 0..<count {
                    group.addTask {
                        let _: JSON = try await socket.timeout(.seconds(600)).emitWithAck("question", number)
                    }
                }
            }
        }
        socket.on("join") { (count: Int) in
            for number in 0..<count { await socket.join("\(socket.id) \(number)") }
        }
        socket.on("publish") { (count: Int, size: Int) in
            // Each has memory of its own: what is remembered would share it otherwise.
            for _ in 0..<count { try await io.emit("text", String(repeating: "x", count: size)) }
        }
    }
}
