@testable import Apus
import TestSupport
import Testing

/// What a server says to one client.
typealias ServerScript = @Sendable (Client) throws -> Void

/// Lets scripts play the server, each for the next connection, while `body` runs; waits for both.
@discardableResult
func withRawServer<T>(_ scripts: [ServerScript], body: (Int) async throws -> T) async throws -> T {
    let server = try RawServer()
    async let played: Void = onThread {
        for script in scripts {
            let client = try Client(acceptedFrom: server)
            try script(client)
        }
    }
    let result: Result<T, any Error>
    do {
        result = .success(try await body(server.port))
    } catch {
        result = .failure(error)
    }
    try await played
    return try result.get()
}

/// Lets a script play the server for one connection while `body` runs; waits for both.
@discardableResult
func withRawServer<T>(_ script: @escaping ServerScript, body: (Int) async throws -> T) async throws -> T {
    try await withRawServer([script], body: body)
}

/// Opens a WebSocket to a port of this machine, as tests like it: without words.
func connect<T: Sendable>(
    port: Int, _ target: String = "/", _ change: (inout WebSocketClient.Configuration) -> Void = { _ in },
    handler: @escaping WebSocketClient.Handler<T>
) async throws -> T {
    var configuration = WebSocketClient.Configuration()
    change(&configuration)
    return try await WebSocketClient.connect(
        "ws://127.0.0.1:\(port)\(target)", configuration: configuration, logger: .silent, handler: handler)
}

/// The error with which opening a WebSocket fails.
func failure(
    port: Int, _ target: String = "/", _ change: (inout WebSocketClient.Configuration) -> Void = { _ in }
) async -> WebSocketError? {
    do {
        try await connect(port: port, target, change) { _ in }
        return nil
    } catch {
        return error as? WebSocketError
    }
}

extension WebSocket {
    /// Takes the next message, which must be this one.
    func expectNext(_ expected: Message, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let message = try await next()
        #expect(message == expected, sourceLocation: sourceLocation)
    }
}
