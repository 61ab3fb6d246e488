import Apus
import Logging
import TestSupport
import Testing

/// Sends every message back.
let echo: WebSocketServer.Handler = { socket in
    for try await message in socket { try await socket.send(message) }
}

extension WebSocketServer.Configuration {
    /// For any free port, two loops, and no signals; changed as a test needs it.
    static func with(_ change: (inout Self) -> Void = { _ in }) -> Self {
        var configuration = Self(port: 0)
        configuration.threads = 2
        configuration.shutdownSignals = []
        change(&configuration)
        return configuration
    }
}

extension WebSocketServer.Configuration {
    /// Nothing ends because time is over, however busy the machine is.
    static var patient: Self {
        .with {
            $0.handshakeTimeout = .seconds(3600)
            $0.closeTimeout = .seconds(3600)
            $0.stopDeadline = .seconds(3600)
            $0.pingInterval = nil
        }
    }
}

extension WebSocketClient.Configuration {
    /// Nothing ends because time is over, however busy the machine is.
    static var patient: Self {
        var configuration = Self()
        configuration.connectTimeout = .seconds(3600)
        configuration.handshakeTimeout = .seconds(3600)
        configuration.closeTimeout = .seconds(3600)
        configuration.pingInterval = nil
        return configuration
    }
}

/// A server without words.
func makeServer(_ configuration: WebSocketServer.Configuration = .with()) throws(WebSocketError) -> WebSocketServer {
    try WebSocketServer(configuration: configuration, logger: .silent)
}

extension Logger {
    /// For errors that a test makes on purpose.
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Runs a server while `body` talks to it; then stops it, as a cancellation does, and waits for its end.
///
/// - Returns: the counters at the end, when every connection is gone.
@discardableResult
func withServer(
    _ server: WebSocketServer,
    upgrade: (@Sendable (Request) async throws -> UpgradeResponse)? = nil,
    http: @escaping @Sendable (Request) async throws -> Response = { _ in .notFound },
    handler: @escaping WebSocketServer.Handler = echo,
    body: (WebSocketServer, Int) async throws -> Void
) async throws -> WebSocketServer.Statistics {
    let listening = Box<SocketAddress>()
    try await withThrowingTaskGroup { group in
        group.addTask {
            defer { listening.close() }
            try await server.run(onListening: { listening.put($0) }, upgrade: upgrade, http: http, handler: handler)
        }
        if let address = await listening.take() {
            try await body(server, address.port)
            group.cancelAll()
        }
        try await group.waitForAll()
    }
    #expect(server.statistics.connectionsNow == 0)
    return server.statistics
}

/// Makes a server that decides on upgrades or answers requests, and runs it while `body` talks to it.
@discardableResult
func withServer(
    _ configuration: WebSocketServer.Configuration = .with(),
    upgrade: (@Sendable (Request) async throws -> UpgradeResponse)? = nil,
    http: @escaping @Sendable (Request) async throws -> Response = { _ in .notFound },
    handler: @escaping WebSocketServer.Handler = echo,
    body: (WebSocketServer, Int) async throws -> Void
) async throws -> WebSocketServer.Statistics {
    try await withServer(makeServer(configuration), upgrade: upgrade, http: http, handler: handler, body: body)
}

/// Makes a server for WebSockets alone, and runs it while `body` talks to it.
@discardableResult
func withServer(
    _ configuration: WebSocketServer.Configuration = .with(),
    handler: @escaping WebSocketServer.Handler = echo,
    body: (WebSocketServer, Int) async throws -> Void
) async throws -> WebSocketServer.Statistics {
    try await withServer(makeServer(configuration), handler: handler, body: body)
}

/// Runs a server that was made before for WebSockets alone, while `body` talks to it.
@discardableResult
func withServer(
    _ server: WebSocketServer,
    handler: @escaping WebSocketServer.Handler,
    body: (WebSocketServer, Int) async throws -> Void
) async throws -> WebSocketServer.Statistics {
    try await withServer(server, upgrade: nil, handler: handler, body: body)
}

/// Whether the server goes on serving: a new connection gets its echo.
func expectEcho(port: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let answer = try await onThread {
        let client = try Client.webSocket(port: port)
        try client.send(.text("still here"))
        let text = try client.readText()
        try client.closeNormally()
        return text
    }
    #expect(answer == "still here", sourceLocation: sourceLocation)
}

/// Whether the server goes on serving, where its handler echoes nothing: a new connection can be opened and closed.
func expectHandshakes(port: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let code = try await onThread { try Client.webSocket(port: port).closeNormally() }
    #expect(code == 1000, sourceLocation: sourceLocation)
}

/// Waits until something that no peer can see has come about; the test's time limit is the end of its patience.
func until(_ condition: () -> Bool) async throws {
    while !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// Sends until nothing is taken any more, though the loop has gone round: to a peer that does not read.
func fill(_ socket: WebSocket) async throws {
    let bytes = [UInt8](repeating: 0, count: 10_000)
    repeat {
        while socket.trySend(bytes) == .sent {}
        // Calls from elsewhere are taken between two looks at the network.
        for _ in 0..<5 { await Task.detached { await socket.eventLoop.run {} }.value }
    } while await socket.eventLoop.run({ socket.trySend(bytes) == .sent })
}

/// The code of the error that `body` throws; `nil` where it throws none.
func errorCode(_ body: () async throws -> Void) async -> WebSocketError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return error.webSocketCode
    }
}

extension Error {
    /// The code of a ``WebSocketError``; any other error is none that a test expects.
    var webSocketCode: WebSocketError.Code? {
        if let error = self as? WebSocketError { return error.code }
        Issue.record("\(self) is no WebSocketError")
        return nil
    }
}
