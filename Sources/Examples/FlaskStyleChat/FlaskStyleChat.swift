import Apus
import ApusSocketIO
import Foundation

@main
struct FlaskStyleChat {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let server = try WebSocketServer(configuration: .init(port: arguments.first.flatMap { Int($0) } ?? 5000))
        let page = try StaticResources(directory: Bundle.module.bundlePath + "/Resources")
        var configuration = SocketIOServer.Configuration()
        configuration.clientScript = arguments.dropFirst().first
        let io = try SocketIOServer(on: server, configuration: configuration)
        io.onConnection { socket in
            socket.on("message") { (text: String) in
                try await io.emit("message", text)
            }
        }
        try await io.run(onListening: { print("listening on \($0.port)") }) { page.response(to: $0) ?? .notFound }
    }
}
