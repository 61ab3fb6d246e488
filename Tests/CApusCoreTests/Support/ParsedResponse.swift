import CApusCore

/// A response head that was read, together with the memory that it points into.
final class ParsedResponse {
    private let input: GuardedInput
    private let response: UnsafeMutablePointer<apus_response>

    /// Reads `bytes`, which lie against a page that cannot be touched, as a response head.
    init(_ bytes: [UInt8], against edge: GuardedInput.Edge = .end) throws {
        input = GuardedInput(bytes, against: edge)
        response = .allocate(capacity: 1)
        try CoreError.check(apus_response_parse(response, input.bytes, input.count))
    }

    convenience init(_ text: String) throws {
        try self.init(bytes(text))
    }

    deinit {
        response.deallocate()
    }

    var status: UInt32 { response.pointee.status }
    var reason: String { ask { $0.pointee.reason.string } }
    var version: UInt8 { response.pointee.head.minor_version }
    var hasContent: Bool { response.pointee.head.has_content }
    var isChunked: Bool { response.pointee.head.is_chunked }
    var contentLength: UInt64 { response.pointee.head.content_length }

    /// The fields, each as "name=value".
    var fields: [String] {
        ask { response in
            (0..<response.pointee.head.field_count).map { index in
                withUnsafePointer(to: &response.pointee.head) { head in
                    let field = apus_head_fields(head)[index]
                    return "\(field.name.string)=\(field.value.string)"
                }
            }
        }
    }

    /// Asks C about the response, whose memory stays as long as `question` runs.
    func ask<Answer>(_ question: (UnsafeMutablePointer<apus_response>) -> Answer) -> Answer {
        withExtendedLifetime(self) { question(response) }
    }
}

/// Reads `text` as a response head, only to see how that ends.
func parseResponse(_ text: [UInt8]) -> apus_error {
    CoreError.code { _ = try ParsedResponse(text) }
}

func parseResponse(_ text: String) -> apus_error {
    parseResponse(bytes(text))
}

/// A response with this status line and these field lines.
func response(_ line: String = "HTTP/1.1 101 Switching Protocols", _ fields: String...) -> String {
    ([line] + fields + ["", ""]).joined(separator: "\r\n")
}
