/// Whether messages are compressed, and how: the extension permessage-deflate of RFC 7692.
///
/// Compression is agreed on in the opening handshake; a peer that does not know it goes without. It saves bytes and
/// costs time on the connection's loop, both ways, and memory:
///
/// | | compresses | memory |
/// |---|---|---|
/// | ``off`` | nothing | none |
/// | ``shared(level:threshold:)`` | each message by itself | some 160 KiB a loop, however many connections |
/// | ``dedicated(level:threshold:)`` | each message with reference to earlier ones | up to some 160 KiB a connection |
///
/// That is with ``level`` 1, whose compressor takes 117 KiB, and the rest for what is received. From level 2 on the
/// compressor takes 8 times the window, thus some 260 KiB, unless the window is made smaller.
///
/// What is received is limited while it is inflated: a message that would pass the limit of the configuration closes
/// with 1009, and no more than the limit is ever inflated.
///
/// A message published to a topic is compressed once for each size of window, without reference to earlier messages.
public struct Compression: Hashable, Sendable {
    /// Whose messages may refer to earlier ones.
    enum Mode: Hashable, Sendable { case off, shared, dedicated }

    let mode: Mode

    /// How much work to spend on each message, from 1, the fastest, to 9, the smallest.
    ///
    /// Level 1 is ISA-L's, from 2 on it is zlib's. Level 1 compresses JSON in less than a third of the time that level
    /// 6 takes, to some 15 % more bytes. Default: 1.
    public var level = 1
    /// The minimum size of a message to compress, in bytes. Smaller ones are sent as they are. Default: 256, and 32 for
    /// ``dedicated(level:threshold:)``.
    public var threshold = 256
    /// The maximum size of the server's window, as a power of two in bytes: from 9 to 15.
    ///
    /// A client may ask for less. If it asks for 8, with which zlib cannot compress, its offer is declined.
    /// Default: 15.
    public var serverMaxWindowBits = 15
    /// The maximum size of the client's window, in the same way.
    ///
    /// A server asks it only of those clients that say that they can limit their window. Default: 15.
    public var clientMaxWindowBits = 15
    /// Whether the server's messages do not refer to earlier ones, even if dedicated; the server then shares a
    /// compressor. Default: false.
    public var serverNoContextTakeover = false
    /// Whether the client's messages do not refer to earlier ones, even if dedicated. Default: false.
    public var clientNoContextTakeover = false

    private init(_ mode: Mode) { self.mode = mode }

    /// Nothing is compressed; neither offered nor accepted. The default.
    public static let off = Self(.off)

    /// Each message is compressed by itself, in both directions, and an idle connection costs no memory for it.
    ///
    /// - Parameters:
    ///   - level: from 1, the fastest, to 9, the smallest; see ``level``.
    ///   - threshold: bytes from which on a message is compressed.
    public static func shared(level: Int = 1, threshold: Int = 256) -> Self {
        var compression = Self(.shared)
        compression.level = level
        compression.threshold = threshold
        return compression
    }

    /// Messages refer to earlier ones (context takeover), where the peer allows it: the best ratio for many similar
    /// messages, for up to some 160 KiB a connection. From level 2 on smaller windows cost less.
    ///
    /// - Parameters:
    ///   - level: from 1, the fastest, to 9, the smallest; see ``level``.
    ///   - threshold: bytes from which on a message is compressed; here small ones gain as well.
    public static func dedicated(level: Int = 1, threshold: Int = 32) -> Self {
        var compression = Self(.dedicated)
        compression.level = level
        compression.threshold = threshold
        return compression
    }

    /// What is checked before a server or client starts: a name, what it may be, and what it is.
    var limits: [(name: String, range: ClosedRange<Int>, value: Int)] {
        [
            ("compression.level", 1...9, level),
            ("compression.threshold", 0...Int.max, threshold),
            ("compression.serverMaxWindowBits", 9...15, serverMaxWindowBits),
            ("compression.clientMaxWindowBits", 9...15, clientMaxWindowBits),
        ]
    }
}
