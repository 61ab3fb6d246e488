import Apus
import Logging

extension WebSocketServer.Configuration {
    /// The defaults, for a test's own server: any free port of 127.0.0.1, one event loop, no signals.
    public static var testing: Self {
        var configuration = Self(port: 0)
        configuration.threads = 1
        configuration.shutdownSignals = []
        return configuration
    }
}

/// Runs a server for as long as `body` does, which gets the URL to connect to.
///
/// ```swift
/// @Test func `a client is greeted`() async throws {
///     try await withServer(handler: greet) { url in
///         try await WebSocketClient.connect(url) { socket in
///             var messages = socket.makeAsyncIterator()
///             #expect(try await messages.next() == "Hello!")
///         }
///     }
/// }
/// ```
///
/// Then the server stops as it does when its task is cancelled: WebSockets still open are closed with 1001. This
/// function suspends until all connections and handlers have ended.
///
/// - Parameters:
///   - configuration: the server's settings; ``Apus/WebSocketServer/Configuration/testing`` by default. A TCP port is
///     always a free one, signals are left alone.
///   - logger: the server's; by default one that says only what went wrong.
///   - upgrade: decides on opening handshakes; see `WebSocketServer.run`.
///   - http: answers other requests; 404 by default.
///   - handler: has a connection for as long as it runs.
///   - body: gets a URL with the path `/`, such as `ws://127.0.0.1:40123/`, `wss` where the server speaks TLS, or
///     `ws+unix:///path:/` for a Unix socket.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws, else what the server throws: a ``Apus/WebSocketError``, if it cannot listen.
public func withServer<Value: Sendable>(
    configuration: WebSocketServer.Configuration = .testing,
    logger: Logger? = nil,
    upgrade: (@Sendable @concurrent (Request) async throws -> UpgradeResponse)? = nil,
    http: @escaping @Sendable @concurrent (Request) async throws -> Response = { _ in .notFound },
    handler: @escaping WebSocketServer.Handler,
    body: (String) async throws -> Value
) async throws -> Value {
    try await withServer(
        configuration: configuration, logger: logger, upgrade: upgrade, http: http, setUp: { _ in handler }, body: body)
}

/// Runs a server whose handler needs the server itself: its topics, for instance.
///
/// ```swift
/// @Test func `what one says is heard by all`() async throws {
///     let setUp: (WebSocketServer) throws -> WebSocketServer.Handler = { server in
///         chat(in: try server.topic("lobby"))
///     }
///     try await withServer(setUp: setUp) { url in
///         try await WebSocketClient.connect(url) { socket in
///             try await socket.send("Hello!")
///             var messages = socket.makeAsyncIterator()
///             #expect(try await messages.next() == "Hello!")
///         }
///     }
/// }
/// ```
///
/// Everything else is as with ``withServer(configuration:logger:upgrade:http:handler:body:)``.
///
/// - Parameters:
///   - configuration: the server's settings.
///   - logger: the server's.
///   - upgrade: decides on opening handshakes; see `WebSocketServer.run`.
///   - http: answers other requests; 404 by default.
///   - setUp: called once with the server, before it listens; returns what to do with each connection.
///   - body: gets a URL with the path `/`.
/// - Returns: what `body` returns.
/// - Throws: what `setUp` throws, what `body` throws, or what the server throws.
public func withServer<Value: Sendable>(
    configuration: WebSocketServer.Configuration = .testing,
    logger: Logger? = nil,
    upgrade: (@Sendable @concurrent (Request) async throws -> UpgradeResponse)? = nil,
    http: @escaping @Sendable @concurrent (Request) async throws -> Response = { _ in .notFound },
    setUp: (WebSocketServer) async throws -> WebSocketServer.Handler,
    body: (String) async throws -> Value
) async throws -> Value {
    var configuration = configuration
    if case .tcp(let host, _) = configuration.address { configuration.address = .tcp(host: host, port: 0) }
    configuration.shutdownSignals = []
    let isSecure = configuration.tls != nil
    let server = try WebSocketServer(configuration: configuration, logger: logger ?? quietLogger)
    let handler = try await setUp(server)
    let (addresses, listening) = AsyncStream<SocketAddress>.makeStream()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { listening.finish() }
            try await server.run(
                onListening: { listening.yield($0) }, upgrade: upgrade, http: http, handler: handler)
        }
        let outcome = await outcome(of: body, isSecure: isSecure, addresses: addresses)
        group.cancelAll()
        let end = await group.nextResult()
        switch outcome {
        case .success(let value):
            try end?.get()
            return value
        case .failure(let error): throw error
        case nil:
            try end?.get()
            throw CancellationError()
        }
    }
}

/// Calls `body` once the server listens; `nil` where it never does.
private func outcome<Value: Sendable>(
    of body: (String) async throws -> Value, isSecure: Bool, addresses: AsyncStream<SocketAddress>
) async -> Result<Value, any Error>? {
    for await address in addresses {
        do {
            return .success(try await body(url(of: address, isSecure: isSecure)))
        } catch {
            return .failure(error)
        }
    }
    return nil
}

private func url(of address: SocketAddress, isSecure: Bool) -> String {
    if address.isUnix { return "ws+unix://\(address.host):/" }
    return "\(isSecure ? "wss" : "ws")://\(address)/"
}

private var quietLogger: Logger {
    var logger = Logger(label: "apus")
    logger.logLevel = .warning
    return logger
}
