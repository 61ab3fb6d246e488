import CApusCore
import TestSupport
import Testing

private let fox = bytes("🦊")

/// Messages; what concerns control frames, states and limits has its own files.
@Suite(.computing) struct SessionTests {
    // MARK: Messages in one frame

    @Test(arguments: bothRoles) func `a text message comes as it was sent`(role: apus_role) {
        #expect(eventsInEveryWay([.text("Hello")], to: role) == [.text("Hello")])
        #expect(eventsInEveryWay([.text("gehüpft 🦊")], to: role) == [.text("gehüpft 🦊")])
    }

    @Test(arguments: bothRoles) func `a binary message comes as it was sent`(role: apus_role) {
        let payload: [UInt8] = [0, 0xff, 0x80, 0xc0, 0xed, 0xa0, 0x80]
        #expect(eventsInEveryWay([.binary(payload)], to: role) == [.binary(payload)])
    }

    @Test(arguments: bothRoles) func `a message may be empty`(role: apus_role) {
        #expect(eventsInEveryWay([.text(""), .binary([])], to: role) == [.text(""), .binary([])])
    }

    @Test(arguments: bothRoles, [1, 3, 4, 7, 8, 15, 16, 31, 32, 64, 65, 124, 125, 126, 127, 128, 300])
    func `a message of any size is the same whole and cut`(role: apus_role, count: Int) {
        let text = String(repeating: "a", count: count)
        let binary = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
        #expect(eventsInEveryWay([.text(text), .binary(binary)], to: role) == [.text(text), .binary(binary)])
    }

    @Test(arguments: bothRoles, [65535, 65536, 70_000])
    func `a large message is the same whole and in reads of any size`(role: apus_role, count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let input = wire([.text("before"), .binary(payload), .text("behind")], to: role)
        let buffer = GuardedBuffer(minimumCapacity: input.count)
        for step in [1000, 4096, 16384, 65536, input.count] {
            let cuts = Array(stride(from: step, to: input.count, by: step))
            for inPlace in [false, true] {
                let events = SessionOutcome(of: input, cuts: cuts, inPlace: inPlace, to: role, buffer: buffer).events
                let isSame = events == [.text("before"), .binary(payload), .text("behind")]
                // Not compared within the macro: the difference would be too long.
                #expect(isSame, "reads of \(step) bytes, in place: \(inPlace)")
            }
        }
    }

    @Test(arguments: bothRoles) func `there is a place for what comes next of a message that is kept, and only of one`(
        role: apus_role
    ) {
        func room(behind input: [UInt8]) -> Int {
            let session = SessionUnderTest(role, buffer: GuardedBuffer(minimumCapacity: 4096))
            session.receive(input)
            return session.room?.size ?? 0
        }
        let large = wire([.binary([UInt8](repeating: 7, count: 1000))], to: role)
        #expect(room(behind: []) == 0)
        #expect(room(behind: Array(large.prefix(3))) == 0, "inside a header")
        #expect(room(behind: Array(large.prefix(600))) >= large.count - 600 - 8, "as much as the next read may bring")
        #expect(room(behind: Array(large.prefix(large.count - 1))) == 1, "no more than is announced")
        #expect(room(behind: large) == 0, "it is whole")
        let part = wire([.binary([UInt8](repeating: 7, count: 600), fin: false)], to: role)
        #expect(room(behind: part) == 0, "a header comes next")
        let ping = wire([.ping([1, 2, 3])], to: role)
        #expect(room(behind: part + ping.dropLast()) == 0, "inside a control frame")
    }

    @Test(arguments: bothRoles) func `several messages in one read come in their order`(role: apus_role) {
        let frames = (0..<40).map { $0 % 2 == 0 ? Frame.text("\($0)") : .binary([UInt8($0)]) }
        let expected = (0..<40).map { $0 % 2 == 0 ? SessionEvent.text("\($0)") : .binary([UInt8($0)]) }
        #expect(eventsInEveryWay(frames, to: role) == expected)
    }

    // MARK: Fragments (RFC 6455 §5.4)

    @Test(arguments: bothRoles) func `the fragments of a message come as one`(role: apus_role) {
        let frames: [Frame] = [
            .text("Hel", fin: false), .continuation("l", fin: false), .continuation("o", fin: true),
            .binary([1], fin: false), .continuation([2], fin: true),
        ]
        #expect(eventsInEveryWay(frames, to: role) == [.text("Hello"), .binary([1, 2])])
    }

    @Test func `RFC 6455 §5.7: a fragmented unmasked text message is Hello`() {
        let input: [UInt8] = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]
        #expect(eventsInEveryWay(input, to: APUS_ROLE_CLIENT) == [.text("Hello")])
    }

    @Test(arguments: bothRoles) func `fragments may be empty, and so may their message`(role: apus_role) {
        let frames: [Frame] = [
            .text("", fin: false), .continuation("a", fin: false), .continuation("", fin: false),
            .continuation("", fin: true),
            .binary([], fin: false), .continuation([], fin: true), .text("next"),
        ]
        #expect(eventsInEveryWay(frames, to: role) == [.text("a"), .binary([]), .text("next")])
    }

    @Test(arguments: bothRoles) func `control frames may stand between fragments, and are answered there`(
        role: apus_role
    ) {
        let frames: [Frame] = [
            .ping(), .text("a", fin: false), .ping([1]), .ping([2, 3]), .continuation("b", fin: false), .pong([4]),
            .continuation("c", fin: true), .ping(fox),
        ]
        #expect(
            eventsInEveryWay(frames, to: role) == [
                .answered([]), .answered([1]), .answered([2, 3]), .pong([4]), .text("abc"), .answered(fox),
            ])
    }

    @Test(arguments: bothRoles) func `a close may stand between fragments, whose message then never comes`(
        role: apus_role
    ) {
        let frames: [Frame] = [.text("a", fin: false), .close(1001), .continuation("b", fin: true)]
        #expect(eventsInEveryWay(frames, to: role) == [.close(1001, reply: .close(1001))])
    }

    @Test(arguments: bothRoles) func `a character may be cut by fragments, with a ping in its middle`(role: apus_role) {
        for cut in 0...fox.count {
            let frames: [Frame] = [
                .text(Array(fox[..<cut]), fin: false), .ping(), .continuation(Array(fox[cut...]), fin: true),
            ]
            #expect(eventsInEveryWay(frames, to: role) == [.answered([]), .text("🦊")])
        }
    }

    @Test(
        arguments: bothRoles,
        [
            [.continuation("a", fin: true)], [.continuation("a", fin: false)],
            [.text("a"), .continuation("b", fin: true)],
            [.text("a", fin: false), .text("b")], [.text("a", fin: false), .binary([1], fin: false)],
            [.binary([], fin: false), .continuation([], fin: true), .continuation([], fin: true)],
        ] as [[Frame]])
    func `a continuation of nothing, and a message inside another, are refused`(role: apus_role, frames: [Frame]) {
        let events = eventsInEveryWay(frames + [.text("never")], to: role)
        #expect(events.last == .failure(APUS_EPROTO))
        #expect(!events.contains(.text("never")))
    }

    // MARK: Texts (§8.1)

    @Test(
        arguments: bothRoles,
        [
            [0xff], [0x80], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], bytes("abc") + [0xc3],
            [0xe2, 0x82], [UInt8](repeating: 0x61, count: 124) + [0xe2], [UInt8](repeating: 0x61, count: 200) + [0xff],
        ] as [[UInt8]])
    func `a text that is not UTF-8 is refused, whole and in fragments`(role: apus_role, text: [UInt8]) {
        #expect(eventsInEveryWay([.text(text), .text("never")], to: role) == [.failure(APUS_EUTF8)])
        let fragments: [Frame] = [
            .text(Array(text.prefix(1)), fin: false), .continuation(Array(text.dropFirst()), fin: true),
        ]
        #expect(eventsInEveryWay(fragments, to: role) == [.failure(APUS_EUTF8)])
    }

    /// As the Autobahn|Testsuite asks in its cases 6.4: κόσμε, then what lies beyond U+10FFFF, then more.
    @Test(arguments: bothRoles) func `a text is refused with the first byte that cannot be right`(role: apus_role) {
        let valid = bytes("κόσμε")
        let text = valid + [0xf4, 0x90, 0x80, 0x80] + bytes("edited")
        let frames: [[Frame]] = [
            [.text(text)], [.text(valid, fin: false), .continuation(Array(text.dropFirst(valid.count)), fin: true)],
        ]
        for (index, frames) in frames.enumerated() {
            let input = wire(frames, to: role)
            let wrong = input.count - bytes("edited").count - 2  // up to F4 90, which nothing can follow
            let session = SessionUnderTest(role)
            for (count, byte) in input.enumerated() {
                session.receive([byte])
                #expect(session.events.isEmpty == (count + 1 < wrong), "\(index), byte \(count)")
            }
            #expect(session.events == [.failure(APUS_EUTF8)])

            let cut = SessionUnderTest(role)
            cut.receive(input.prefix(wrong - 1))
            #expect(cut.events.isEmpty)
            cut.receive(input[(wrong - 1)..<wrong])
            #expect(cut.events == [.failure(APUS_EUTF8)])
        }
    }

    // MARK: Whose memory it is

    @Test func `a message that stands whole in a read is delivered in place`() {
        let session = SessionUnderTest(APUS_ROLE_SERVER)
        for payload in [[], [1, 2, 3], [UInt8](repeating: 5, count: 200)] as [[UInt8]] {
            #expect(session.receiveOne(wire([.binary(payload)], to: APUS_ROLE_SERVER)) == .binary(payload))
            #expect(session.takePayload(payload.count) == nil)
        }
    }

    @Test(arguments: bothRoles) func `the payload of a message that came in pieces can be taken over, once`(
        role: apus_role
    ) {
        let session = SessionUnderTest(role)
        for text in ["one", "two"] {
            let input = wire([.text(text)], to: role)
            #expect(session.receiveOne(Array(input.dropLast())) == nil)
            #expect(session.takePayload(0) == nil, "it is not whole yet")
            #expect(session.receiveOne([input[input.count - 1]]) == .text(text))
            #expect(session.takePayload(text.utf8.count) == bytes(text))
            #expect(session.takePayload(0) == nil)
        }
        let fragments = wire([.text("a", fin: false), .continuation("b", fin: true)], to: role)
        #expect(session.receiveOne(fragments) == .text("ab"))
        #expect(session.takePayload(2) == bytes("ab"))
        #expect(session.receiveOne(wire([.text("c")], to: role)) == .text("c"))
    }

    @Test(arguments: bothRoles) func `a message can be forgotten, before the next does so by itself`(role: apus_role) {
        let session = SessionUnderTest(role)
        let fragments = wire([.text("a", fin: false), .continuation("b", fin: true)], to: role)
        for isForgotten in [true, false, true, true, false, false] {
            #expect(session.receiveOne(fragments) == .text("ab"))
            if isForgotten {
                session.forgetMessage()
                #expect(session.takePayload(0) == nil)
            }
        }
        session.forgetMessage()
        session.forgetMessage()
        #expect(session.receiveOne(wire([.text("c")], to: role)) == .text("c"))
    }

    @Test(arguments: bothRoles) func `forgetting leaves a message under way alone`(role: apus_role) {
        let session = SessionUnderTest(role)
        let input = wire([.text("Hel", fin: false), .continuation("lo", fin: true)], to: role)
        for byte in input {
            session.forgetMessage()
            #expect(session.takePayload(0) == nil)
            session.receive([byte])
        }
        #expect(session.events == [.text("Hello")])
    }

    @Test(arguments: bothRoles) func `a session may go while a message or a control frame is under way`(
        role: apus_role
    ) {
        let input = wire(
            [.text("ab", fin: false), .ping([1, 2]), .continuation("cd", fin: true), .close(1000, fox)], to: role)
        for count in input.indices {
            SessionUnderTest(role).receive(input.prefix(count))
        }
    }

    @Test(arguments: bothRoles) func `without memory the connection fails with 1011`(role: apus_role) {
        let frames: [Frame] = [
            .text("a", fin: false), .ping([1, 2, 3]),
            .continuation([UInt8](repeating: 0x61, count: 600), fin: true),
            .binary([UInt8](repeating: 1, count: 300)),
        ]
        let input = wire(frames, to: role)
        failEachAllocation {
            let session = SessionUnderTest(role)
            for byte in input {
                session.receive([byte])
            }
            guard case .fail(let error, let reply)? = session.events.last else { return APUS_OK.rawValue }
            #expect(reply == .close(1011) && session.state == APUS_STATE_CLOSED)
            return error.rawValue
        }
    }
}
