import HTTPTypes

/// An HTTP response: a head and a body, which is at hand or written bit by bit.
///
/// `Content-Length` or `Transfer-Encoding`, `Date` and `Connection` are added, and left out of ``headerFields``
/// (`Connection: close` ends the connection). A HEAD request and the statuses 204, 205 and 304 get no body.
public struct Response: Sendable {
    /// The status code.
    public var status: HTTPResponse.Status
    /// The header fields.
    public var headerFields: HTTPFields
    /// The content; empty where it is streamed. Content of more than 64 KiB is copied only as fast as the client takes
    /// it, so responses that share one array share its memory, however many clients read them slowly.
    public var body: [UInt8]
    let stream: Stream?

    /// Content that is written while it is sent.
    struct Stream: Sendable {
        let contentLength: Int?
        let write: @Sendable @concurrent (ResponseWriter) async throws -> Void
    }

    /// Creates a response.
    public init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headerFields = headerFields
        self.body = body
        stream = nil
    }

    /// Creates a response whose content is written while it is sent.
    ///
    /// ```swift
    /// return Response(status: .ok, headerFields: [.contentType: "text/event-stream"]) { writer in
    ///     for await price in prices { try await writer.write("data: \(price)\n\n") }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - contentLength: how many bytes `stream` writes, where that is known; else they go in chunks (RFC 9112 §7.1),
    ///     or, to an HTTP/1.0 client, to the connection's end.
    ///   - stream: writes the content, on the connection's loop. The response ends when it returns. Where it throws, or
    ///     has written less than `contentLength`, the connection is aborted, so that the client sees that something is
    ///     missing. Not called where the response has no body.
    public init(
        status: HTTPResponse.Status, headerFields: HTTPFields = [:], contentLength: Int? = nil,
        stream: @escaping @Sendable @concurrent (ResponseWriter) async throws -> Void
    ) {
        self.status = status
        self.headerFields = headerFields
        body = []
        self.stream = Stream(contentLength: contentLength, write: stream)
    }

    /// Plain text, in UTF-8.
    public static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Self {
        Self(status: status, headerFields: [.contentType: "text/plain; charset=utf-8"], body: Array(text.utf8))
    }

    /// 404, with a line that says so.
    public static let notFound = text("There is nothing here.\n", status: .notFound)
}
