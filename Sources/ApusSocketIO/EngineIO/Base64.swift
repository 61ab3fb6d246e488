/// Base64 (RFC 4648 §4), in which bytes travel by polling.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each character; 255 where it has none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// Appends bytes as text.
    static func encode(_ bytes: [UInt8], into out: inout [UInt8]) {
        out.reserveCapacity(out.count + (bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = min(bytes.count - index, 3)
            var group = 0
            for offset in 0..<3 { group = group << 8 | (offset < left ? Int(bytes[index + offset]) : 0) }
            for place in 0..<4 {
                out.append(place <= left ? alphabet[group >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
            index += 3
        }
    }

    /// The bytes that a text stands for, padded or not; `nil` where it is none.
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var text = text
        for _ in 0..<2 where text.last == UInt8(ascii: "=") { text = text.dropLast() }
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var (group, bits) = (0, 0)
        for character in text {
            let value = values[Int(character)]
            guard value < 64 else { return nil }
            (group, bits) = (group << 6 | Int(value), bits + 6)
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(group >> bits & 255))
            group &= (1 << bits) - 1
        }
        return group == 0 ? bytes : nil
    }
}
