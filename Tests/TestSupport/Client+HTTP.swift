/// The answer to an HTTP request.
public struct Answer: Equatable, Sendable {
    /// The status code.
    public let status: Int
    /// The status line and the fields, as they came.
    public let lines: [String]
    /// The content.
    public let body: [UInt8]

    /// The value of a field, whatever the case of its name; where it came several times, they are joined by commas.
    public subscript(name: String) -> String? {
        let values = lines.dropFirst().compactMap { line -> String? in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
            return String(parts[1].drop { $0 == " " })
        }
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// The content as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
}

extension Client {
    /// Sends a request head: a request line, `Host`, and further lines.
    public func sendRequest(_ method: String = "GET", _ target: String = "/", _ lines: String...) throws {
        let all = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + lines
        try send(all.map { $0 + "\r\n" }.joined() + "\r\n")
    }

    /// Reads an answer: a head, and as many bytes of content as it says.
    ///
    /// - Parameter hasBody: `false` for the answer to a HEAD request.
    public func readAnswer(hasBody: Bool = true) throws -> Answer {
        let head = String(decoding: try read(through: Array("\r\n\r\n".utf8)), as: UTF8.self)
        // Two scalars are one Character: lines end in "\r\n".
        let lines = head.split(separator: "\r\n").map(String.init)
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count > 1, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw Failure.malformed(head)
        }
        let answer = Answer(status: status, lines: lines, body: [])
        let length = answer["Content-Length"].flatMap(Int.init) ?? 0
        return Answer(status: status, lines: lines, body: hasBody ? try read(length) : [])
    }
}
