/// A part of a message, as it came; see ``WebSocket/parts``.
public struct MessagePart: Hashable, Sendable {
    /// Whether the message is text. Its bytes are UTF-8 as a whole; a part may end inside a character.
    public let isText: Bool
    /// The part of the payload; empty only where the message ends without further bytes.
    public let bytes: [UInt8]
    /// Whether the message ends here.
    public let isLast: Bool
}
