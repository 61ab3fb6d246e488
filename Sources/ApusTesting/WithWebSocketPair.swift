import Apus

/// Joins a server's WebSocket and a client's in memory, and runs a handler on each: no sockets, descriptors or HTTP.
///
/// ```swift
/// @Test func `the handler greets`() async throws {
///     try await withWebSocketPair(server: greet) { socket in
///         try await socket.send("Ada")
///         var messages = socket.makeAsyncIterator()
///         #expect(try await messages.next() == "Hello, Ada!")
///     }
/// }
/// ```
///
/// All else is as on a network: frames and masking (RFC 6455 §5), message limits, queues and slow-consumer policies,
/// pings, timeouts, the closing handshake (§7), and compression if both configurations have it on. Between the ends lie
/// at most 64 KiB each way; with more under way, the sender is held back as TCP would. What concerns listening, TLS and
/// HTTP is passed over. ``Apus/WebSocket/request`` is a plain `GET /` at both ends, and their addresses are empty.
///
/// Each end closes by how its handler ends, with 1000 or, where it throws, 1011; and with 1001 when the task is
/// cancelled. This function suspends until both handlers have ended and the connection is gone.
///
/// The server's end belongs to no server, so it can subscribe to no topic: `subscribe(to:)` throws. A handler with
/// topics is tested by ``withWebSocketPair(on:clientConfiguration:server:client:)``.
///
/// - Parameters:
///   - configuration: the limits and timeouts of the server's end.
///   - clientConfiguration: those of the client's end.
///   - eventLoop: where both ends live; the loop that the caller is on, or else one that the process shares.
///   - server: what a server would do with the connection; the handler to test, perhaps.
///   - client: what a client does; its result is returned.
/// - Throws: what the first handler to throw has thrown; but not the `WebSocketError` by which `server` learns that the
///   connection has ended, nor does a server tell that. Before they run, ``Apus/WebSocketError``:
///   `invalidConfiguration` or `outOfResources`.
public func withWebSocketPair<Value: Sendable>(
    configuration: WebSocketServer.Configuration = .init(),
    clientConfiguration: WebSocketClient.Configuration = .init(),
    eventLoop: EventLoop? = nil,
    server: @escaping WebSocketServer.Handler,
    client: @escaping WebSocketClient.Handler<Value>
) async throws -> Value {
    try await WebSocketPair.run(
        configuration: configuration, clientConfiguration: clientConfiguration, eventLoop: eventLoop, server: server,
        client: client)
}

/// Joins a connection of a server and a client's in memory, and runs a handler on each.
///
/// The server need not run. Its topics work as they do on a network, also between several pairs on the same server:
///
/// ```swift
/// @Test func `what one says comes back`() async throws {
///     let server = try WebSocketServer(configuration: .testing)
///     let lobby = try server.topic("lobby")
///     try await withWebSocketPair(on: server, server: chat(in: lobby)) { socket in
///         try await socket.send("Hello!")
///         var messages = socket.makeAsyncIterator()
///         #expect(try await messages.next() == "Hello!")
///     }
/// }
/// ```
///
/// Everything else is as with ``withWebSocketPair(configuration:clientConfiguration:eventLoop:server:client:)``.
///
/// - Parameters:
///   - webSocketServer: its configuration holds the limits and timeouts of the server's end; both ends live on one of
///     its event loops.
///   - clientConfiguration: the limits and timeouts of the client's end.
///   - server: what the server does with the connection: the handler to test, perhaps.
///   - client: what a client does; its result is returned.
public func withWebSocketPair<Value: Sendable>(
    on webSocketServer: WebSocketServer,
    clientConfiguration: WebSocketClient.Configuration = .init(),
    server: @escaping WebSocketServer.Handler,
    client: @escaping WebSocketClient.Handler<Value>
) async throws -> Value {
    try await WebSocketPair.run(
        on: webSocketServer, clientConfiguration: clientConfiguration, handler: server, client: client)
}
