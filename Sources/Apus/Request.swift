import HTTPTypes

/// An HTTP request: its head, its content, and who sent it.
///
/// The head's properties can be asked for directly: `request.path` is `request.head.path`.
///
/// ```swift
/// try await server.run(http: { request in
///     guard request.method == .post else { return .notFound }
///     let bytes = try await request.body.collect(upTo: 64 << 10)
///     return .text("\(bytes.count) bytes from \(request.remoteAddress)")
/// }, handler: chat)
/// ```
@dynamicMemberLookup
public struct Request: Sendable {
    /// Method, target and header fields. Scheme and authority are those that the client used, where
    /// ``WebSocketServer/Configuration/trustedProxies`` tell them.
    public let head: HTTPRequest
    /// The content; empty for an opening handshake.
    public let body: RequestBody
    /// The client's address: the peer's, or the one that ``WebSocketServer/Configuration/trustedProxies`` tell.
    public let remoteAddress: SocketAddress

    /// What the head says.
    public subscript<Value>(dynamicMember member: KeyPath<HTTPRequest, Value>) -> Value { head[keyPath: member] }
}
