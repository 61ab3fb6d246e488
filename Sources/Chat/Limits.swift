import Foundation

/// What the protocol allows people to write, and how it is checked.
///
/// A "character" of a limit is a Unicode scalar: a grapheme cluster may be of any length, so it bounds nothing.
enum Limits {
    /// The longest nickname and the longest name of a room.
    static let name = 40

    /// The longest text of a message.
    static let text = 4_000

    /// The longest key that a client may choose for a message; a UUID has 36.
    static let key = 64

    /// The longest search query.
    static let query = 200

    /// The most rooms of a server: every visitor is told of every room.
    static let rooms = 1_000

    /// The most messages in one answer to `history`.
    static let history = 100

    /// The messages that somebody who joins without an `after` is shown.
    static let newest = 50

    /// The most messages that a search finds.
    static let found = 50

    /// The most people listed in one `members` event.
    ///
    /// Each of n members is told of all n, so the list has to end somewhere.
    static let listedMembers = 200

    /// The most bytes of JSON in one `history` event, a little below the 1 MiB that clients commonly accept.
    static let pageBytes = 900 * 1024

    /// Trims a nickname or a room's name and brings it into one Unicode form (NFC), so that equal names are equal
    /// bytes; nil where it breaks the rules.
    static func name(_ raw: String) -> String? {
        let name = raw.trimmingCharacters(in: .whitespacesAndNewlines).precomposedStringWithCanonicalMapping
        guard (1...Limits.name).contains(name.unicodeScalars.count), !name.unicodeScalars.contains(where: isControl)
        else { return nil }
        return name
    }

    /// Refuses a message's text that is empty, too long, or holds U+0000, where SQLite's text would end.
    static func check(text: String) throws(Refusal) {
        if text.isEmpty { throw Refusal(.badRequest, "a message needs a text of at least one character") }
        if text.unicodeScalars.count > Limits.text {
            throw Refusal(.tooLong, "a message may have at most \(Limits.text) characters; send it in parts")
        }
        if text.unicodeScalars.contains("\0") {
            throw Refusal(.badRequest, "a message cannot hold the character U+0000; leave it out")
        }
    }

    /// Refuses a key that is empty, too long, or holds control characters.
    static func check(key: String) throws(Refusal) {
        guard (1...Limits.key).contains(key.unicodeScalars.count), !key.unicodeScalars.contains(where: isControl)
        else { throw Refusal(.badRequest, "`key` must have 1 to \(Limits.key) characters, as a UUID has") }
    }

    /// Refuses a search query that is too long; an empty one is allowed and finds nothing.
    static func check(query: String) throws(Refusal) {
        if query.unicodeScalars.count > Limits.query {
            throw Refusal(.tooLong, "a search may have at most \(Limits.query) characters; search for less")
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
