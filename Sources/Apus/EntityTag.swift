/// Entity tags (RFC 9110 §8.8.3).
enum EntityTag {
    /// A strong tag: 64 bits of FNV-1a over the contents, and their length. It tells versions of one file apart; no
    /// security rests on it.
    static func strong(for contents: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in contents {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return "\"\(String(hash, radix: 16))-\(String(contents.count, radix: 16))\""
    }

    /// Whether an `If-None-Match` list names the tag, by weak comparison, or is `*`.
    static func list(_ list: String, matches tag: String) -> Bool {
        list.split(separator: ",").contains { element in
            let element = element.drop { $0 == " " || $0 == "\t" }
            let trimmed = element.prefix { $0 != " " && $0 != "\t" }
            return trimmed == "*" || trimmed == tag || trimmed == "W/\(tag)"
        }
    }
}
