import CApusCore
import Testing

/// A session that got into each state by the shortest way.
private func session(_ role: apus_role, in state: apus_state) -> SessionUnderTest {
    let session = SessionUnderTest(role, isOpen: state != APUS_STATE_CONNECTING)
    if state == APUS_STATE_CLOSING {
        #expect(session.close(1000) == .success(.close(1000)))
    } else if state == APUS_STATE_CLOSED {
        session.end()
    }
    #expect(session.state == state)
    return session
}

private let allStates = [APUS_STATE_CONNECTING, APUS_STATE_OPEN, APUS_STATE_CLOSING, APUS_STATE_CLOSED]

/// The states of RFC 6455 §4 to §7, as apus/session.h draws them.
struct SessionLifecycleTests {
    // MARK: The moves

    @Test(arguments: bothRoles) func `a session begins CONNECTING, and is OPEN after the handshake`(role: apus_role) {
        let session = SessionUnderTest(role, isOpen: false)
        #expect(session.state == APUS_STATE_CONNECTING && !session.isOpen)
        session.open()
        #expect(session.state == APUS_STATE_OPEN && session.isOpen)
    }

    @Test(arguments: bothRoles, allStates) func `the end of the stream closes in every state`(
        role: apus_role, state: apus_state
    ) {
        let session = session(role, in: state)
        session.end()
        #expect(session.state == APUS_STATE_CLOSED && !session.isOpen)
        session.end()
        #expect(session.state == APUS_STATE_CLOSED)
    }

    @Test(arguments: bothRoles) func `OPEN to CLOSING to CLOSED: this end closes, and the peer answers`(
        role: apus_role
    ) {
        let session = session(role, in: APUS_STATE_CLOSING)
        #expect(!session.isOpen)
        session.receive(wire([.close(1000)], to: role))
        #expect(session.events == [.close(1000, reply: nil)], "the peer's Close is the answer and is not answered")
        #expect(session.state == APUS_STATE_CLOSED)
    }

    @Test(arguments: bothRoles) func `OPEN to CLOSED: the peer closes, and the answer is at hand`(role: apus_role) {
        let session = session(role, in: APUS_STATE_OPEN)
        session.receive(wire([.close(4000)], to: role))
        #expect(session.events == [.close(4000, reply: .close(4000))])
        #expect(session.state == APUS_STATE_CLOSED)
    }

    @Test(arguments: bothRoles, [APUS_STATE_OPEN, APUS_STATE_CLOSING])
    func `a failure closes, and is told to the peer unless a Close was sent`(role: apus_role, state: apus_state) {
        let isOpen = state == APUS_STATE_OPEN
        let failures: [(Frame, apus_error, UInt16)] = [
            (.continuation("a", fin: true), APUS_EPROTO, 1002), (.text([0xff]), APUS_EUTF8, 1007),
            (.close(1006), APUS_EPROTO, 1002), (.close(1000, [0xff]), APUS_EUTF8, 1007),
        ]
        for (frame, error, code) in failures {
            let session = session(role, in: state)
            session.receive(wire([frame, .text("never")], to: role))
            #expect(session.events == [.fail(error, reply: isOpen ? .close(code) : nil)])
            #expect(session.state == APUS_STATE_CLOSED)
        }
    }

    #if DEBUG
        @Test func `another move is a bug of the caller, and stops a debug build`() async {
            await #expect(processExitsWith: .failure) { session(APUS_ROLE_SERVER, in: APUS_STATE_OPEN).open() }
            await #expect(processExitsWith: .failure) { session(APUS_ROLE_SERVER, in: APUS_STATE_CLOSING).open() }
            await #expect(processExitsWith: .failure) { session(APUS_ROLE_SERVER, in: APUS_STATE_CLOSED).open() }
        }
    #endif

    // MARK: What may be sent, and when

    @Test(arguments: bothRoles, [APUS_STATE_CONNECTING, APUS_STATE_CLOSING, APUS_STATE_CLOSED])
    func `only an open session closes, pings and pongs`(role: apus_role, state: apus_state) {
        let session = session(role, in: state)
        let closed: Result<Frame?, CoreError> = .failure(CoreError(code: APUS_ECLOSED))
        #expect(session.close(1000) == closed)
        #expect(session.close(1006) == closed, "told before what is wrong with the code")
        #expect(session.control(APUS_OPCODE_PING) == closed)
        #expect(session.control(APUS_OPCODE_PONG, [1]) == closed)
        #expect(session.control(APUS_OPCODE_TEXT) == closed)
        #expect(session.state == state)
    }

    @Test(arguments: bothRoles) func `after the peer's Close nothing may be sent`(role: apus_role) {
        let session = session(role, in: APUS_STATE_OPEN)
        session.receive(wire([.close()], to: role))
        #expect(session.close(1000) == .failure(CoreError(code: APUS_ECLOSED)))
        #expect(session.control(APUS_OPCODE_PING) == .failure(CoreError(code: APUS_ECLOSED)))
    }

    // MARK: CLOSING (§5.5.1)

    /// The events of frames that come after this end has sent its Close, cut at every position.
    private func eventsWhileClosing(_ frames: [Frame], _ role: apus_role) -> [SessionEvent] {
        let input = wire(frames, to: role)
        let whole = session(role, in: APUS_STATE_CLOSING)
        whole.receive(input)
        for cut in input.indices {
            let session = session(role, in: APUS_STATE_CLOSING)
            session.receive(input[..<cut])
            session.receive(input[cut...])
            #expect(session.events == whole.events && session.state == whole.state, "cut at \(cut)")
        }
        let bytewise = session(role, in: APUS_STATE_CLOSING)
        input.forEach { bytewise.receive([$0]) }
        #expect(bytewise.events == whole.events && bytewise.state == whole.state)
        return whole.events
    }

    @Test(arguments: bothRoles) func `while CLOSING, messages are dropped and pings not answered`(role: apus_role) {
        let frames: [Frame] = [
            .text("a"), .binary([UInt8](repeating: 1, count: 200)), .ping([1]), .text("b", fin: false), .ping(),
            .pong([2]), .continuation("c", fin: true), .text(""), .close(1001, bytes("done")), .text("d"),
        ]
        #expect(eventsWhileClosing(frames, role) == [.pong([2]), .close(1001, bytes("done"), reply: nil)])
    }

    @Test(arguments: bothRoles) func `while CLOSING, what breaks the rules is not let pass`(role: apus_role) {
        #expect(eventsWhileClosing([.text("a"), .text([0xff])], role) == [.fail(APUS_EUTF8, reply: nil)])
        #expect(
            eventsWhileClosing([.text([0xc3], fin: false), .continuation([], fin: true)], role)
                == [.fail(APUS_EUTF8, reply: nil)])
        #expect(eventsWhileClosing([.continuation("a", fin: true)], role) == [.fail(APUS_EPROTO, reply: nil)])
        #expect(
            eventsWhileClosing([Frame(opcode: apus_opcode(rawValue: 7))], role) == [.fail(APUS_EPROTO, reply: nil)])
    }

    @Test(arguments: bothRoles) func `this end may close anywhere in what comes`(role: apus_role) {
        let frames: [Frame] = [
            .text("a"), .ping([1]), .text("b", fin: false), .pong([2]), .continuation("c", fin: true), .close(1001),
        ]
        let before: [SessionEvent] = [.text("a"), .answered([1]), .pong([2]), .text("bc")]
        let ends = (1...frames.count).map { wire(Array(frames.prefix($0)), to: role).count }
        let input = wire(frames, to: role)
        for cut in 0..<input.count {
            let session = session(role, in: APUS_STATE_OPEN)
            session.receive(input[..<cut])
            #expect(session.close(3000) == .success(.close(3000)))
            session.receive(input[cut...])
            // Whatever is whole before the cut was told; of the rest only the pong, the fourth frame, and the close.
            let told = [0, 1, 3, 4].map { ends[$0] <= cut || $0 == 3 }
            let expected = zip(before, told).filter(\.1).map(\.0) + [.close(1001, reply: nil)]
            #expect(session.events == expected, "closed after \(cut) bytes")
            #expect(session.state == APUS_STATE_CLOSED)
        }
    }

    // MARK: CLOSED

    @Test(arguments: bothRoles, [0, 1, 2, 3]) func `when the session is CLOSED, bytes are taken without effect`(
        role: apus_role, way: Int
    ) {
        let session = session(role, in: way == 0 ? APUS_STATE_CLOSED : APUS_STATE_OPEN)
        let start: [Frame] = [[], [.close()], [.text([0xff])], [.text("a", fin: false), .ping([1])]][way]
        let input = wire(start, to: role)
        session.receive(way == 3 ? input.dropLast() : input[...])  // the last one ends inside a ping
        session.end()
        let count = session.events.count
        session.receive(wire([.text("a"), .ping(), .close(1000)], to: role) + [0xff, 0xff])
        session.receive([])
        #expect(session.events.count == count)
        #expect(session.state == APUS_STATE_CLOSED)
    }
}
