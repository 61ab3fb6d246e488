import Apus
import ApusSocketIO
import Foundation
import Synchronization

/// Being thrown out, being lost and coming back, and values that JavaScript has types of its own for.
enum FarewellServer {
    /// The last socket of each identity, whether it is connected or not.
    private final class Register: Sendable {
        private let sockets = Mutex<[Name: Socket]>([:])

        func keep(_ socket: Socket) { sockets.withLock { $0[Name(socket.id)] = socket } }
        func socket(_ id: String) -> Socket? { sockets.withLock { $0[Name(id)] } }
    }

    private struct Report: Codable, Sendable {
        var time: Date
        var parts: [Data]
    }

    static func serve(_ io: SocketIOServer) {
        let register = Register()
        io.onConnection { socket in
            register.keep(socket)
            leave(socket, io)
            exchange(socket, register)
        }
        // Thrown out at once, with a last word.
        io.of("/denied").onConnection { socket in
            try await socket.emit("denied", "not you")
            socket.disconnect(close: true)
        }
        let meddling = io.of("/meddling")
        meddling.use { socket in
            socket.disconnect(close: true)
            await socket.join("early")
        }
        meddling.onConnection { socket in
            socket.on("rooms") { () -> [String] in socket.rooms.map(\.text).filter { $0 != socket.id }.sorted() }
        }
        io.of("/second").onConnection { socket in register.keep(socket) }
    }

    private static func leave(_ socket: Socket, _ io: SocketIOServer) {
        socket.on("farewell") { (count: Int) in
            for number in 0..<count { try await socket.emit("last", number) }
            socket.disconnect(close: true)
        }
        socket.on("farewell-to-all") { (room: String) in
            try await io.to(room).emit("last", 0)
            await io.in([room]).disconnectSockets(close: true)
        }
        socket.on("leave-own-room") { () -> Bool in
            await socket.leave(socket.id)
            return true
        }
    }

    private static func exchange(_ socket: Socket, _ register: Register) {
        socket.on("tell") { (id: String, value: JSON) -> Bool in
            do { try await register.socket(id)?.emit("told", value) } catch is SocketIOError { return false }
            return true
        }
        socket.on("is-here") { (id: String) -> Bool in register.socket(id)?.isConnected ?? false }
        socket.on("report") { (report: Report) -> Report in
            Report(time: report.time.addingTimeInterval(0.001), parts: report.parts.map { Data($0.reversed()) })
        }
        socket.on("ask-with-much") { (content: Data) in
            let answer: String = try await socket.emitWithAck("question", content.count)
            try await socket.emit("answered", answer)
        }
    }
}
