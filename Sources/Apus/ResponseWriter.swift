/// Writes the content of a streamed response; see
/// ``Response/init(status:headerFields:contentLength:stream:)``.
public struct ResponseWriter: Sendable {
    let exchange: HTTPExchange

    /// Sends some of the content.
    ///
    /// Suspends only while the outbound queue is full (``WebSocketServer/Configuration/maxOutboundBytes``); so a slow
    /// client holds the writer back. From any task; in order where one task writes.
    ///
    /// - Throws: ``WebSocketError``: `connectionClosed` (the client has gone, or the closure has returned),
    ///   `invalidArgument` (more than the content length that was given), `outOfResources`, or `cancelled` where the
    ///   task was cancelled while it waited; in each case nothing of `bytes` was sent.
    public func write(_ bytes: [UInt8]) async throws(WebSocketError) {
        try await exchange.write(bytes)
    }

    /// Sends some text, in UTF-8; else as ``write(_:)-([UInt8])``.
    public func write(_ text: String) async throws(WebSocketError) {
        try await exchange.write(Array(text.utf8))
    }
}
