import Apus
import ArgumentParser

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A server that sends every message back, or on to everybody: the README's example, and what one measures with.
@main
struct EchoServer: AsyncParsableCommand {
    enum Mode: String, ExpressibleByArgument, CaseIterable { case echo, broadcast }
    enum CompressionMode: String, ExpressibleByArgument, CaseIterable { case off, shared, dedicated }

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port; 0 for any free one.") var port: Int
    @Option(help: "Event loops, each a thread.") var threads = 1
    @Option(help: "Whether a message goes back to its sender or on to all clients.") var mode = Mode.echo
    @Option(help: "The largest message, in bytes.") var maxMessage = 64 << 20
    @Option(help: "Whether messages are compressed, and with one compressor for all or one for each.")
    var compression = CompressionMode.off
    @Option(help: "zlib's level, from 1 to 9.") var compressionLevel = 6
    @Flag(help: "Receive borrowed bytes in a closure, rather than messages in a loop.") var borrowed = false

    func run() async throws {
        var configuration = WebSocketServer.Configuration(host: host, port: port)
        configuration.threads = threads
        configuration.maxMessageBytes = maxMessage
        configuration.maxFragments = 1 << 17  // the Autobahn|Testsuite sends 65,536 of 64 bytes (case 9.3.1)
        configuration.compression =
            switch compression {
            case .off: .off
            case .shared: .shared(level: compressionLevel)
            case .dedicated: .dedicated(level: compressionLevel)
            }
        let server = try WebSocketServer(configuration: configuration)
        let everybody = server.topic("everybody")
        let handler: WebSocketServer.Handler =
            switch mode {
            case .echo where borrowed: { try await echoBorrowed($0) }
            case .echo: { try await echo($0) }
            case .broadcast: { [borrowed] in try await broadcast($0, to: everybody, borrowed: borrowed) }
            }
        try await server.run(
            onListening: { address in
                print("listening on \(address.port)")
                fflush(nil)  // whoever waits for the line may read it from a pipe
            },
            handler: handler
        )
    }
}

func echo(_ socket: WebSocket) async throws {
    for try await message in socket {
        try await socket.send(message)
    }
}

func echoBorrowed(_ socket: WebSocket) async throws {
    try await socket.receive { message in
        // Nothing can wait here: a peer that sends without reading is too slow for its own echo.
        if socket.trySend(message) == .full { socket.abort() }
    }
}

func broadcast(_ socket: WebSocket, to everybody: Topic, borrowed: Bool) async throws {
    await socket.subscribe(to: everybody)
    if borrowed {
        try await socket.receive { everybody.publish($0) }
    } else {
        for try await message in socket { everybody.publish(message) }
    }
}
