/// Entity tags (RFC 9110 §8.8.3).
enum EntityTag {
    /// How two tags are compared (RFC 9110 §8.8.3.2).
    enum Comparison {
        /// Equal, and neither is weak: for `If-Match`.
        case strong
        /// Equal, weak or not: for `If-None-Match`.
        case weak
    }

    /// A strong tag: 64 bits of FNV-1a over the contents, and their length. It tells versions of one file apart; no
    /// security rests on it.
    static func strong(for contents: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in contents {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return "\"\(String(hash, radix: 16))-\(String(contents.count, radix: 16))\""
    }

    /// Whether a list of tags (RFC 9110 §13.1.1, §13.1.2) is `*`, or names the strong tag `tag`.
    ///
    /// One look at each byte. A list that is malformed names what stands before the fault.
    static func list(_ list: String, matches tag: String, by comparison: Comparison = .weak) -> Bool {
        var rest = Substring(list).utf8.trimmed
        if rest.isSame(as: "*") { return true }
        while !rest.isEmpty {
            let isWeak = rest.starts(with: "W/".utf8)
            let opaque = isWeak ? rest.dropFirst(2) : rest
            guard opaque.first == quote, let end = opaque.dropFirst().firstIndex(of: quote) else { return false }
            if opaque[...end].isSame(as: tag), !isWeak || comparison == .weak { return true }
            rest = opaque[opaque.index(after: end)...].trimmed
            guard rest.isEmpty || rest.first == comma else { return false }
            while rest.first == comma { rest = rest.dropFirst().trimmed }
        }
        return false
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
}
