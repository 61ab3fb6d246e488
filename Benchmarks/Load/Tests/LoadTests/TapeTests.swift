import Load
import Testing

struct TapeTests {
    func options(size: UInt64, depth: UInt64 = 1, deflate: Bool = false) -> load_options {
        var options = load_options()
        options.size = size
        options.depth = depth
        options.content = deflate ? LOAD_CONTENT_JSON : LOAD_CONTENT_BINARY
        options.is_deflate = deflate
        return options
    }

    @Test(arguments: [1, 125, 126, 65_535, 65_536, 1 << 20] as [UInt64])
    func `what is sent, unmasked, is what should come back`(size: UInt64) throws {
        var options = options(size: size, depth: 4), tape = load_tape()
        try #require(load_tape_init(&tape, &options))
        defer { load_tape_deinit(&tape) }
        for message in 0..<(tape.count + tape.run) {
            let start = load_tape_start(&tape, message), end = tape.sent_end[message]
            let payload = end - Int(size), key = payload - 4
            #expect(key - start == tape.header)
            let expected = load_tape_payload(&tape, message % tape.count)
            let isSame = (0..<Int(size)).allSatisfy {
                tape.sent[payload + $0] ^ tape.sent[key + $0 % 4] == expected![$0]
            }
            #expect(isSame)
        }
    }

    @Test func `a ring of compressed messages is longer than DEFLATE's window`() throws {
        var options = options(size: 1000, deflate: true), tape = load_tape()
        try #require(load_tape_init(&tape, &options))
        defer { load_tape_deinit(&tape) }
        #expect(tape.count * tape.payload > 32 << 10)
        #expect(tape.sent[0] == 0xc1)  // FIN, RSV1, text
        #expect(tape.sent_end[0] < 700)
    }
}
