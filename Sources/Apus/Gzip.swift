import HTTPTypes

/// The gzip format (RFC 1952), as a content coding.
package enum Gzip {
    private static let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]

    /// The bytes in one gzip member.
    package static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var out = header + Deflater.compress(bytes)
        for value in [checksum(bytes), UInt32(truncatingIfNeeded: bytes.count)] {
            for shift in stride(from: 0, through: 24, by: 8) { out.append(UInt8(value >> shift & 255)) }
        }
        return out
    }

    /// CRC-32 (§8).
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var value = UInt32.max
        for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 255)] ^ (value >> 8) }
        return ~value
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 0 ? value >> 1 : 0xEDB8_8320 ^ (value >> 1) }
    }

    /// Whether a client takes it (RFC 9110 §12.5.3). A weight of zero is a no, and `*` stands for what is not named.
    package static func isAccepted(by request: HTTPRequest) -> Bool {
        var (named, others) = (Bool?.none, false)
        for value in request.headerFields[values: .acceptEncoding] {
            for element in Substring(value).utf8.listElements() {
                let parts = element.listElements(separator: UInt8(ascii: ";"))
                guard let coding = parts.first else { continue }
                let isTaken = !parts.dropFirst().contains(where: isZeroWeight)
                if coding.isSameIgnoringCase(as: "gzip") { named = isTaken }
                if coding.isSame(as: "*") { others = isTaken }
            }
        }
        return named ?? others
    }

    /// Whether a parameter is a weight of zero: `q=0`, or `q=0.000`.
    private static func isZeroWeight(_ parameter: Substring.UTF8View) -> Bool {
        guard parameter.count > 2, parameter.prefix(2).isSameIgnoringCase(as: "q=") else { return false }
        return parameter.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }
}
