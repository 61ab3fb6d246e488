import Foundation

/// What the protocol allows people to write, and how it is checked.
///
/// A "character" of a limit is a Unicode scalar: a grapheme cluster may be of any length, so it bounds nothing.
enum Limits {
    /// The longest nickname and the longest name of a room.
    static let name = 40

    /// The most of a name that is looked at: white space around it does not count.
    static let rawName = 240

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
    ///
    /// A name must have a character that can be seen, and none that turns the direction of the text around it. The
    /// length is checked before anything that takes longer than one look at each character.
    static func name(_ raw: String) -> String? {
        guard hasAtMost(rawName, raw) else { return nil }
        let trimmed = raw[...].unicodeScalars.trimming(\.properties.isWhitespace)
        guard (1...Limits.name).contains(trimmed.count), !trimmed.contains(where: isForbidden),
            trimmed.contains(where: isVisible)
        else { return nil }
        let name = String(trimmed).precomposedStringWithCanonicalMapping
        // A few characters have no composed form, and become several.
        return hasAtMost(Limits.name, name) ? name : nil
    }

    /// Whether a text has no more scalars than this; looks at no more of them than that.
    static func hasAtMost(_ count: Int, _ text: String) -> Bool {
        let scalars = text.unicodeScalars
        return scalars.index(scalars.startIndex, offsetBy: count + 1, limitedBy: scalars.endIndex) == nil
    }

    /// Refuses a message's text that is empty, too long, or holds U+0000, where SQLite's text would end.
    static func check(text: String) throws(Refusal) {
        if text.isEmpty { throw Refusal(.badRequest, "a message needs a text of at least one character") }
        if !hasAtMost(Limits.text, text) {
            throw Refusal(.tooLong, "a message may have at most \(Limits.text) characters; send it in parts")
        }
        if text.unicodeScalars.contains("\0") {
            throw Refusal(.badRequest, "a message cannot hold the character U+0000; leave it out")
        }
    }

    /// Refuses a key that is empty, too long, or holds control characters.
    static func check(key: String) throws(Refusal) {
        guard hasAtMost(Limits.key, key), !key.isEmpty, !key.unicodeScalars.contains(where: isControl)
        else { throw Refusal(.badRequest, "`key` must have 1 to \(Limits.key) characters, as a UUID has") }
    }

    /// Refuses a search query that is too long or holds U+0000, which no message has; an empty one finds nothing.
    static func check(query: String) throws(Refusal) {
        if !hasAtMost(Limits.query, query) {
            throw Refusal(.tooLong, "a search may have at most \(Limits.query) characters; search for less")
        }
        if query.unicodeScalars.contains("\0") {
            throw Refusal(.badRequest, "no message holds the character U+0000; search without it")
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x202A...0x202E, 0x2066...0x2069: true  // embeddings, overrides and isolates of Unicode's UAX 9
        default: isControl(scalar)
        }
    }

    /// Whether a character by itself shows something. Marks need one before them; a few blank ones count as letters.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        if properties.isWhitespace || properties.isDefaultIgnorableCodePoint || scalar.value == 0x2800 { return false }
        switch properties.generalCategory {
        case .control, .format, .unassigned, .surrogate, .nonspacingMark, .enclosingMark, .lineSeparator,
            .paragraphSeparator, .spaceSeparator:
            return false
        default: return true
        }
    }
}

extension Substring.UnicodeScalarView {
    /// What is left without the scalars at both ends that are like this.
    fileprivate func trimming(_ isLikeThis: (Unicode.Scalar) -> Bool) -> Self {
        var rest = drop(while: isLikeThis)
        while let last = rest.last, isLikeThis(last) { rest.removeLast() }
        return rest
    }
}
