import Apus

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

    mutating func write(_ string: String) { JSONString.append(string, to: &bytes) }
}
