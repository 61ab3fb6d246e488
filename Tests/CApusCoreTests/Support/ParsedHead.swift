import CApusCore

/// A request head that was read, together with the memory that it points into.
final class ParsedHead {
    /// A copy of a field.
    struct Field {
        let name: String
        let value: [UInt8]

        init(_ field: apus_field) {
            name = field.name.string
            value = field.value.bytes
        }
    }

    private let input: GuardedInput
    private let head: UnsafeMutablePointer<apus_head>

    /// Reads `bytes`, which lie against a page that cannot be touched, as a request head.
    init(_ bytes: [UInt8], against edge: GuardedInput.Edge = .end) throws {
        input = GuardedInput(bytes, against: edge)
        head = .allocate(capacity: 1)
        try CoreError.check(apus_head_parse(head, input.bytes, input.count))
    }

    convenience init(_ text: String) throws {
        try self.init(bytes(text))
    }

    deinit {
        head.deallocate()
    }

    var method: String { ask { $0.pointee.method.string } }
    var target: String { ask { $0.pointee.target.string } }
    var version: UInt8 { head.pointee.minor_version }
    var keepsAlive: Bool { head.pointee.keep_alive }
    var hasContent: Bool { head.pointee.has_content }
    var isChunked: Bool { head.pointee.is_chunked }
    var contentLength: UInt64 { head.pointee.content_length }
    var fields: [Field] { ask { Self.fields(of: $0).map(Field.init) } }

    /// Asks C about the head, whose memory stays as long as `question` runs.
    func ask<Answer>(_ question: (UnsafePointer<apus_head>) -> Answer) -> Answer {
        withExtendedLifetime(self) { question(head) }
    }

    /// The values of all fields of that name, spelled as it came.
    func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// Whether every text that was read lies within the bytes it was read from.
    var pointsIntoItsInputOnly: Bool {
        ask { head in
            let texts = Self.fields(of: head).flatMap { [$0.name, $0.value] }
            return ([head.pointee.method, head.pointee.target] + texts).allSatisfy { text in
                let start = UnsafeRawPointer(text.data) - UnsafeRawPointer(input.bytes)
                return start >= 0 && start + text.len <= input.count
            }
        }
    }

    private static func fields(of head: UnsafePointer<apus_head>) -> UnsafeBufferPointer<apus_field> {
        UnsafeBufferPointer(start: apus_head_fields(head), count: head.pointee.field_count)
    }
}

/// Reads `text` as a request head, only to see how that ends.
func parse(_ text: [UInt8]) -> apus_error {
    CoreError.code { _ = try ParsedHead(text) }
}

func parse(_ text: String) -> apus_error {
    parse(bytes(text))
}

/// A request with these field lines after `Host`.
func request(_ fields: String..., line: String = "GET /chat HTTP/1.1", host: String? = "example.org") -> String {
    let hosts = host.map { ["Host: \($0)"] } ?? []
    return ([line] + hosts + fields + ["", ""]).joined(separator: "\r\n")
}
