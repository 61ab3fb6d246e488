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
    ///
    /// Each is a token (RFC 9110 §5.6.2), and so ASCII; what is none is left out.
    public var offeredSubprotocols: [String] {
        headerFields[values: .secWebSocketProtocol].flatMap { value in
            // By bytes: to compare a client's text costs quadratic time where it holds many combining marks.
            value.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
                let token = element.trimmed
                return token.isEmpty || !token.allSatisfy(\.isInToken) ? nil : String(decoding: token, as: UTF8.self)
            }
        }
    }
}

extension UInt8 {
    /// Whether it is a character of tokens (RFC 9110 §5.6.2).
    fileprivate var isInToken: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
