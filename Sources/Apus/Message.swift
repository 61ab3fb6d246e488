/// A whole message, whatever fragments it came in (RFC 6455 §5.4 and §5.6).
public enum Message: Hashable, Sendable {
    /// UTF-8 text.
    case text(String)
    /// Bytes.
    case binary(Bytes)

    /// The bytes of an array.
    public static func binary(_ array: [UInt8]) -> Self { .binary(Bytes(array)) }
}

extension Message: ExpressibleByStringLiteral {
    /// A literal is a text message.
    public init(stringLiteral text: String) { self = .text(text) }
}

extension Message {
    /// The size of its payload.
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }
}
