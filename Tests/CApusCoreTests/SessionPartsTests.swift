import CApusCore
import Testing

/// Messages that are given out as their bytes come.
struct SessionPartsTests {
    /// What came of the bytes, with parts put together again.
    private func messages(
        _ input: [UInt8], cuts: [Int], to role: apus_role, limits: apus_message_limits, compression: Agreement?
    ) -> SessionOutcome {
        let buffer = GuardedBuffer(minimumCapacity: max(input.count, 4096))
        let session = SessionUnderTest(role, limits: limits, compression: compression, buffer: buffer)
        session.giveParts()
        var start = 0
        for cut in cuts + [input.count] {
            session.receive(input[start..<cut])
            start = cut
        }
        return SessionOutcome(events: joined(session.events), state: session.state)
    }

    /// Control frames come where they stood, so they are put before the message that they came inside of.
    private func joined(_ events: [SessionEvent]) -> [SessionEvent] {
        var joined: [SessionEvent] = []
        var payload: [UInt8] = []
        for event in events {
            guard case .part(let opcode, let bytes, let isLast) = event else {
                joined.append(event)
                continue
            }
            payload += bytes
            guard isLast else {
                #expect(!bytes.isEmpty, "a part that is not the last has bytes")
                continue
            }
            joined.append(.message(opcode, payload))
            payload = []
        }
        return joined
    }

    /// The messages, whole, byte by byte, and cut in two at every position: all must be the same.
    private func inEveryWay(
        _ frames: [Frame], to role: apus_role, limits: apus_message_limits = .roomy, compression: Agreement? = nil
    ) -> [SessionEvent] {
        let input = wire(frames, to: role)
        let whole = messages(input, cuts: [], to: role, limits: limits, compression: compression)
        for cuts in [Array(input.indices)] + input.indices.map({ [$0] }) {
            let pieces = messages(input, cuts: cuts, to: role, limits: limits, compression: compression)
            #expect(pieces == whole, "cut at \(cuts.prefix(3))")
        }
        return whole.events
    }

    @Test(arguments: bothRoles) func `parts are the message as it was sent`(role: apus_role) {
        let frames: [Frame] = [
            .text("ge", fin: false), .continuation("hüpft 🦊", fin: false), .continuation("", fin: true),
            .binary([1, 2, 3]), .text(""), .binary([], fin: false), .continuation([], fin: true),
        ]
        #expect(
            inEveryWay(frames, to: role) == [
                .text("gehüpft 🦊"), .binary([1, 2, 3]), .text(""), .binary([]),
            ])
    }

    @Test(arguments: bothRoles) func `a character may be cut by parts, but text must be UTF-8 as a whole`(
        role: apus_role
    ) {
        let fox = bytes("🦊")
        let split: [Frame] = [
            .text(Array(fox.prefix(2)), fin: false), .continuation(Array(fox.dropFirst(2)), fin: true),
        ]
        #expect(inEveryWay(split, to: role) == [.text("🦊")])
        let cut: [Frame] = [.text(Array(fox.prefix(2)), fin: false), .continuation([], fin: true)]
        #expect(inEveryWay(cut, to: role) == [.failure(APUS_EUTF8)])
    }

    @Test(arguments: bothRoles) func `neither size nor fragments are limited`(role: apus_role) {
        let limits = apus_message_limits(size: 10, fragments: 2)
        let frames: [Frame] =
            [.binary([0], fin: false)] + (1..<20).map { .continuation([UInt8($0)], fin: false) } + [
                .continuation(Array(20..<60), fin: true)
            ]
        #expect(inEveryWay(frames, to: role, limits: limits) == [.binary(Array(0..<60))])
    }

    @Test(arguments: bothRoles) func `control frames between parts are answered`(role: apus_role) {
        let frames: [Frame] = [
            .text("a", fin: false), .ping([1]), .continuation("b", fin: true), .close(1000),
        ]
        #expect(
            inEveryWay(frames, to: role) == [
                .answered([1]), .text("ab"), .close(1000, reply: .close(1000)),
            ])
    }

    @Test(arguments: bothRoles) func `a message that had begun before stays whole`(role: apus_role) {
        let session = SessionUnderTest(role)
        session.receive(wire([.text("a", fin: false)], to: role))
        session.giveParts()
        session.receive(wire([.continuation("b", fin: true), .text("c", fin: false)], to: role))
        session.receive(wire([.continuation("d", fin: true)], to: role))
        #expect(
            session.events == [
                .text("ab"), .part(APUS_OPCODE_TEXT, bytes("c"), isLast: false),
                .part(APUS_OPCODE_TEXT, bytes("d"), isLast: true),
            ])
    }

    @Test func `while closing, parts are dropped`() {
        let session = SessionUnderTest(APUS_ROLE_SERVER)
        session.giveParts()
        session.receive(wire([.text("a", fin: false)], to: APUS_ROLE_SERVER))
        _ = session.close(1000)
        session.receive(wire([.continuation("b", fin: true), .text("c", fin: false)], to: APUS_ROLE_SERVER))
        #expect(session.events == [.part(APUS_OPCODE_TEXT, bytes("a"), isLast: false)])
    }
}
