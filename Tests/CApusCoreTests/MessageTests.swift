import CApusCore
import TestSupport
import Testing

/// A message under way, and the limits it is held to; what it is given lies against a page that cannot be touched.
private final class Message {
    private var limits: apus_message_limits
    private let message = UnsafeMutablePointer<apus_message>.allocate(capacity: 1)
    private let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    init(size: UInt64 = 1 << 23, fragments: UInt32 = 1000) {
        limits = apus_message_limits(size: size, fragments: fragments)
        message.initialize(to: apus_message())
    }

    deinit {
        apus_message_deinit(message)
        message.deallocate()
    }

    var payload: [UInt8] { contents(of: message.pointee.payload) }
    /// Whether its payload is this; for long ones, whose difference nobody would want to read.
    func holds(_ expected: [UInt8]) -> Bool { payload == expected }
    var capacity: Int { message.pointee.payload.capacity }
    var opcode: UInt8 { message.pointee.opcode }
    var fragments: UInt32 {
        get { message.pointee.fragments }
        set { message.pointee.fragments = newValue }
    }

    func begin(_ opcode: apus_opcode, _ length: UInt64 = 0, fin: Bool = false) -> apus_error {
        var frame = apus_frame(
            payload_len: length, masking_key: 0, opcode: UInt8(opcode.rawValue), fin: fin, rsv1: false)
        return apus_error(rawValue: apus_message_begin_frame(message, &frame, &limits))
    }

    /// The next bytes of a frame, which begin `offset` bytes after its key does.
    func append(_ plain: some Collection<UInt8>, offset: Int = 0, remaining: UInt64 = 0) -> apus_error {
        let key = Array(key[(offset % 4)...] + key[..<(offset % 4)])
        let input = GuardedInput(masked(Array(plain), with: key))
        let result = withExtendedLifetime(input) {
            apus_message_append(message, input.bytes, input.count, maskingKey(key), remaining)
        }
        return apus_error(rawValue: result)
    }

    func checkEnd() -> apus_error {
        apus_error(rawValue: apus_message_check_end(message))
    }

    func forget() {
        apus_message_deinit(message)
    }

    /// A message whose fragments come in reads: outside the fragments, inside the pieces of each.
    func receive(_ opcode: apus_opcode, _ fragments: [[ArraySlice<UInt8>]]) -> apus_error {
        for (index, pieces) in fragments.enumerated() {
            let length = pieces.reduce(0) { $0 + $1.count }
            let begun = begin(index == 0 ? opcode : APUS_OPCODE_CONTINUATION, UInt64(length))
            if begun != APUS_OK { return begun }
            var offset = 0
            for piece in pieces {
                let rest = UInt64(length - offset - piece.count)
                let appended = append(piece, offset: offset, remaining: rest)
                if appended != APUS_OK { return appended }
                offset += piece.count
            }
        }
        return checkEnd()
    }
}

@Suite(.computing) struct MessageTests {
    private let messageOpcodes = [APUS_OPCODE_TEXT, APUS_OPCODE_BINARY]

    // MARK: Which frame may follow which (RFC 6455 §5.4)

    @Test func `a message begins with text or binary, not with a continuation`() {
        for opcode in messageOpcodes {
            let message = Message()
            #expect(message.begin(opcode) == APUS_OK)
            #expect(message.opcode == UInt8(opcode.rawValue))
        }
        let message = Message()
        #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_EPROTO)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, fin: true) == APUS_EPROTO)
        #expect(message.opcode == 0 && message.fragments == 0)
    }

    @Test func `a message goes on with continuations, not with a new message`() {
        for opcode in messageOpcodes {
            for next in messageOpcodes {
                let message = Message()
                #expect(message.begin(opcode) == APUS_OK)
                #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_OK)
                #expect(message.begin(next) == APUS_EPROTO)
                #expect(message.begin(next, fin: true) == APUS_EPROTO)
                #expect(message.begin(APUS_OPCODE_CONTINUATION, fin: true) == APUS_OK)
                #expect(message.opcode == UInt8(opcode.rawValue) && message.fragments == 3)
            }
        }
    }

    @Test func `after it was forgotten, another message can begin`() {
        let message = Message()
        for opcode in messageOpcodes {
            #expect(message.receive(opcode, [[[1, 2]], [[3]]]) == APUS_OK)
            #expect(message.payload == [1, 2, 3])
            message.forget()
            #expect(message.opcode == 0 && message.fragments == 0 && message.payload.isEmpty && message.capacity == 0)
        }
    }

    // MARK: Limits

    @Test(arguments: [0, 1, 125, 126, 65535, 65536, 1 << 32] as [UInt64])
    func `a frame is held to the limit by what it announces`(limit: UInt64) {
        let message = Message(size: limit)
        #expect(message.begin(APUS_OPCODE_BINARY, limit + 1) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_BINARY, 1 << 63 - 1) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_BINARY, .max) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_BINARY, limit) == APUS_OK)
        #expect(message.capacity == 0, "nothing has come")
    }

    @Test func `what is stored and what is announced are held to the limit together`() {
        let message = Message(size: 10)
        #expect(message.begin(APUS_OPCODE_BINARY, 4) == APUS_OK)
        #expect(message.append([1, 2, 3, 4]) == APUS_OK)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 7) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 10) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 6) == APUS_OK)
        #expect(message.append([5, 6, 7, 8, 9, 10]) == APUS_OK)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 1) == APUS_ETOOBIG)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 0) == APUS_OK)
        #expect(message.payload == Array(1...10))
    }

    @Test func `a sum that would pass 2^64 is too big`() {
        let message = Message(size: .max)
        #expect(message.begin(APUS_OPCODE_BINARY, 3) == APUS_OK)
        #expect(message.append([1, 2, 3]) == APUS_OK)
        for length in [.max, .max - 1, .max - 2] as [UInt64] {
            #expect(message.begin(APUS_OPCODE_CONTINUATION, length) == APUS_ETOOBIG)
        }
        #expect(message.begin(APUS_OPCODE_CONTINUATION, .max - 3) == APUS_OK)
        #expect(message.append([4], remaining: .max - 4) == APUS_OK)
        #expect(message.payload == [1, 2, 3, 4])
        #expect(message.capacity <= 256)
    }

    @Test(arguments: [1, 2, 3, 100] as [UInt32]) func `empty fragments count like others`(limit: UInt32) {
        let message = Message(fragments: limit)
        #expect(message.begin(APUS_OPCODE_TEXT) == APUS_OK)
        for _ in 1..<limit {
            #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_OK)
        }
        #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_EFRAGMENTS)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 1, fin: true) == APUS_EFRAGMENTS)
        #expect(message.fragments == limit)
    }

    @Test func `the number of fragments does not start again at 0`() {
        let message = Message(fragments: .max)
        #expect(message.begin(APUS_OPCODE_TEXT) == APUS_OK)
        message.fragments = .max - 1
        #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_OK)
        #expect(message.begin(APUS_OPCODE_CONTINUATION) == APUS_EFRAGMENTS)
        #expect(message.fragments == .max)
    }

    // MARK: Memory

    /// What memory may be held once `count` bytes have come.
    private func mostCapacity(_ count: Int) -> Int { max(256, 2 * count) }

    @Test(arguments: [1 << 20, 1 << 32, 1 << 62, .max] as [UInt64])
    func `memory grows with what has come, not with what is announced`(announced: UInt64) {
        let message = Message(size: .max)
        #expect(message.begin(APUS_OPCODE_BINARY, announced) == APUS_OK)
        #expect(message.capacity == 0)
        var count = 0
        for size in [1, 1, 200, 60, 1000, 5, 4096, 40_000] {
            let piece = [UInt8](repeating: 1, count: size)
            let offset = count
            count += size
            #expect(message.append(piece, offset: offset, remaining: announced - UInt64(count)) == APUS_OK)
            #expect((count...mostCapacity(count)).contains(message.capacity))
        }
    }

    @Test(arguments: [1, 7, 1000, 65536]) func `a frame takes few steps to grow, and ends at its size`(step: Int) {
        let size = step * 50
        let message = Message(size: UInt64(size))
        #expect(message.begin(APUS_OPCODE_BINARY, UInt64(size)) == APUS_OK)
        let piece = [UInt8](repeating: 1, count: step)
        var capacities: Set<Int> = []
        for count in stride(from: step, through: size, by: step) {
            let remaining = UInt64(size - count)
            #expect(message.append(piece, offset: count - step, remaining: remaining) == APUS_OK)
            #expect(message.capacity <= min(mostCapacity(count), max(size, 256)))
            capacities.insert(message.capacity)
        }
        #expect(capacities.count <= 7)
        #expect(message.capacity == size)
    }

    @Test func `an empty fragment takes no memory`() {
        let message = Message()
        apus_alloc_fail(1)
        #expect(message.receive(APUS_OPCODE_TEXT, [[], [[]], [[], []]]) == APUS_OK)
        apus_alloc_fail(0)
        #expect(message.payload.isEmpty && message.capacity == 0)
    }

    @Test func `without memory nothing is lost, and the same bytes can be given again`() {
        let pieces = [10, 300, 1, 900, 5000].map { [UInt8](repeating: UInt8($0 % 128), count: $0) }
        var failed = 0
        failEachAllocation {
            let message = Message()
            var expected: [UInt8] = []
            var result = APUS_OK
            for piece in pieces {
                let opcode = expected.isEmpty ? APUS_OPCODE_TEXT : APUS_OPCODE_CONTINUATION
                #expect(message.begin(opcode, UInt64(piece.count)) == APUS_OK)
                let appended = message.append(piece)
                if appended != APUS_OK {
                    result = appended
                    failed += 1
                    #expect(message.holds(expected))
                    #expect(message.append(piece) == APUS_OK)
                }
                expected += piece
                #expect(message.holds(expected))
            }
            return result.rawValue
        }
        #expect(failed >= 3)
    }

    // MARK: Texts (§8.1)

    private let text = bytes("aü€🦊\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}z")

    @Test func `a character may be cut by fragments and by reads`() {
        for border in 0...text.count {
            for cut in 0...text.count {
                let message = Message()
                let first = text[..<border], second = text[border...]
                let fragments =
                    cut < border
                    ? [[first[..<cut], first[cut...]], [second]] : [[first], [second[..<cut], second[cut...]]]
                #expect(message.receive(APUS_OPCODE_TEXT, fragments) == APUS_OK, "\(border), \(cut)")
                #expect(message.payload == text)
            }
        }
    }

    @Test func `a text that comes byte by byte, each in a fragment of its own, is the same`() {
        let message = Message()
        #expect(message.receive(APUS_OPCODE_TEXT, text.indices.map { [text[$0...$0]] }) == APUS_OK)
        #expect(message.payload == text)
    }

    @Test func `a text that ends inside a character is refused at its end`() {
        for count in 0...text.count {
            let message = Message()
            let isComplete = RFC3629.judge(text.prefix(count)).isComplete
            #expect(message.receive(APUS_OPCODE_TEXT, [[text[..<count]]]) == (isComplete ? APUS_OK : APUS_EUTF8))
            #expect(message.payload == Array(text.prefix(count)))
        }
    }

    @Test(
        arguments: [
            [0x80], [0xff], [0xc0, 0xaf], [0xc1, 0xbf], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80],
            [0xf0, 0x8f, 0xbf, 0xbf],
            [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80], [0xe2, 0x82, 0x41], [0xc3, 0xc3], [0xf0, 0x9f, 0x41],
        ] as [[UInt8]])
    func `a byte that cannot be right is refused with the read that brings it`(wrong: [UInt8]) {
        for before in [bytes(""), bytes("a"), bytes("🦊"), [UInt8](repeating: 0x61, count: 130)] {
            let whole = before + wrong + bytes("zzz")
            let index = RFC3629.judge(whole).index
            for cut in 0...whole.count {
                for isFragment in [false, true] {
                    let message = Message()
                    let length = UInt64(isFragment ? cut : whole.count)
                    #expect(message.begin(APUS_OPCODE_TEXT, length) == APUS_OK)
                    let first = message.append(whole[..<cut], remaining: length - UInt64(cut))
                    #expect(first == (index < cut ? APUS_EUTF8 : APUS_OK))
                    if index < cut { continue }
                    if isFragment {
                        #expect(message.begin(APUS_OPCODE_CONTINUATION, UInt64(whole.count - cut)) == APUS_OK)
                    }
                    #expect(message.append(whole[cut...], offset: isFragment ? 0 : cut) == APUS_EUTF8)
                }
            }
        }
    }

    @Test func `a binary message may hold any bytes`() {
        let all = (0...255).map { UInt8($0) }
        let message = Message()
        #expect(message.receive(APUS_OPCODE_BINARY, [[all[...]], [all[..<3], all[3...]]]) == APUS_OK)
        #expect(message.payload == all + all)
    }

    @Test func `a text that was forgotten inside a character leaves nothing to the next`() {
        let message = Message()
        #expect(message.receive(APUS_OPCODE_TEXT, [[bytes("🦊")[..<2]]]) == APUS_EUTF8)
        message.forget()
        #expect(message.receive(APUS_OPCODE_TEXT, [[bytes("a")[...]]]) == APUS_OK)
        #expect(message.begin(APUS_OPCODE_CONTINUATION, 1) == APUS_OK)
        #expect(message.append([0xc3]) == APUS_OK)
        message.forget()
        #expect(message.receive(APUS_OPCODE_BINARY, [[[0xc3]]]) == APUS_OK)
    }
}
