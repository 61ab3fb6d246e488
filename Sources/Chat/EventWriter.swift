import Apus

/// Writes one JSON object (RFC 8259) of strings, whole numbers, truth values, objects and arrays.
///
/// Foundation's encoder takes some 14 µs for each object in an array. The list of 1,000 rooms, which everybody gets who
/// says hello, would occupy an event loop for 14 ms.
struct EventWriter {
    private var bytes: [UInt8] = []

    /// The text of an object whose members `body` writes.
    static func object(_ body: (inout Self) -> Void) -> String {
        var writer = Self()
        writer.braces(body)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    mutating func write(_ name: StaticString, _ value: String) {
        begin(name)
        JSONString.append(value, to: &bytes)
    }

    mutating func write(_ name: StaticString, _ value: some FixedWidthInteger) {
        begin(name)
        bytes += String(value).utf8
    }

    mutating func write(_ name: StaticString, _ value: Bool) {
        begin(name)
        append(value ? "true" : "false")
    }

    mutating func write(_ name: StaticString, _ value: some EventPart) {
        begin(name)
        braces { value.write(to: &$0) }
    }

    mutating func write(_ name: StaticString, _ values: [some EventPart]) {
        brackets(name, values) { writer, value in writer.braces { value.write(to: &$0) } }
    }

    mutating func write(_ name: StaticString, _ values: [String]) {
        brackets(name, values) { writer, value in JSONString.append(value, to: &writer.bytes) }
    }

    /// Begins a member. An object's first one follows its brace.
    private mutating func begin(_ name: StaticString) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        append(name)
        append("\":")
    }

    private mutating func braces(_ body: (inout Self) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        body(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func brackets<Value>(
        _ name: StaticString, _ values: [Value], _ write: (inout Self, Value) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(&self, value)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}

/// What is written as an object of its own within an event.
protocol EventPart {
    func write(to object: inout EventWriter)
}
