import CApusCore
import TestSupport
import Testing

/// What came of a look at the first bytes of a frame.
private enum Outcome: Equatable {
    /// A header of that size.
    case header(FrameHeader, size: Int)
    case unfinished
    case refused(apus_error)
}

/// Has frame headers read; they lie against a page that cannot be touched.
private struct Reader {
    let receiver: apus_role
    private let buffer = GuardedBuffer()

    init(_ receiver: apus_role) {
        self.receiver = receiver
    }

    func read(_ bytes: some Collection<UInt8>) -> Outcome {
        let start = buffer.end - bytes.count
        for (index, byte) in bytes.enumerated() {
            start[index] = byte
        }
        var frame = apus_frame()
        let size = apus_frame_parse(start, bytes.count, receiver, &frame)
        if size < 0 {
            return .refused(apus_error(rawValue: Int32(size)))
        }
        return size == 0 ? .unfinished : .header(header(of: frame), size: size)
    }

    private func header(of frame: apus_frame) -> FrameHeader {
        let key = withUnsafeBytes(of: frame.masking_key, Array.init)
        return FrameHeader(
            opcode: apus_opcode(rawValue: UInt32(frame.opcode)), fin: frame.fin,
            key: receiver == APUS_ROLE_SERVER ? key : nil, length: frame.payload_len)
    }

    /// What comes of `bytes`, which come one after the other: nothing before they are enough, and the same however
    /// many more there are.
    func readAtEveryCut(_ bytes: [UInt8], isKnownAfter needed: Int? = nil) -> Outcome {
        let outcome = read(bytes)
        let needed = needed ?? bytes.count
        for count in 0...bytes.count {
            #expect(read(bytes.prefix(count)) == (count < needed ? .unfinished : outcome), "\(count) bytes")
        }
        #expect(outcome == .unfinished || read(bytes + [0xff, 0x00]) == outcome)
        return outcome
    }
}

/// Has a frame's header encoded.
private func encode(_ header: FrameHeader) -> [UInt8] {
    var out = [UInt8](repeating: 0xa5, count: Int(APUS_FRAME_HEADER_SIZE))
    let size =
        if let key = header.key {
            apus_frame_encode_masked(&out, header.opcode, header.fin, header.length, maskingKey(key))
        } else {
            apus_frame_encode(&out, header.opcode, header.fin, header.length)
        }
    return Array(out.prefix(size))
}

private let someKey: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
private let dataOpcodes = [APUS_OPCODE_CONTINUATION, APUS_OPCODE_TEXT, APUS_OPCODE_BINARY]
private let controlOpcodes = [APUS_OPCODE_CLOSE, APUS_OPCODE_PING, APUS_OPCODE_PONG]

/// A header as it comes to `receiver`.
private func header(
    to receiver: apus_role, _ length: UInt64, _ form: FrameHeader.LengthForm? = nil,
    opcode: apus_opcode = APUS_OPCODE_BINARY, fin: Bool = true
) -> FrameHeader {
    FrameHeader(
        opcode: opcode, fin: fin, key: receiver == APUS_ROLE_SERVER ? someKey : nil, length: length, form: form)
}

@Suite(.computing) struct FrameTests {
    // MARK: Lengths

    static let lengths: [UInt64] = [
        0, 1, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 1 << 32 - 1, 1 << 32, 1 << 62,
        1 << 63 - 1,
    ]

    @Test(arguments: bothRoles, lengths)
    func `a length is read and written in its shortest form`(receiver: apus_role, length: UInt64) {
        for opcode in dataOpcodes {
            for fin in [true, false] {
                let header = header(to: receiver, length, opcode: opcode, fin: fin)
                #expect(encode(header) == header.bytes)
                let outcome = Reader(receiver).readAtEveryCut(header.bytes)
                #expect(outcome == .header(header, size: header.bytes.count))
            }
        }
    }

    @Test func `a header has 2, 4 or 10 bytes, and 4 more where it has a key`() {
        for (length, size) in [(125, 2), (126, 4), (65535, 4), (65536, 10)] as [(UInt64, Int)] {
            #expect(encode(header(to: APUS_ROLE_CLIENT, length)).count == size)
            #expect(encode(header(to: APUS_ROLE_SERVER, length)).count == size + 4)
        }
    }

    @Test(arguments: bothRoles) func `a length of 16 bits that fits into 7 is refused`(receiver: apus_role) {
        let reader = Reader(receiver)
        for length in 0...125 as ClosedRange<UInt64> {
            let bytes = header(to: receiver, length, .bits16).bytes
            #expect(reader.readAtEveryCut(bytes) == .refused(APUS_EPROTO))
        }
    }

    @Test(arguments: bothRoles, [0, 1, 125, 126, 127, 255, 256, 65534, 65535] as [UInt64])
    func `a length of 64 bits that fits into 16 is refused`(receiver: apus_role, length: UInt64) {
        let bytes = header(to: receiver, length, .bits64).bytes
        #expect(Reader(receiver).readAtEveryCut(bytes) == .refused(APUS_EPROTO))
    }

    @Test(arguments: bothRoles, [1 << 63, 1 << 63 + 1, 1 << 63 + 65536, .max] as [UInt64])
    func `a length of 64 bits whose most significant bit is set is refused`(receiver: apus_role, length: UInt64) {
        let bytes = header(to: receiver, length).bytes
        #expect(Reader(receiver).readAtEveryCut(bytes) == .refused(APUS_EPROTO))
    }

    @Test(arguments: bothRoles) func `each bit of a length counts`(receiver: apus_role) {
        let reader = Reader(receiver)
        for bit in 0..<63 as Range<UInt64> {
            let header = header(to: receiver, 1 << bit | 1)
            #expect(reader.read(header.bytes) == .header(header, size: header.bytes.count))
        }
    }

    // MARK: The first two bytes

    /// What §5.2, §5.1 and §5.5 leave of the first two bytes, in the order of the text.
    private func isAllowed(_ first: UInt8, _ second: UInt8, _ receiver: apus_role) -> Bool {
        let hasReservedBit = first & 0b0111_0000 != 0
        let isFinal = first & 0b1000_0000 != 0
        let isMasked = second & 0b1000_0000 != 0
        switch first & 0b1111 {
        case 0, 1, 2: return !hasReservedBit && isMasked == (receiver == APUS_ROLE_SERVER)
        case 8, 9, 10:
            return !hasReservedBit && isMasked == (receiver == APUS_ROLE_SERVER) && isFinal && second & 0x7f <= 125
        default: return false
        }
    }

    /// The extended length that belongs to a second byte: 300 or 2^56, which break no rule.
    private func length(_ second: UInt8) -> [UInt8] {
        switch second & 0x7f {
        case 126: bigEndian(300, 2)
        case 127: bigEndian(1 << 56, 8)
        default: []
        }
    }

    @Test(arguments: bothRoles)
    func `reserved bits and opcodes, wrong masking, and control frames that are long or fragmented are refused`(
        receiver: apus_role
    ) {
        let reader = Reader(receiver)
        let key = receiver == APUS_ROLE_SERVER ? someKey : []
        var allowed = 0
        for first in UInt8.min ... .max {
            for second in UInt8.min ... .max {
                let outcome = reader.read([first, second] + length(second) + key)
                let isRefused = outcome == .refused(APUS_EPROTO)
                if outcome == .unfinished || isRefused == isAllowed(first, second, receiver) {
                    Issue.record("\(first), \(second)")
                }
                allowed += isRefused ? 0 : 1
            }
        }
        #expect(allowed == 3 * 2 * 128 + 3 * 126)
    }

    @Test(arguments: bothRoles)
    func `what is wrong in the first two bytes is refused with them, and not before`(receiver: apus_role) {
        let reader = Reader(receiver)
        for first in UInt8.min ... .max {
            for second in UInt8.min ... .max where !isAllowed(first, second, receiver) {
                if reader.read([first]) != .unfinished || reader.read([first, second]) != .refused(APUS_EPROTO) {
                    Issue.record("\(first), \(second)")
                }
            }
        }
        #expect(reader.read([]) == .unfinished)
    }

    @Test(arguments: bothRoles, controlOpcodes)
    func `a control frame has up to 125 bytes and is one fragment`(receiver: apus_role, opcode: apus_opcode) {
        let reader = Reader(receiver)
        for length in 0...125 as ClosedRange<UInt64> {
            let header = header(to: receiver, length, opcode: opcode)
            #expect(reader.readAtEveryCut(header.bytes) == .header(header, size: header.bytes.count))
            #expect(encode(header) == header.bytes)
            var fragment = header
            fragment.fin = false
            #expect(reader.readAtEveryCut(fragment.bytes, isKnownAfter: 2) == .refused(APUS_EPROTO))
        }
        for length in [126, 65535, 65536] as [UInt64] {
            let bytes = header(to: receiver, length, opcode: opcode).bytes
            #expect(reader.readAtEveryCut(bytes, isKnownAfter: 2) == .refused(APUS_EPROTO))
        }
    }

    @Test(arguments: lengths) func `a server takes masked frames only, a client only others`(length: UInt64) {
        let masked = header(to: APUS_ROLE_SERVER, length).bytes
        let plain = header(to: APUS_ROLE_CLIENT, length).bytes
        #expect(Reader(APUS_ROLE_CLIENT).readAtEveryCut(masked, isKnownAfter: 2) == .refused(APUS_EPROTO))
        #expect(Reader(APUS_ROLE_SERVER).readAtEveryCut(plain, isKnownAfter: 2) == .refused(APUS_EPROTO))
    }

    @Test func `the opcodes from 8 on are those of control frames`() {
        for opcode in 0...15 as ClosedRange<UInt8> {
            #expect(apus_opcode_is_control(opcode) == (opcode >= 8))
        }
    }

    // MARK: There and back

    @Test func `what is encoded is parsed as the same, and the other way round`() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let receiver = bothRoles.randomElement(using: &generator) ?? APUS_ROLE_SERVER
            let isControl = Bool.random(using: &generator)
            let opcode = (isControl ? controlOpcodes : dataOpcodes).randomElement(using: &generator)
            let length = generator.next() >> UInt64.random(in: 1..<64, using: &generator)
            var header = header(
                to: receiver, isControl ? length % 126 : length, opcode: opcode ?? APUS_OPCODE_TEXT)
            header.fin = isControl || Bool.random(using: &generator)
            header.key = header.key.map { _ in bigEndian(generator.next(), 4) }
            let bytes = encode(header)
            #expect(Reader(receiver).read(bytes) == .header(header, size: bytes.count))
            #expect(bytes == header.bytes)
        }
    }

    // MARK: RFC 6455 §5.7

    private func expect(_ bytes: [UInt8], _ opcode: apus_opcode, fin: Bool = true, _ payload: [UInt8], masked: Bool) {
        let receiver = masked ? APUS_ROLE_SERVER : APUS_ROLE_CLIENT
        let header = header(to: receiver, UInt64(payload.count), opcode: opcode, fin: fin)
        let size = bytes.count - payload.count
        #expect(Reader(receiver).readAtEveryCut(Array(bytes.prefix(size))) == .header(header, size: size))
        #expect(encode(header) == Array(bytes.prefix(size)))
        #expect(Frame(opcode: opcode, payload: payload, fin: fin).bytes(to: receiver, key: someKey) == bytes)
    }

    @Test func `RFC 6455 §5.7: a single-frame unmasked text message`() {
        expect([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], APUS_OPCODE_TEXT, bytes("Hello"), masked: false)
    }

    @Test func `RFC 6455 §5.7: a single-frame masked text message`() {
        expect(
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], APUS_OPCODE_TEXT, bytes("Hello"),
            masked: true)
    }

    @Test func `RFC 6455 §5.7: a fragmented unmasked text message`() {
        expect([0x01, 0x03, 0x48, 0x65, 0x6c], APUS_OPCODE_TEXT, fin: false, bytes("Hel"), masked: false)
        expect([0x80, 0x02, 0x6c, 0x6f], APUS_OPCODE_CONTINUATION, bytes("lo"), masked: false)
    }

    @Test func `RFC 6455 §5.7: an unmasked Ping request and its masked Pong response`() {
        expect([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], APUS_OPCODE_PING, bytes("Hello"), masked: false)
        expect(
            [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], APUS_OPCODE_PONG, bytes("Hello"),
            masked: true)
    }

    @Test func `RFC 6455 §5.7: a 256 bytes binary message in a single unmasked frame`() {
        let payload = [UInt8](repeating: 7, count: 256)
        expect([0x82, 0x7e, 0x01, 0x00] + payload, APUS_OPCODE_BINARY, payload, masked: false)
    }

    @Test func `RFC 6455 §5.7: a 64KiB binary message in a single unmasked frame`() {
        let payload = [UInt8](repeating: 7, count: 65536)
        let header: [UInt8] = [0x82, 0x7f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00]
        expect(header + payload, APUS_OPCODE_BINARY, payload, masked: false)
    }

    @Test(arguments: bothRoles)
    func `where permessage-deflate was agreed on, RSV1 may be set in a message's first frame and nowhere else`(
        role: apus_role
    ) {
        let second: UInt8 = role == APUS_ROLE_SERVER ? 0x80 : 0x00
        for first in UInt8.min...UInt8.max {
            let header = [first, second, 1, 2, 3, 4]
            var frame = apus_frame()
            let size = apus_frame_parse_deflated(header, header.count, role, &frame)
            var plainFrame = apus_frame()
            let plain = apus_frame_parse([first & ~0x40] + header.dropFirst(), header.count, role, &plainFrame)
            let isFirst = [1, 2].contains(first & 0x0f)
            let isSet = first & 0x40 != 0
            #expect(size == (isSet && !isFirst ? Int(APUS_EPROTO.rawValue) : plain))
            #expect(size <= 0 || frame.rsv1 == isSet)
            #expect(size <= 0 || frame.opcode == plainFrame.opcode && frame.fin == plainFrame.fin)
        }
    }
}
