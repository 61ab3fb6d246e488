import Apus
import ApusSocketIO

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the Socket.IO project's conformance suites for servers run against: `socketio-test-server HOST:PORT`. With
/// `--features`, and `--recovery` behind it, it is what our own tests use of rooms, acknowledgements and all the rest.
///
/// At `/engine.io/` every message comes back; at `/socket.io/` the namespaces `/` and `/custom` answer as the suite
/// wants them to. One loop: the suites act on two connections at once, and expect the order of their acts.
@main
struct SocketIOTestServer {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let parts = (arguments.first ?? "127.0.0.1:3000").split(separator: ":")
        let options = arguments.dropFirst()
        guard parts.count == 2, let port = Int(parts[1]),
            options.allSatisfy(["--features", "--recovery", "--quiet"].contains)
        else {
            print("usage: socketio-test-server HOST:PORT [--features [--recovery] [--quiet]]")
            exit(2)
        }
        var configuration = WebSocketServer.Configuration(host: String(parts[0]), port: port)
        configuration.originPolicy = .any
        if !options.isEmpty {
            let isQuiet = options.contains("--quiet")
            configuration.threads = isQuiet ? 1 : 2
            return try await FeatureServer.run(
                configuration, recovers: options.contains("--recovery"), isQuiet: isQuiet)
        }
        configuration.threads = 1
        let server = try WebSocketServer(configuration: configuration)
        let cors = try CORS(allowedOrigins: .any)
        let engine = EngineServer(on: server, configuration: engineConfiguration(cors)) { Echo($0) }
        server.onStop { engine.close(.serverShuttingDown) }
        let io = try SocketIOServer(on: server, configuration: socketConfiguration(cors))
        serve(io)
        try await server.run(
            onListening: announce,
            upgrade: { request in
                if engine.owns(request.head) { return await engine.upgrade(request) }
                return try await io.upgrade(request) ?? .reject(.notFound)
            },
            http: { request in
                if engine.owns(request.head) { return try await engine.response(to: request) }
                return try await io.response(to: request) ?? .notFound
            },
            handler: { _ in }
        )
    }

    static func announce(_ address: SocketAddress) {
        print("listening on \(address.port)")
        fflush(nil)  // whoever waits for the line may read it from a pipe
    }

    private static func engineConfiguration(_ cors: CORS) -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.pingInterval = .milliseconds(300)
        configuration.pingTimeout = .milliseconds(200)
        configuration.cors = cors
        configuration.compressionThreshold = nil
        return configuration
    }

    private static func socketConfiguration(_ cors: CORS) -> SocketIOServer.Configuration {
        var configuration = SocketIOServer.Configuration()
        configuration.pingInterval = .milliseconds(300)
        configuration.pingTimeout = .milliseconds(200)
        configuration.connectTimeout = .milliseconds(1000)
        configuration.cors = cors
        configuration.compressionThreshold = nil
        return configuration
    }

    private static func serve(_ io: SocketIOServer) {
        io.onConnection { socket in
            try await socket.emit("auth", socket.auth)
            socket.on("message") { (event: SocketEvent) in
                try await socket.emit("message-back", arguments: event.arguments)
            }
            socket.on("message-with-ack") { (event: SocketEvent) in
                try await event.acknowledge(arguments: event.arguments)
            }
        }
        io.of("/custom").onConnection { socket in
            try await socket.emit("auth", socket.auth)
        }
    }
}

/// Sends every message back.
private final class Echo: EngineApplication {
    private let session: EngineSession

    init(_ session: EngineSession) { self.session = session }

    func received(_ message: Message) {
        switch message {
        case .text(let text): session.post([.text("4\(text)")])
        case .binary: session.post([message])
        }
    }

    func upgraded(to webSocket: WebSocket) {}
    func pongIsDue(_ isDue: Bool) {}
    func ended(_ reason: EngineEnd) {}
    func waitForRoom() async {}
}
