/// Header fields as bytes. What a peer has written is never compared, hashed or taken apart as a `String`: that would
/// normalise it, which takes quadratic time for some texts (rows of combining marks).
extension Substring.UTF8View {
    /// The elements of a comma-separated list (RFC 9110 §5.6.1), without the white space around them; empty ones are
    /// left out.
    func listElements(separator: UInt8 = UInt8(ascii: ",")) -> [Self] {
        split(separator: separator).map(\.trimmed).filter { !$0.isEmpty }
    }

    /// Without the spaces and tabs at its ends.
    var trimmed: Self {
        var rest = self
        while let first = rest.first, first.isFieldSpace { rest.removeFirst() }
        while let last = rest.last, last.isFieldSpace { rest.removeLast() }
        return rest
    }

    /// Whether these are the bytes of `text`.
    func isSame(as text: String) -> Bool { elementsEqual(text.utf8) }

    /// Whether these are the bytes of `lower`, which is in lower case, whatever the case of ASCII letters.
    func isSameIgnoringCase(as lower: StaticString) -> Bool {
        lower.withUTF8Buffer { lower in elementsEqual(lower) { $0.asciiLowercased == $1 } }
    }
}

extension UInt8 {
    fileprivate var isFieldSpace: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }

    fileprivate var asciiLowercased: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}
