import Load
import Testing

/// The long way: frames in every cut, control frames between them, and lies.
struct ReceiverTests {
    /// Feeds `bytes` in pieces of `step`; returns how many messages ended, or what was wrong.
    static func receive(_ bytes: [UInt8], step: Int) -> Result<Int64, Fault> {
        var options = load_options(), tape = load_tape()
        options.size = 20
        options.depth = 1
        guard load_tape_init(&tape, &options), let receiver = load_receiver_new(false, false) else {
            return .failure(Fault(words: "out of memory"))
        }
        defer {
            load_receiver_free(receiver)
            load_tape_deinit(&tape)
        }
        var next: UInt64 = 0, total: Int64 = 0, error = [CChar](repeating: 0, count: Int(LOAD_ERROR_SIZE))
        for start in stride(from: 0, to: bytes.count, by: step) {
            let piece = Array(bytes[start..<min(start + step, bytes.count)])
            let count = load_receiver_take(receiver, &tape, &next, piece, piece.count, &error)
            guard count >= 0 else {
                return .failure(Fault(words: String(decoding: error.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)))
            }
            total += count
        }
        return .success(total)
    }

    struct Fault: Error, Equatable { var words: String }

    static func payload(_ message: UInt64) -> [UInt8] {
        PayloadTests.payload(20, LOAD_CONTENT_BINARY, seed: message)
    }

    @Test func `messages, fragments and control frames between them, cut anywhere`() {
        let first = Self.payload(0), second = Self.payload(1)
        var bytes: [UInt8] = [0x82, 20] + first
        bytes += [0x89, 2, 1, 2]  // a ping
        bytes += [0x02, 5] + second[..<5] + [0x8a, 0] + [0x00, 0] + [0x80, 15] + second[5...]
        bytes += [0x82, 126, 0, 20] + Self.payload(2)  // a length that is not the shortest is none of ours to judge
        for step in 1...bytes.count {
            #expect(Self.receive(bytes, step: step) == .success(3))
        }
    }

    @Test(
        arguments: [
            ([0x82, 20] + payload(1), "byte 0 is 0x"),
            ([0x82, 19] + payload(0)[..<19], "it has 19 bytes, but 20 were sent"),
            ([0x82, 21] + payload(0) + [0], "it is longer than the 20 bytes that were sent"),
            ([0x81, 20] + payload(0), "the message has another opcode than the one that was sent"),
            ([0x82, 0x94, 1, 2, 3, 4], "the server masked a frame"),
            ([0xc2, 20], "RSV1 is set though no extension was agreed on"),
            ([0x02, 5] + payload(0)[..<5] + [0x82, 15], "a message began before the one before it had ended"),
            ([0x88, 5, 0x03, 0xe9] + Array("bye".utf8), "the server closed with 1001 bye"),
            ([0x89, 126, 0, 126], "a control frame is in fragments, too long, compressed, or of no known kind"),
        ] as [([UInt8], String)])
    func `a lie is found out`(bytes: [UInt8], words: String) {
        for step in [1, bytes.count] {
            guard case .failure(let fault) = Self.receive(bytes + [0, 0], step: step) else {
                Issue.record("taken for true")
                continue
            }
            #expect(fault.words.hasPrefix(words))
        }
    }
}
