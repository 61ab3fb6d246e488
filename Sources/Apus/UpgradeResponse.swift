import HTTPTypes

/// What a server answers to an opening handshake (RFC 6455 §4.2.2).
public enum UpgradeResponse: Sendable {
    /// Opens the WebSocket.
    ///
    /// - `subprotocol`: one of those that the client offers in `Sec-WebSocket-Protocol`, or `nil` for none.
    /// - `headerFields`: further fields of the response.
    /// - `handler`: has this connection instead of the server's own handler, so that what was learnt from the request
    ///   need not be learnt again.
    case accept(
        subprotocol: String? = nil, headerFields: HTTPFields = [:], handler: WebSocketServer.Handler? = nil)
    /// Answers with an HTTP response, whose body is at hand, and closes.
    case reject(Response)
}

extension HTTPRequest {
    /// The subprotocols that a client offers in its opening handshake, in its order (RFC 6455 §11.3.4).
    public var offeredSubprotocols: [String] {
        headerFields[values: .secWebSocketProtocol]
            .flatMap { $0.split(separator: ",") }
            .map { $0.filter { $0 != " " && $0 != "\t" } }  // a token has no white space inside
            .filter { !$0.isEmpty }
    }
}
