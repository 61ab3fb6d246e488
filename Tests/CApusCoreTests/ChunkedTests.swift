import CApusCore
import Testing

/// What reading content in chunks came to.
private enum Outcome: Equatable {
    /// The content, and how many bytes were taken for it.
    case finished([UInt8], taken: Int)
    case unfinished([UInt8])
    case refused
}

/// What one call takes, and the content among it.
private func step(
    _ chunked: inout apus_chunked, _ data: UnsafePointer<UInt8>, _ count: Int
) -> (taken: Int, piece: [UInt8]) {
    withUnsafeTemporaryAllocation(of: apus_text.self, capacity: 1) { piece in
        guard let piece = piece.baseAddress else { fatalError("there is room for one text") }
        let taken = apus_chunked_read(&chunked, data, count, piece)
        return (taken, taken < 0 ? [] : piece.pointee.bytes)
    }
}

/// A connection's decoder, fed piece by piece, each against a page that cannot be touched.
private struct Decoder {
    private var chunked = apus_chunked()
    private(set) var content: [UInt8] = []
    private(set) var taken = 0
    private(set) var isRefused = false

    mutating func more(_ input: some Collection<UInt8>) {
        let input = GuardedInput(input)
        var at = 0
        while at < input.count, !isRefused {
            let (used, piece) = step(&chunked, input.bytes + at, input.count - at)
            if used == 0 { break }
            isRefused = used < 0
            guard !isRefused else { break }
            content += piece
            at += used
        }
        taken += at
        withExtendedLifetime(input) {}
    }

    var outcome: Outcome {
        if isRefused { return .refused }
        let isFinished = withUnsafePointer(to: chunked) { apus_chunked_is_finished($0) }
        return isFinished ? .finished(content, taken: taken) : .unfinished(content)
    }
}

/// Reads whole, byte by byte, and cut in two at every place: all must come to the same.
private func read(_ input: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) -> Outcome {
    var whole = Decoder()
    whole.more(input)
    var bytewise = Decoder()
    for byte in input { bytewise.more([byte]) }
    #expect(bytewise.outcome == whole.outcome, sourceLocation: sourceLocation)
    for cut in 0...input.count {
        var parts = Decoder()
        parts.more(input.prefix(cut))
        parts.more(input.dropFirst(cut))
        #expect(parts.outcome == whole.outcome, "cut at \(cut)", sourceLocation: sourceLocation)
    }
    return whole.outcome
}

private func read(_ input: String) -> Outcome { read(bytes(input)) }

private func finished(_ content: String, _ taken: Int) -> Outcome { .finished(bytes(content), taken: taken) }

struct ChunkedTests {
    @Test func `the chunks' data is the content`() {
        #expect(read("5\r\nhello\r\n0\r\n\r\n") == finished("hello", 15))
        #expect(read("5\r\nhello\r\n1\r\n,\r\nA\r\n0123456789\r\n0\r\n\r\n") == finished("hello,0123456789", 36))
        #expect(read("0\r\n\r\n") == finished("", 5))
    }

    @Test func `data may hold whatever looks like a line`() {
        #expect(read("7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n") == finished("0\r\n\r\n0\r", 17))
    }

    @Test(arguments: ["5", "05", "0000000000000005"])
    func `a size is hexadecimal digits, at most sixteen`(size: String) {
        #expect(read("\(size)\r\nhello\r\n000\r\n\r\n") == finished("hello", size.count + 16))
    }

    @Test(arguments: ["a", "A"])
    func `digits are of any case`(size: String) {
        #expect(read("\(size)\r\n0123456789\r\n0\r\n\r\n") == finished("0123456789", 20))
    }

    @Test(arguments: [
        "", "\n", "\r\n", " 5\r\n", "+5\r\n", "-5\r\n", "0x5\r\n", "g\r\n", "5\n", "5\rX", "5\0\r\n", "5,\r\n",
        "5_0\r\n",
        "00000000000000005\r\n", "10000000000000000\r\n", "5 \r\n", "5 5\r\n", "5\t\r\n",
    ])
    func `another size line is refused`(line: String) {
        let outcome = read(line + "hello\r\n0\r\n\r\n")
        #expect(outcome == .refused)
    }

    @Test func `the largest size is read as it is`() {
        #expect(read("ffffffffffffffff\r\nhello") == .unfinished(bytes("hello")))
    }

    @Test(arguments: ["", "\n", "\r", "\rX", "X\r\n", " \r\n"])
    func `data ends where its size says, with CRLF`(end: String) {
        #expect(read("5\r\nhello\(end)0\r\n\r\n") == .refused)
    }

    @Test(arguments: [";a", ";a=b", ";a=\"b c\"", ";", " ;a", "\t ; a = b", ";a=\"\u{e9}\""])
    func `an extension is passed over`(text: String) {
        #expect(read("5\(text)\r\nhello\r\n0\(text)\r\n\r\n") == finished("hello", 15 + 2 * text.utf8.count))
    }

    @Test(arguments: [";a\nb", ";a\rb", ";a\0", ";\u{7f}"])
    func `a bare CR, LF or control character within an extension is refused`(text: String) {
        #expect(read("5\(text)\r\nhello\r\n0\r\n\r\n") == .refused)
    }

    @Test(arguments: ["A: b\r\n", "A:\r\n", "A: b\r\nC: d\r\n", "Content-Length: 5\r\n"])
    func `trailers are dropped`(trailers: String) {
        #expect(read("5\r\nhello\r\n0\r\n\(trailers)\r\n") == finished("hello", 15 + trailers.utf8.count))
    }

    @Test(arguments: [
        "A\r\n", " A: b\r\n", ": b\r\n", "A : b\r\n", "A: b\n", "A: b\rc\r\n", "A: \0\r\n", "A: b\r\n c\r\n",
    ])
    func `a trailer that is no field is refused`(trailer: String) {
        #expect(read("5\r\nhello\r\n0\r\n\(trailer)\r\n") == .refused)
    }

    @Test func `extensions and trailers together have a limit`() {
        let most = Int(APUS_CHUNKED_MOST_EXTRA)
        func whole(_ extensions: Int, _ trailer: Int) -> Outcome {
            var decoder = Decoder()
            let text = String(repeating: "x", count: extensions)
            decoder.more(bytes("1;\(text)\r\na\r\n0\r\nT:" + String(repeating: "y", count: trailer) + "\r\n\r\n"))
            return decoder.outcome
        }
        #expect(whole(most - 100, 98) == .finished(bytes("a"), taken: 1 + 1 + most - 100 + 2 + 3 + 3 + 2 + 98 + 4))
        #expect(whole(most - 100, 99) == .refused)
        #expect(whole(most + 1, 0) == .refused)
    }

    @Test func `tiny chunks with extensions pass the limit together`() {
        var decoder = Decoder()
        for _ in 0..<900 { decoder.more(bytes("1;abcdefghij\r\nx\r\n")) }
        #expect(decoder.isRefused)
    }

    @Test func `what follows the content is not looked at`() {
        #expect(read("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n") == finished("a", 11))
    }

    @Test func `every part is no end yet`() {
        let input = bytes("3;x\r\nabc\r\n0\r\nT: u\r\n\r\n")
        for count in 0..<input.count {
            var decoder = Decoder()
            decoder.more(input.prefix(count))
            #expect(decoder.outcome == .unfinished(decoder.content))
        }
    }

    @Test func `an error is the same when asked again`() {
        var chunked = apus_chunked()
        #expect(step(&chunked, bytes("x"), 1).taken == Int(APUS_ECHUNK.rawValue))
        #expect(step(&chunked, bytes("5"), 1).taken == Int(APUS_ECHUNK.rawValue))
        #expect(!apus_chunked_is_finished(&chunked))
    }
}
