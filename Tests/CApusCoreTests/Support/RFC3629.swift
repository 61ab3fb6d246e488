/// What is to be said of the bytes of a text.
struct UTF8Verdict: Equatable {
    /// Of the first byte that no continuation could make right; the number of bytes where there is none.
    var index: Int
    /// Whether all is right and ends at a character's border.
    var isComplete: Bool
}

/// UTF-8 as the table of RFC 3629 §4 has it, in no hurry.
enum RFC3629 {
    /// One alternative of the syntax: which bytes may stand first, second, third, fourth.
    private static let characters: [[ClosedRange<UInt8>]] = [
        [0x00...0x7f],
        [0xc2...0xdf, 0x80...0xbf],
        [0xe0...0xe0, 0xa0...0xbf, 0x80...0xbf],
        [0xe1...0xec, 0x80...0xbf, 0x80...0xbf],
        [0xed...0xed, 0x80...0x9f, 0x80...0xbf],
        [0xee...0xef, 0x80...0xbf, 0x80...0xbf],
        [0xf0...0xf0, 0x90...0xbf, 0x80...0xbf, 0x80...0xbf],
        [0xf1...0xf3, 0x80...0xbf, 0x80...0xbf, 0x80...0xbf],
        [0xf4...0xf4, 0x80...0x8f, 0x80...0xbf, 0x80...0xbf],
    ]

    private static let alternatives = (UInt8.min...UInt8.max).map { lead in characters.first { $0[0] ~= lead } }

    static func judge(_ text: some Collection<UInt8>) -> UTF8Verdict {
        var character: [ClosedRange<UInt8>] = []
        var taken = 0
        for (index, byte) in text.enumerated() {
            if taken == character.count {
                guard let alternative = alternatives[Int(byte)] else {
                    return UTF8Verdict(index: index, isComplete: false)
                }
                character = alternative
                taken = 0
            }
            guard character[taken] ~= byte else {
                return UTF8Verdict(index: index, isComplete: false)
            }
            taken += 1
        }
        return UTF8Verdict(index: text.count, isComplete: taken == character.count)
    }

    /// The UTF-8 of a number, surrogate or not, by the bit patterns of RFC 3629 §3.
    static func encode(_ codePoint: UInt32) -> [UInt8] {
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(codePoint >> shift & 0x3f) }
        switch codePoint {
        case ..<0x80: return [UInt8(codePoint)]
        case ..<0x800: return [0xc0 | UInt8(codePoint >> 6), tail(0)]
        case ..<0x10000: return [0xe0 | UInt8(codePoint >> 12), tail(6), tail(0)]
        default: return [0xf0 | UInt8(codePoint >> 18), tail(12), tail(6), tail(0)]
        }
    }
}
