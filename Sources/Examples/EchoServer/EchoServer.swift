import Apus
import ArgumentParser
import HTTPTypes

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
    enum Mode: String, ExpressibleByArgument, CaseIterable { case echo, broadcast, client, burst }
    enum SlowConsumer: String, ExpressibleByArgument, CaseIterable { case suspend, drop, close }
    enum CompressionMode: String, ExpressibleByArgument, CaseIterable { case off, shared, dedicated }

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port; 0 for any free one.") var port: Int
    @Option(help: "Event loops, each a thread.") var threads = 1
    @Option(
        help: "Messages go back, on to all clients, or back behind one on how the server sees the client; or see Burst."
    )
    var mode = Mode.echo
    @Option(help: "The largest message, in bytes.") var maxMessage = 64 << 20
    @Option(help: "What happens to a message for a client that does not read.") var slowConsumer = SlowConsumer.suspend
    @Option(help: "A reverse proxy's address, or range of them, that may tell the client's; repeatable.")
    var trust: [String] = []
    @Flag(help: "Trusted proxies send a header of the PROXY protocol.") var proxyProtocol = false
    @Option(help: "What may be queued for a client, in bytes.") var maxOutbound = 1 << 20
    @Option(help: "Whether messages are compressed, and with one compressor for all or one for each.")
    var compression = CompressionMode.off
    @Option(help: "From 1, the fastest (ISA-L's), to 9, the smallest (zlib's, as all from 2 on).")
    var compressionLevel = 1
    @Flag(help: "Receive borrowed bytes in a closure, rather than messages in a loop.") var borrowed = false

    @Option(help: "A certificate and those that sign it, as PEM; the server then speaks TLS.")
    var tlsCertificate: String?
    @Option(help: "The certificate's private key, as PEM.") var tlsKey: String?

    func validate() throws {
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together")
        }
    }

    func run() async throws {
        var configuration = WebSocketServer.Configuration(host: host, port: port)
        configuration.threads = threads
        configuration.maxMessageBytes = maxMessage
        configuration.maxFragments = 1 << 17  // the Autobahn|Testsuite sends 65,536 of 64 bytes (case 9.3.1)
        configuration.slowConsumerPolicy =
            switch slowConsumer {
            case .suspend: .suspendSender
            case .drop: .dropMessage
            case .close: .close
            }
        configuration.maxOutboundBytes = maxOutbound
        configuration.trustedProxies = trust
        configuration.proxyProtocol = proxyProtocol ? .required : .off
        configuration.compression =
            switch compression {
            case .off: .off
            case .shared: .shared(level: compressionLevel)
            case .dedicated: .dedicated(level: compressionLevel)
            }
        if let tlsCertificate, let tlsKey {
            configuration.tls = TLSConfiguration(certificateFile: tlsCertificate, keyFile: tlsKey)
        }
        let server = try WebSocketServer(configuration: configuration)
        let everybody = try server.topic("everybody")
        let handler: WebSocketServer.Handler =
            switch mode {
            case .echo where borrowed: { try await echoBorrowed($0) }
            case .echo: { try await echo($0) }
            case .client:
                { socket in
                    try await socket.send(describe(socket.remoteAddress, socket.request))
                    try await echo(socket)
                }
            case .burst: { try await Burst(server: server, topic: everybody).serve($0) }
            case .broadcast: { [borrowed] in try await broadcast($0, to: everybody, borrowed: borrowed) }
            }
        try await server.run(
            onListening: { address in
                print("listening on \(address.port)")
                fflush(nil)  // whoever waits for the line may read it from a pipe
            },
            http: { await answer($0) },
            handler: handler
        )
    }
}

/// Sends content back while it comes; at `/client`, says how the server sees the client.
func answer(_ request: Request) async -> Response {
    guard request.path != "/client" else { return .text(describe(request.remoteAddress, request.head)) }
    guard request.method == .post else { return .notFound }
    return Response(status: .ok, contentLength: request.body.contentLength) { writer in
        for try await piece in request.body { try await writer.write(piece) }
    }
}

func describe(_ address: SocketAddress, _ request: HTTPRequest) -> String {
    "\(address) \(request.scheme ?? "") \(request.authority ?? "")"
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
    try await socket.subscribe(to: everybody)
    if borrowed {
        try await socket.receive { message in
            // Nothing can wait here: a peer that publishes faster than all can be served has to go.
            if everybody.tryPublish(message) == .full { socket.abort() }
        }
    } else {
        for try await message in socket { try await everybody.publish(message) }
    }
}
