/// A whole message, whatever fragments it came in (RFC 6455 §5.4 and §5.6).
public enum Message: Hashable, Sendable {
    /// UTF-8 text.
    case text(String)
    /// Bytes.
    case binary([UInt8])
}

extension Message: ExpressibleByStringLiteral {
    /// A literal is a text message.
    public init(stringLiteral text: String) { self = .text(text) }
}
