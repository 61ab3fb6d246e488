/// Reads a JSON text (RFC 8259), whole, into a value.
///
/// Arrays and objects nest at most ``maxDepth`` deep: a value is built, encoded and freed by recursion.
struct JSONParser {
    static let maxDepth = 128

    private let bytes: [UInt8]
    private var position: Int

    /// What is wrong with a text, and where.
    struct Failure: Error, Equatable {
        let offset: Int
    }

    private init(_ bytes: [UInt8], from offset: Int) {
        self.bytes = bytes
        position = offset
    }

    /// The value that stands in `bytes`, which are UTF-8, from `offset` to their end.
    static func parse(_ bytes: [UInt8], from offset: Int = 0) throws(Failure) -> JSON {
        var parser = Self(bytes, from: offset)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.failure }
        return value
    }

    private var failure: Failure { Failure(offset: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(Failure) {
        guard next == byte else { throw failure }
        position += 1
    }

    /// Steps over the byte if it comes next.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSON {
        skipSpace()
        guard let byte = next, depth <= Self.maxDepth else { throw failure }
        switch byte {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(Failure) -> JSON {
        for index in 0..<word.utf8CodeUnitCount { try expect(word.utf8Start[index]) }
        return value
    }

    private mutating func array(depth: Int) throws(Failure) -> [JSON] {
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return elements }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> JSON.Object {
        position += 1
        var members: [JSON.Object.Member] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return JSON.Object() }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure }
            let key = try string()
            skipSpace()
            try expect(UInt8(ascii: ":"))
            members.append(JSON.Object.Member(key: key, value: try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return JSON.Object(members) }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func digits() throws(Failure) {
        let start = position
        while let byte = next, byte.isDigit { position += 1 }
        guard position > start else { throw failure }
    }

    private mutating func number() throws(Failure) -> JSON.Number {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return JSON.Number(checked: String(decoding: bytes[start..<position], as: UTF8.self))
    }
}

/// Strings (§7).
extension JSONParser {
    private mutating func string() throws(Failure) -> String {
        position += 1
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        let plain = bytes[start..<position]
        if take(UInt8(ascii: "\"")) { return String(decoding: plain, as: UTF8.self) }
        return try escapedString(Array(plain))
    }

    private mutating func escapedString(_ start: [UInt8]) throws(Failure) -> String {
        var text = start
        while let byte = next, byte >= 0x20 {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            default: text.append(byte)
            }
        }
        throw failure
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        guard let byte = next else { throw failure }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += Array(String(try character()).utf8)
        default: throw failure
        }
    }

    /// The character of a `\u` escape, or of two that are a surrogate pair; half of a pair, which no UTF-8 can say,
    /// becomes U+FFFD.
    private mutating func character() throws(Failure) -> Character {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        let isHigh = first < 0xDC00
        guard isHigh, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let behindFirst = position
        position += 2
        let second = try codeUnit()
        guard (0xDC00...0xDFFF).contains(second) else {
            position = behindFirst
            return "\u{FFFD}"
        }
        let value = 0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00)
        return Unicode.Scalar(value).map(Character.init) ?? "\u{FFFD}"
    }

    private mutating func codeUnit() throws(Failure) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw failure }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}

extension UInt8 {
    /// Whether it is one of `0` to `9`.
    var isDigit: Bool { UInt8(ascii: "0") <= self && self <= UInt8(ascii: "9") }
}
