/// Reads one JSON object of a few plain members (RFC 8259), in one pass over its bytes.
///
/// Foundation's decoder keeps an object's names in a dictionary, and Swift hashes and compares strings in a normal
/// form, which takes quadratic time for a long run of combining marks. Here names are compared as bytes, and a value
/// becomes a `String` only up to the length that its user asks for.
struct EventReader {
    /// The text is not a JSON object, or has more members than any event.
    struct Malformed: Error {}

    /// A member's value, as it stands in the bytes.
    enum Value {
        case null
        case boolean(Bool)
        /// What is between the quotes; the escapes in it are valid.
        case string(Range<Int>)
        case number(Range<Int>)
        /// An object or an array, which no event has. Only its brackets and strings are looked at.
        case nested
    }

    /// The most members of an object. An event has at most four.
    static let mostMembers = 16

    /// The most scalars of a member's name that are looked at.
    private static let mostOfName = 41

    private let bytes: [UInt8]
    private var index = 0
    private(set) var members: [(name: [UInt8], value: Value)] = []
    /// How many bytes have been looked at, for tests that bound the work.
    private(set) var work = 0

    /// Reads the object in `json`.
    init(_ json: String) throws(Malformed) {
        bytes = Array(json.utf8)
        try readObject()
    }

    /// The value of a member; nil where there is none.
    func value(_ name: StaticString) -> Value? {
        members.first { Self.isEqual($0.name, name) }?.value
    }

    static func isEqual(_ bytes: [UInt8], _ name: StaticString) -> Bool {
        bytes.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    private mutating func readObject() throws(Malformed) {
        skipSpace()
        try expect("{")
        skipSpace()
        if peek == UInt8(ascii: "}") {
            index += 1
        } else {
            try readMembers()
        }
        skipSpace()
        guard index == bytes.count else { throw Malformed() }
    }

    private mutating func readMembers() throws(Malformed) {
        while true {
            let name = decode(try readString(), most: Self.mostOfName)
            skipSpace()
            try expect(":")
            skipSpace()
            guard members.count < Self.mostMembers else { throw Malformed() }
            members.append((name, try readValue()))
            skipSpace()
            if peek == UInt8(ascii: "}") {
                index += 1
                return
            }
            try expect(",")
            skipSpace()
        }
    }

    private mutating func readValue() throws(Malformed) -> Value {
        switch peek {
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try readNumber())
        case UInt8(ascii: "{"), UInt8(ascii: "["): return try skipNested()
        case UInt8(ascii: "n"): return try readWord("null", .null)
        case UInt8(ascii: "t"): return try readWord("true", .boolean(true))
        case UInt8(ascii: "f"): return try readWord("false", .boolean(false))
        default: throw Malformed()
        }
    }

    private mutating func readWord(_ word: StaticString, _ value: Value) throws(Malformed) -> Value {
        let end = index + word.utf8CodeUnitCount
        guard end <= bytes.count, Self.isEqual(Array(bytes[index..<end]), word) else { throw Malformed() }
        advance(to: end)
        return value
    }

    private mutating func skipNested() throws(Malformed) -> Value {
        var depth = 0
        repeat {
            switch peek {
            case UInt8(ascii: "\""):
                _ = try readString()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case nil: throw Malformed()
            default: break
            }
            advance(to: index + 1)
        } while depth > 0
        return .nested
    }

    private mutating func readNumber() throws(Malformed) -> Range<Int> {
        let start = index
        if peek == UInt8(ascii: "-") { index += 1 }
        if peek == UInt8(ascii: "0") { index += 1 } else { try skipDigits() }
        if peek == UInt8(ascii: ".") {
            index += 1
            try skipDigits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            index += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { index += 1 }
            try skipDigits()
        }
        work += index - start
        return start..<index
    }

    private mutating func skipDigits() throws(Malformed) {
        let start = index
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw Malformed() }
    }

    /// Reads a string, and returns what is between its quotes.
    private mutating func readString() throws(Malformed) -> Range<Int> {
        try expect("\"")
        let start = index
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw Malformed() }
            let length = byte == UInt8(ascii: "\\") ? escape(at: index)?.length : 1
            guard let length else { throw Malformed() }
            advance(to: index + length)
        }
        let content = start..<index
        try expect("\"")
        return content
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func advance(to next: Int) {
        work += next - index
        index = next
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Malformed) {
        guard peek == UInt8(ascii: character) else { throw Malformed() }
        advance(to: index + 1)
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { advance(to: index + 1) }
    }
}

/// Values.
extension EventReader {
    /// A string's text, at most its first `most` scalars; the rest is not looked at.
    mutating func text(_ content: Range<Int>, most: Int) -> String {
        String(decoding: decode(content, most: most), as: UTF8.self)
    }

    /// A number's value; nil where it is not a whole number that fits.
    func wholeNumber(_ content: Range<Int>) -> Int64? {
        // Int64.min has 20 characters.
        content.count <= 20 ? Int64(String(decoding: bytes[content], as: UTF8.self)) : nil
    }

    private mutating func decode(_ content: Range<Int>, most: Int) -> [UInt8] {
        var text: [UInt8] = []
        var (position, scalars) = (content.lowerBound, 0)
        while position < content.upperBound, scalars < most {
            if let escape = escape(at: position) {
                text += UTF8.encode(escape.scalar) ?? UTF8.encodedReplacementCharacter
                position += escape.length
            } else {
                repeat {
                    text.append(bytes[position])
                    position += 1
                } while position < content.upperBound && UTF8.isContinuation(bytes[position])
            }
            scalars += 1
        }
        work += position - content.lowerBound
        return text
    }

    /// The escape that begins here, if one does and it is valid.
    private func escape(at start: Int) -> (scalar: Unicode.Scalar, length: Int)? {
        guard bytes[start] == UInt8(ascii: "\\"), start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): return ("\"", 2)
        case UInt8(ascii: "\\"): return ("\\", 2)
        case UInt8(ascii: "/"): return ("/", 2)
        case UInt8(ascii: "b"): return ("\u{8}", 2)
        case UInt8(ascii: "f"): return ("\u{C}", 2)
        case UInt8(ascii: "n"): return ("\n", 2)
        case UInt8(ascii: "r"): return ("\r", 2)
        case UInt8(ascii: "t"): return ("\t", 2)
        case UInt8(ascii: "u"): return unicodeEscape(at: start)
        default: return nil
        }
    }

    private func unicodeEscape(at start: Int) -> (scalar: Unicode.Scalar, length: Int)? {
        guard let first = codeUnit(at: start) else { return nil }
        if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
        guard UTF16.isLeadSurrogate(first), let second = codeUnit(at: start + 6), UTF16.isTrailSurrogate(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { return nil }
        return (scalar, 12)
    }

    private func codeUnit(at start: Int) -> UInt16? {
        guard start + 6 <= bytes.count, bytes[start] == UInt8(ascii: "\\"), bytes[start + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt16 = 0
        for byte in bytes[start + 2..<start + 6] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}
