import Apus
import ApusSocketIO
import Foundation

@main
struct FlaskStyleChat {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5000
        let server = try WebSocketServer(configuration: .init(port: port))
        let io = try SocketIOServer(on: server)
        io.onConnection { socket in
            socket.on("message") { (text: String) in
                try await io.emit("message", text)
            }
        }
        let page = try StaticResources(directory: Bundle.module.bundlePath + "/Resources")
        let announce: @Sendable (SocketAddress) -> Void = { address in
            print("listening on http://\(address)")
            fflush(nil)
        }
        try await io.run(onListening: announce) { page.response(to: $0) ?? .notFound }
    }
}
