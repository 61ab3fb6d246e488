import CApusCore
import TestSupport
import Testing

/// A message's frames with RSV1 set in the first one.
private func compressed(_ frames: [CApusCoreTests.Frame]) -> [CApusCoreTests.Frame] {
    var frames = frames
    frames[0].reserved = 4
    return frames
}

private func compressed(_ frame: CApusCoreTests.Frame) -> CApusCoreTests.Frame {
    compressed([frame])[0]
}

@Suite(.computing) struct SessionCompressionTests {
    private typealias Frame = CApusCoreTests.Frame

    private let hello: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]

    @Test(arguments: bothRoles, [true, false])
    func `compressed and plain messages may alternate, in one frame or several, with pings between`(
        role: apus_role, keepsContext: Bool
    ) {
        let agreement = Agreement(keepsContext: keepsContext)
        let frames =
            [compressed(.text(hello)), .text("plain")]
            + compressed([
                .binary(Array(hello[..<3]), fin: false), .ping([1]), .continuation([], fin: false),
                .continuation(Array(hello[3...]), fin: true),
            ]) + [compressed(.text([0x00])), .binary([1, 2], fin: false), .continuation([3], fin: true)]
        let events = eventsInEveryWay(frames, to: role, compression: agreement)
        #expect(
            events == [
                .text("Hello"), .text("plain"), .answered([1]), .binary(Array("Hello".utf8)), .text(""),
                .binary([1, 2, 3]),
            ])
        #expect(agreement.pool.pointee.counts.messages_inflated % 3 == 0)
    }

    @Test func `each message counts its own bytes, as they came and inflated`() {
        let agreement = Agreement(keepsContext: false)
        let counts = { agreement.pool.pointee.counts }
        let session = SessionUnderTest(APUS_ROLE_SERVER, compression: agreement)
        for number in 1...3 as ClosedRange<UInt64> {
            session.receive(wire([compressed(.text(hello))], to: APUS_ROLE_SERVER))
            #expect(counts().messages_inflated == number)
            #expect(counts().bytes_before_inflating == number * UInt64(hello.count))
            #expect(counts().bytes_inflated == number * 5)
            #expect(agreement.pool.pointee.inflater != nil, "it is lent again")
        }
    }

    @Test func `a small message behind a compressed part is not taken for the part`() {
        let session = SessionUnderTest(APUS_ROLE_SERVER, compression: Agreement())
        session.giveParts()
        let small = [UInt8](repeating: 7, count: 125)
        session.receive(wire([compressed(.binary(hello)), .binary(small)], to: APUS_ROLE_SERVER))
        #expect(session.events.last == .binary(small))
        #expect(session.takePayload(5) == nil)
    }

    @Test(arguments: bothRoles) func `with context takeover a message may refer to the one before, and without not`(
        role: apus_role
    ) {
        let frames = [compressed(.text(hello)), compressed(.text([0xf2, 0x00, 0x11, 0x00, 0x00]))]
        #expect(
            eventsInEveryWay(frames, to: role, compression: Agreement()) == [.text("Hello"), .text("Hello")])
        #expect(
            eventsInEveryWay(frames, to: role, compression: Agreement(keepsContext: false))
                == [.text("Hello"), .failure(APUS_EINFLATE)])
    }

    @Test(arguments: bothRoles) func `RSV1 on a continuation or a control frame fails with 1002`(role: apus_role) {
        let wrong: [[Frame]] = [
            [.binary(hello, fin: false), compressed(.continuation([], fin: true))],
            [compressed(.text(hello, fin: false)), compressed(.continuation([], fin: true))],
            [compressed(.ping())], [compressed(.pong())], [compressed(.close())],
        ]
        for frames in wrong {
            #expect(eventsInEveryWay(frames, to: role, compression: Agreement()) == [.failure(APUS_EPROTO)])
        }
        for reserved in [1, 2, 3, 5, 6, 7] as [UInt8] {
            var frame = Frame.text(hello)
            frame.reserved = reserved
            #expect(eventsInEveryWay([frame], to: role, compression: Agreement()) == [.failure(APUS_EPROTO)])
        }
    }

    @Test(arguments: bothRoles) func `a payload that does not inflate fails with 1007`(role: apus_role) {
        for payload in [[0xff], [0xf2, 0x48]] as [[UInt8]] {
            let events = eventsInEveryWay([compressed(.binary(payload))], to: role, compression: Agreement())
            #expect(events == [.fail(APUS_EINFLATE, reply: .close(1007))])
        }
    }

    @Test(arguments: bothRoles) func `a text that is not UTF-8 once inflated fails with 1007, and binary does not`(
        role: apus_role
    ) {
        for text in [[0x61, 0xff, 0x61], Array("e\u{e9}".utf8.dropLast()), [0xff]] as [[UInt8]] {
            let payload = Deflater().message(text)
            let events = eventsInEveryWay([compressed(.text(payload))], to: role, compression: Agreement())
            #expect(events == [.failure(APUS_EUTF8)])
            let binary = eventsInEveryWay([compressed(.binary(payload))], to: role, compression: Agreement())
            #expect(binary == [.binary(text)])
        }
        let text = "\u{20ac}uro \u{1f98a}"
        let payload = Deflater().message(text.utf8)
        #expect(
            eventsInEveryWay([compressed(.text(payload))], to: role, compression: Agreement()) == [.text(text)])
    }

    @Test(arguments: bothRoles, [0, 1, 100, 1000])
    func `the limit holds for what is inflated, over all fragments, and not for what comes`(
        role: apus_role, limit: Int
    ) {
        let limits = apus_message_limits(size: UInt64(limit), fragments: 100)
        let fits = noise(limit)
        let payload = Deflater().message(fits)  // larger than the limit
        let inOne = [compressed(.binary(payload))]
        #expect(eventsInEveryWay(inOne, to: role, limits: limits, compression: Agreement()) == [.binary(fits)])
        let inTwo = compressed([
            .binary(Array(payload[..<1]), fin: false), .continuation(Array(payload[1...]), fin: true),
        ])
        #expect(eventsInEveryWay(inTwo, to: role, limits: limits, compression: Agreement()) == [.binary(fits)])
        let tooLarge = Deflater().message([UInt8](repeating: 0x61, count: limit + 1))
        let passes =
            compressed([.text(Array(tooLarge[..<1]), fin: false)])
            + tooLarge[1...].map { .continuation([$0], fin: false) }
        #expect(
            eventsInEveryWay(passes, to: role, limits: limits, compression: Agreement())
                == [.fail(APUS_ETOOBIG, reply: .close(1009))])
    }

    @Test(arguments: bothRoles) func `42 KiB in fragments that stand for 40 MiB end with 1009 at the limit`(
        role: apus_role
    ) {
        let payload = Deflater(level: 9).message([UInt8](repeating: 0, count: 40 << 20))
        #expect(payload.count < 42 << 10)
        let pieces = stride(from: 0, to: payload.count, by: 4096).map { Array(payload[$0...].prefix(4096)) }
        let frames =
            compressed([.binary(pieces[0], fin: false)]) + pieces.dropFirst().map { .continuation($0, fin: false) }
        let agreement = Agreement(keepsContext: false)
        let buffer = GuardedBuffer(minimumCapacity: 64 << 10)
        let outcome = SessionOutcome(of: wire(frames, to: role), to: role, compression: agreement, buffer: buffer)
        #expect(outcome.events == [.fail(APUS_ETOOBIG, reply: .close(1009))])
    }

    @Test(arguments: [true, false]) func `a session gives back all that it took, in the middle of a message, too`(
        keepsContext: Bool
    ) {
        let agreement = Agreement(keepsContext: keepsContext)
        let input = wire([compressed(.text(hello)), compressed(.binary(hello, fin: false))], to: APUS_ROLE_SERVER)
        withoutLeaks {
            let session = SessionUnderTest(APUS_ROLE_SERVER, compression: agreement)
            session.receive(input)
            #expect(session.events == [.text("Hello")])
            apus_deflate_pool_clear(agreement.pool)
            withExtendedLifetime(session) {}
        }
    }

    @Test func `while closing, what comes compressed is inflated and dropped`() {
        let session = SessionUnderTest(APUS_ROLE_SERVER, compression: Agreement())
        _ = session.close(1000)
        session.receive(wire([compressed(.text(hello)), .ping(), .close(1000)], to: APUS_ROLE_SERVER))
        #expect(session.events == [.close(1000, reply: nil)])
    }

    @Test(arguments: [true, false]) func `every allocation may fail, which fails the connection with 1011`(
        keepsContext: Bool
    ) {
        let agreement = Agreement(keepsContext: keepsContext)
        let payload = Deflater().message(prose(2000))
        let input = wire([compressed(.binary(payload))], to: APUS_ROLE_SERVER)
        failEachAllocation(cleanUp: { apus_deflate_pool_clear(agreement.pool) }) {
            let session = UnsafeMutablePointer<apus_session>.allocate(capacity: 1)
            let config = UnsafeMutablePointer<apus_session_config>.allocate(capacity: 1)
            config.initialize(to: apus_session_config())
            config.pointee.limits = .roomy
            defer {
                apus_session_deinit(session)
                session.deallocate()
                config.deallocate()
            }
            apus_session_init(session, config)
            guard
                let compression = apus_compression_new(
                    APUS_ROLE_SERVER, agreement.config, &agreement.parameters, agreement.pool)
            else { return APUS_ENOMEM.rawValue }
            apus_session_set_compression(session, compression)
            apus_session_open(session)
            var event = apus_event()
            var bytes = input
            _ = apus_session_receive(session, &bytes, bytes.count, &event)
            return event.kind == APUS_EVENT_FAIL ? event.error : APUS_OK.rawValue
        }
    }
}
