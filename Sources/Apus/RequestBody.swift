/// The content of a request, as it comes: an `AsyncSequence` of pieces, none of them empty.
///
/// It is pulled: content that nobody asks for is not read, and TCP holds the client back. A client that sent
/// `Expect: 100-continue` (RFC 9110 §10.1.1) is told to go on when the content is first asked for. It can be read once,
/// until the response is given, by one task at a time. What is left then is skipped, or, where it is much, the
/// connection ends with the response.
///
/// Content is limited by ``WebSocketServer/Configuration/maxBodyBytes``.
public struct RequestBody: AsyncSequence, Sendable {
    /// Some of the content.
    public typealias Element = [UInt8]
    /// What ends it early.
    public typealias Failure = WebSocketError

    /// How many bytes the client said it sends (RFC 9110 §8.6); `nil` where it did not, because they come in chunks.
    public let contentLength: Int?
    /// `nil` where there is no content.
    let exchange: HTTPExchange?

    static let empty = Self(contentLength: 0, exchange: nil)

    /// Pulls one piece after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let exchange: HTTPExchange?

        /// The next piece; suspends until it has come.
        ///
        /// - Returns: `nil` at the end of the content.
        /// - Throws: ``WebSocketError``: `malformedContent` (RFC 9112 §7.1), `contentTooLarge`, `timedOut`
        ///   (``WebSocketServer/Configuration/bodyTimeout``), `connectionLost`, `connectionClosed` (the response was
        ///   given already), `alreadyReceiving`, or `cancelled`, after which one may go on. Thrown on by an HTTP
        ///   handler, the first three become 400, 413 and 408.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(WebSocketError) -> [UInt8]? {
            try await exchange?.nextPiece()
        }

        /// The next piece, as ``next(isolation:)`` gives it.
        public mutating func next() async throws(WebSocketError) -> [UInt8]? {
            try await next(isolation: nil)
        }
    }

    /// An iterator; several go on where the others stopped.
    public func makeAsyncIterator() -> Iterator { Iterator(exchange: exchange) }

    /// Reads all of the content.
    ///
    /// - Parameter limit: the most bytes to take.
    /// - Throws: ``WebSocketError`` as ``Iterator/next(isolation:)`` does; `contentTooLarge` also where there are more
    ///   than `limit`, at once where the client says so.
    public func collect(upTo limit: Int) async throws(WebSocketError) -> [UInt8] {
        if let contentLength, contentLength > limit { throw .contentTooLarge(limit) }
        var bytes: [UInt8] = []
        var iterator = makeAsyncIterator()
        while let piece = try await iterator.next() {
            guard piece.count <= limit - bytes.count else { throw .contentTooLarge(limit) }
            bytes += piece
        }
        return bytes
    }
}

extension WebSocketError {
    fileprivate static func contentTooLarge(_ limit: Int) -> Self {
        Self(.contentTooLarge, "the request has more than \(limit) bytes of content")
    }
}
