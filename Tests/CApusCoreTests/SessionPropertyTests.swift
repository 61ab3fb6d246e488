import CApusCore
import TestSupport
import Testing

/// Random traffic with a session and with the plain reference.
///
/// To a server, what stands whole in a read goes the short way for small messages, and what is cut the general one.
@Suite(.computing) struct SessionPropertyTests {
    private static let limits: [apus_message_limits] = [
        .roomy, .init(size: 0, fragments: 1), .init(size: 5, fragments: 2), .init(size: 124, fragments: 1000),
        .init(size: 125, fragments: 1000), .init(size: 126, fragments: 3), .init(size: .max, fragments: .max),
    ]

    /// How the bytes of some frames arrive.
    private enum Arrival: CaseIterable { case whole, frames, bytewise, pieces }

    /// One run: traffic, and the frame before which this end starts the closing handshake, if it does.
    private struct Run {
        let role: apus_role
        let limits: apus_message_limits
        let frames: [Frame]
        let closing: Int?
        var generator: FrameGenerator

        init(seed: UInt64) {
            generator = FrameGenerator(seed: seed)
            role = generator.pick(bothRoles)
            limits = generator.once(in: 2) ? .roomy : generator.pick(SessionPropertyTests.limits)
            frames = generator.frames()
            closing = generator.once(in: 5) ? generator.number(0...frames.count) : nil
        }

        var expected: SessionOutcome {
            var reference = ReferenceSession(role, limits: limits)
            for (index, frame) in frames.enumerated() {
                if index == closing {
                    reference.close()
                }
                reference.receive(frame)
            }
            if closing == frames.count {
                reference.close()
            }
            return SessionOutcome(events: reference.events, state: reference.state)
        }

        mutating func outcome(_ arrival: Arrival, buffer: GuardedBuffer) -> SessionOutcome {
            let session = SessionUnderTest(role, limits: limits, buffer: buffer)
            let border = closing ?? frames.count
            feed(frames[..<border], to: session, arrival)
            if closing != nil {
                let isOpen = session.isOpen
                let closed = session.close(1000)
                #expect(closed == (isOpen ? .success(.close(1000)) : .failure(CoreError(code: APUS_ECLOSED))))
            }
            feed(frames[border...], to: session, arrival)
            return SessionOutcome(events: session.events, state: session.state)
        }

        private mutating func feed(_ frames: ArraySlice<Frame>, to session: SessionUnderTest, _ arrival: Arrival) {
            let input = wire(Array(frames), to: role)
            var start = 0
            for end in ends(of: input, frames, arrival) {
                session.receive(input[start..<end])
                start = end
            }
        }

        /// Where the reads end.
        private mutating func ends(of input: [UInt8], _ frames: ArraySlice<Frame>, _ arrival: Arrival) -> [Int] {
            switch arrival {
            case .whole: return [input.count]
            case .bytewise: return Array(input.indices.dropFirst().prefix(5000)) + [input.count]
            case .pieces: return generator.cuts(input.count) + [input.count]
            case .frames:
                var end = 0
                return frames.map {
                    end += wire([$0], to: role).count
                    return end
                }
            }
        }
    }

    @Test(arguments: 0..<8) func `random traffic brings what the reference says, however it arrives`(part: UInt64) {
        let buffer = GuardedBuffer(minimumCapacity: 1 << 20)
        for seed in (part * 125)..<(part * 125 + 125) {
            var run = Run(seed: seed)
            let expected = run.expected
            for arrival in Arrival.allCases {
                let isExpected = run.outcome(arrival, buffer: buffer) == expected
                #expect(isExpected, "seed \(seed), \(arrival)")
            }
        }
    }

    @Test func `the traffic has all that a session can tell`() {
        var kinds: Set<String> = []
        for seed in 0..<1000 as Range<UInt64> {
            for event in Run(seed: seed).expected.events {
                switch event {
                case .message(let opcode, _): kinds.insert(opcode.testDescription)
                case .part: kinds.insert("part")  // of nobody who has not asked for it
                case .ping: kinds.insert("ping")
                case .pong: kinds.insert("pong")
                case .close(_, _, let reply): kinds.insert(reply == nil ? "close, no reply" : "close")
                case .fail(let error, let reply):
                    kinds.insert(String(cString: apus_error_name(error.rawValue)) + (reply == nil ? ", no reply" : ""))
                }
            }
        }
        #expect(
            kinds == [
                "text", "binary", "ping", "pong", "close", "close, no reply", "EPROTO", "EPROTO, no reply", "EUTF8",
                "EUTF8, no reply", "ETOOBIG", "ETOOBIG, no reply", "EFRAGMENTS", "EFRAGMENTS, no reply",
            ])
    }
}
