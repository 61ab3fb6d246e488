/// A name that a client may have chosen: of a room, a namespace, an event or a session.
///
/// Names are compared and hashed by their UTF-8 bytes, as JavaScript compares its strings. A Swift `String` is compared
/// in its canonical form instead, and to find that form takes quadratic time where combining marks alternate: a name of
/// 240 KB would occupy an event loop for many seconds. So a program that keeps what clients name, for example in a
/// dictionary of its own, should use `Name` for the keys, or limit the length of the text first.
///
/// ```swift
/// var scores: [Name: Int] = [:]
/// socket.on("score") { (player: String, points: Int) in scores[Name(player)] = points }
/// ```
public struct Name: Hashable, Sendable {
    /// The name as text.
    public let text: String

    /// Makes a name of a text; takes the same time whatever the length.
    public init(_ text: String) { self.text = text }

    /// Whether two names have the same bytes.
    public static func == (one: Self, other: Self) -> Bool { one.text.hasSameBytes(as: other.text) }

    /// Feeds the bytes to a hasher.
    public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}

extension Name: Comparable {
    /// Whether the bytes of one name come before those of another.
    public static func < (one: Self, other: Self) -> Bool { one.text.utf8.lexicographicallyPrecedes(other.text.utf8) }
}

extension Name: ExpressibleByStringLiteral, CustomStringConvertible {
    /// A literal name.
    public init(stringLiteral value: String) { self.init(value) }

    /// The text.
    public var description: String { text }
}

/// Strings from peers are compared by these functions, never by `==`.
extension StringProtocol {
    /// Whether both texts have the same UTF-8 bytes. Texts of different lengths are told apart at once.
    func hasSameBytes(as other: some StringProtocol) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    func hashBytes(into hasher: inout Hasher) {
        hasher.combine(utf8.count)
        let isDone: Void? = utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        if isDone == nil { for byte in utf8 { hasher.combine(byte) } }
    }
}
