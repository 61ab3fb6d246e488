import CApusCore
import Testing

private let longest = [UInt8](repeating: UInt8(ascii: "p"), count: Int(APUS_CONTROL_PAYLOAD_SIZE))

/// Control frames, incoming and outgoing (RFC 6455 §5.5).
struct SessionControlTests {
    // MARK: Ping and Pong (§5.5.2, §5.5.3)

    @Test(arguments: bothRoles, [0, 1, 4, 5, 63, 64, 65, 124, 125])
    func `a ping is answered with a pong that has the same payload`(role: apus_role, count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 200) }
        #expect(eventsInEveryWay([.ping(payload)], to: role) == [.answered(payload)])
    }

    @Test(arguments: bothRoles) func `each ping has its own pong, in their order`(role: apus_role) {
        let frames = (0..<10).map { Frame.ping([UInt8](repeating: UInt8($0), count: $0 * 3)) }
        #expect(eventsInEveryWay(frames, to: role) == frames.map { .answered($0.payload) })
    }

    @Test(arguments: bothRoles, [0, 1, 125]) func `a pong is told and not answered`(role: apus_role, count: Int) {
        let payload = Array(longest.prefix(count))
        #expect(eventsInEveryWay([.pong(payload), .text("a")], to: role) == [.pong(payload), .text("a")])
    }

    @Test func `RFC 6455 §5.7: a ping to a client is answered with a masked pong`() {
        let session = SessionUnderTest(APUS_ROLE_CLIENT)  // which looks at the mask of what is sent
        session.receive([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
        #expect(session.events == [.answered(bytes("Hello"))])
    }

    // MARK: Close (§5.5.1, §7)

    @Test(arguments: bothRoles, [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] as [UInt16])
    func `a close is answered with its code`(role: apus_role, code: UInt16) {
        #expect(eventsInEveryWay([.close(code)], to: role) == [.close(code, reply: .close(code))])
    }

    @Test(arguments: bothRoles) func `a close without a code is told as 1005 and answered without one`(role: apus_role)
    {
        #expect(eventsInEveryWay([.close()], to: role) == [.close(1005, reply: .close())])
    }

    @Test(arguments: bothRoles, ["a", "gehüpft 🦊", String(repeating: "x", count: 123)])
    func `a close's reason is told, and not sent back`(role: apus_role, reason: String) {
        let events = eventsInEveryWay([.close(4000, bytes(reason))], to: role)
        #expect(events == [.close(4000, bytes(reason), reply: .close(4000))])
    }

    @Test(arguments: bothRoles, [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] as [UInt16])
    func `a close with a code that may not be sent fails with 1002`(role: apus_role, code: UInt16) {
        #expect(eventsInEveryWay([.close(code, bytes("why"))], to: role) == [.failure(APUS_EPROTO)])
    }

    @Test(arguments: bothRoles) func `a close with half a code fails with 1002`(role: apus_role) {
        let half = Frame(opcode: APUS_OPCODE_CLOSE, payload: [0x03])
        #expect(eventsInEveryWay([half], to: role) == [.failure(APUS_EPROTO)])
    }

    @Test(arguments: bothRoles, [[0xff], [0xed, 0xa0, 0x80], Array(bytes("🦊").prefix(3))] as [[UInt8]])
    func `a close with a reason that is not UTF-8 fails with 1007`(role: apus_role, reason: [UInt8]) {
        #expect(eventsInEveryWay([.close(1000, reason)], to: role) == [.failure(APUS_EUTF8)])
    }

    @Test(arguments: bothRoles) func `after a close nothing is told any more`(role: apus_role) {
        let behind: [Frame] = [.text("a"), .ping(), .pong(), .close(1001), Frame(opcode: apus_opcode(rawValue: 3))]
        #expect(eventsInEveryWay([.close(1000)] + behind, to: role) == [.close(1000, reply: .close(1000))])
        let input = wire([.close(1000)], to: role) + [UInt8](repeating: 0xff, count: 40)
        #expect(eventsInEveryWay(input, to: role) == [.close(1000, reply: .close(1000))])
    }

    // MARK: What is no control frame

    @Test(arguments: bothRoles)
    func `a control frame that is fragmented or longer than 125 bytes fails with 1002`(role: apus_role) {
        for opcode in [APUS_OPCODE_CLOSE, APUS_OPCODE_PING, APUS_OPCODE_PONG] {
            let long = Frame(opcode: opcode, payload: longest + [0])
            let fragment = Frame(opcode: opcode, fin: false)
            #expect(eventsInEveryWay([.text("a"), long], to: role) == [.text("a"), .failure(APUS_EPROTO)])
            #expect(eventsInEveryWay([fragment, .text("a")], to: role) == [.failure(APUS_EPROTO)])
        }
    }

    @Test(arguments: bothRoles, [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt32])
    func `a reserved opcode fails with 1002`(role: apus_role, opcode: UInt32) {
        let frame = Frame(opcode: apus_opcode(rawValue: opcode), payload: [1, 2])
        #expect(eventsInEveryWay([.text("a"), frame], to: role) == [.text("a"), .failure(APUS_EPROTO)])
        #expect(eventsInEveryWay([.text("a", fin: false), frame], to: role) == [.failure(APUS_EPROTO)])
    }

    @Test(arguments: bothRoles, 1...7 as ClosedRange<UInt8>)
    func `reserved bits, on which nothing was agreed, fail with 1002`(role: apus_role, reserved: UInt8) {
        for frame in [Frame.text("a"), .binary([1]), .ping(), .close(1000)] {
            var reservedFrame = frame
            reservedFrame.reserved = reserved
            #expect(eventsInEveryWay([reservedFrame], to: role) == [.failure(APUS_EPROTO)])
        }
    }

    @Test(arguments: bothRoles) func `wrong masking fails with 1002`(role: apus_role) {
        for frame in [Frame.text("a"), .binary([]), .ping(), .close(1000)] {
            var wrong = frame
            wrong.isMaskingWrong = true
            #expect(eventsInEveryWay([wrong], to: role) == [.failure(APUS_EPROTO)])
        }
    }

    @Test(arguments: bothRoles) func `a length that is longer than it needs to be fails with 1002`(role: apus_role) {
        for form in [FrameHeader.LengthForm.bits16, .bits64] {
            let frame = Frame(opcode: APUS_OPCODE_BINARY, payload: [1, 2, 3], form: form)
            #expect(eventsInEveryWay([frame], to: role) == [.failure(APUS_EPROTO)])
        }
    }

    // MARK: Outgoing

    @Test(arguments: bothRoles, [APUS_OPCODE_PING, APUS_OPCODE_PONG])
    func `a ping or a pong of up to 125 bytes can be sent`(role: apus_role, opcode: apus_opcode) {
        let session = SessionUnderTest(role)
        for count in 0...longest.count {
            let payload = Array(longest.prefix(count))
            #expect(session.control(opcode, payload) == .success(Frame(opcode: opcode, payload: payload)))
        }
        #expect(session.control(opcode, longest + [0]) == .failure(CoreError(code: APUS_EINVAL)))
        #expect(session.state == APUS_STATE_OPEN)
    }

    @Test(arguments: bothRoles) func `behind a close no ping, no pong and no other close can be sent`(role: apus_role) {
        let session = SessionUnderTest(role)
        #expect(session.close(1000) == .success(.close(1000)))
        for opcode in [APUS_OPCODE_PING, APUS_OPCODE_PONG] {
            #expect(session.control(opcode, [1]) == .failure(CoreError(code: APUS_ECLOSED)))
        }
        #expect(session.close(1001) == .failure(CoreError(code: APUS_ECLOSED)))
    }

    @Test(arguments: [APUS_OPCODE_CONTINUATION, APUS_OPCODE_TEXT, APUS_OPCODE_BINARY, APUS_OPCODE_CLOSE])
    func `what is neither ping nor pong cannot be sent as one`(opcode: apus_opcode) {
        let session = SessionUnderTest(APUS_ROLE_SERVER)
        #expect(session.control(opcode) == .failure(CoreError(code: APUS_EINVAL)))
    }

    @Test(arguments: bothRoles) func `a close is sent with a code, with code and reason, or with neither`(
        role: apus_role
    ) {
        #expect(SessionUnderTest(role).close(1000) == .success(.close(1000)))
        #expect(SessionUnderTest(role).close(4000, bytes("🦊")) == .success(.close(4000, bytes("🦊"))))
        #expect(SessionUnderTest(role).close(1005) == .success(.close()))
        let reason = Array(longest.dropFirst(2))
        #expect(SessionUnderTest(role).close(1000, reason) == .success(.close(1000, reason)))
    }

    @Test(arguments: bothRoles) func `a close that may not be sent leaves the session open`(role: apus_role) {
        let session = SessionUnderTest(role)
        for (code, reason) in [
            (1006, []), (999, []), (1015, []), (5000, []), (1005, [0x61]), (1000, [0xff]),
            (1000, Array(longest.dropFirst())),
        ] as [(UInt16, [UInt8])] {
            #expect(session.close(code, reason) == .failure(CoreError(code: APUS_EINVAL)))
            #expect(session.state == APUS_STATE_OPEN)
        }
        #expect(session.close(1000) == .success(.close(1000)))
    }
}
