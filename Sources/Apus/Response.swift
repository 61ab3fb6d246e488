import HTTPTypes

/// An HTTP response: a head and a body.
///
/// `Content-Length`, `Date` and `Connection` are added; a HEAD request and the statuses 204 and 304 get no body.
public struct Response: Sendable {
    /// The status code.
    public var status: HTTPResponse.Status
    /// The header fields.
    public var headerFields: HTTPFields
    /// The content.
    public var body: [UInt8]

    /// Creates a response.
    public init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headerFields = headerFields
        self.body = body
    }

    /// Plain text, in UTF-8.
    public static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Self {
        Self(status: status, headerFields: [.contentType: "text/plain; charset=utf-8"], body: Array(text.utf8))
    }

    /// 404, with a line that says so.
    public static let notFound = text("There is nothing here.\n", status: .notFound)
}
