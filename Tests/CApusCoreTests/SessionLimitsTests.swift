import CApusCore
import TestSupport
import Testing

/// Limits of messages (RFC 6455 §10.4), small and large.
@Suite(.computing) struct SessionLimitsTests {
    private func payload(_ count: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(ascii: "a"), count: count)
    }

    @Test(arguments: bothRoles, [0, 1, 5, 15, 16, 64, 124, 125, 126, 127, 300])
    func `a message may be as large as the limit, and no larger`(role: apus_role, limit: Int) {
        let limits = apus_message_limits(size: UInt64(limit), fragments: 10)
        for opcode in [APUS_OPCODE_TEXT, APUS_OPCODE_BINARY] {
            let largest = Frame(opcode: opcode, payload: payload(limit))
            let tooLarge = Frame(opcode: opcode, payload: payload(limit + 1))
            let events = eventsInEveryWay([largest, largest, tooLarge, largest], to: role, limits: limits)
            let message = SessionEvent.message(opcode, largest.payload)
            #expect(events == [message, message, .failure(APUS_ETOOBIG)])
        }
    }

    @Test(arguments: bothRoles, [0, 1, 125, 126, 300])
    func `its fragments together may be as large as the limit, and no larger`(role: apus_role, limit: Int) {
        let limits = apus_message_limits(size: UInt64(limit), fragments: 10)
        for first in Set([0, 1, limit / 2, limit]) where first <= limit {
            let start = Frame.text(payload(first), fin: false)
            let fits = [start, .continuation(payload(limit - first), fin: true)]
            let passes = [start, .continuation(payload(limit - first + 1), fin: true)]
            #expect(eventsInEveryWay(fits, to: role, limits: limits) == [.message(APUS_OPCODE_TEXT, payload(limit))])
            #expect(eventsInEveryWay(passes, to: role, limits: limits) == [.failure(APUS_ETOOBIG)])
        }
    }

    @Test(arguments: bothRoles, [126, 65536, 1 << 32, 1 << 63 - 1] as [UInt64])
    func `a message that is too large is refused with its header, before anything of it comes`(
        role: apus_role, length: UInt64
    ) {
        let key: [UInt8]? = role == APUS_ROLE_SERVER ? [1, 2, 3, 4] : nil
        let header = FrameHeader(opcode: APUS_OPCODE_BINARY, key: key, length: length).bytes
        let limits = apus_message_limits(size: 125, fragments: 10)
        #expect(eventsInEveryWay(header, to: role, limits: limits) == [.failure(APUS_ETOOBIG)])
    }

    @Test(arguments: bothRoles) func `without a limit, a length of 63 bits is awaited and takes no memory`(
        role: apus_role
    ) {
        let key: [UInt8]? = role == APUS_ROLE_SERVER ? [0, 0, 0, 0] : nil
        let header = FrameHeader(opcode: APUS_OPCODE_BINARY, key: key, length: 1 << 63 - 1).bytes
        let limits = apus_message_limits(size: .max, fragments: 10)
        #expect(eventsInEveryWay(header + payload(100), to: role, limits: limits) == [])
        let text = FrameHeader(opcode: APUS_OPCODE_TEXT, key: key, length: 1 << 63 - 1).bytes
        #expect(eventsInEveryWay(text + [0x61, 0xff], to: role, limits: limits) == [.failure(APUS_EUTF8)])
    }

    @Test(arguments: bothRoles, [1, 2, 5]) func `a message may have as many fragments as the limit, and no more`(
        role: apus_role, limit: Int
    ) {
        let limits = apus_message_limits(size: 100, fragments: UInt32(limit))
        let start = [Frame.binary([1], fin: limit == 1)]
        let middle = [Frame](repeating: .continuation([], fin: false), count: max(0, limit - 2))
        let end = limit == 1 ? [] : [Frame.continuation([2], fin: true)]
        let message = SessionEvent.binary(limit == 1 ? [1] : [1, 2])
        let fits = start + middle + end
        let events = eventsInEveryWay(fits + [.ping()] + fits, to: role, limits: limits)
        #expect(events == [message, .answered([]), message])

        let open = [Frame.binary([1], fin: false)] + [Frame](repeating: .continuation([], fin: false), count: limit - 1)
        let passes = open + [.ping(), .continuation([2], fin: true)]
        #expect(eventsInEveryWay(passes, to: role, limits: limits) == [.answered([]), .failure(APUS_EFRAGMENTS)])
    }

    @Test(arguments: bothRoles) func `control frames are no fragments, and are not held to the limit of size`(
        role: apus_role
    ) {
        let limits = apus_message_limits(size: 1, fragments: 2)
        let pings = [Frame](repeating: .ping(payload(125)), count: 3)
        let frames = [.binary([], fin: false)] + pings + [.continuation([1], fin: true)]
        let expected = [SessionEvent](repeating: .answered(payload(125)), count: 3) + [.binary([1])]
        #expect(eventsInEveryWay(frames, to: role, limits: limits) == expected)
    }

    @Test func `every failure tells the peer the code that the table of errors has for it`() {
        let limits = apus_message_limits(size: 4, fragments: 2)
        let three = [Frame](repeating: .continuation([], fin: false), count: 3)
        let failures: [([Frame], apus_error, UInt16)] = [
            ([.continuation("a", fin: true)], APUS_EPROTO, 1002),
            ([.text([0xff])], APUS_EUTF8, 1007),
            ([.text(payload(5))], APUS_ETOOBIG, 1009),
            ([.binary([], fin: false)] + three, APUS_EFRAGMENTS, 1009),
        ]
        for role in bothRoles {
            for (frames, error, code) in failures {
                let events = eventsInEveryWay(frames, to: role, limits: limits)
                #expect(events == [.fail(error, reply: .close(code))])
                #expect(apus_error_code(error.rawValue) == code)
            }
        }
    }
}
