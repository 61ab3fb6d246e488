/// Writes values as compact JSON, as JavaScript's `JSON.stringify` does; bytes become placeholders.
struct JSONWriter {
    /// What was written.
    private(set) var bytes: [UInt8] = []
    /// The bytes that placeholders stand for, in order.
    private(set) var attachments: [[UInt8]] = []

    mutating func append(_ text: String) { bytes += text.utf8 }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: append("null")
        case .bool(let bool): append(bool ? "true" : "false")
        case .number(let number): append(number.text)
        case .string(let string): write(string)
        case .array(let elements): write(elements)
        case .object(let object): write(object)
        case .binary(let attachment):
            append(#"{"_placeholder":true,"num":\#(attachments.count)}"#)
            attachments.append(attachment)
        }
    }

    mutating func write(_ elements: [JSON]) {
        append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            write(element)
        }
        append(UInt8(ascii: "]"))
    }

    private mutating func write(_ object: JSON.Object) {
        append(UInt8(ascii: "{"))
        for (index, member) in object.members.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            write(member.key)
            append(UInt8(ascii: ":"))
            write(member.value)
        }
        append(UInt8(ascii: "}"))
    }

    /// A string (RFC 8259 §7): only what must be escaped is.
    mutating func write(_ string: String) {
        append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                append(byte)
            } else {
                writeEscape(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        default: append((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16))
        }
    }
}
