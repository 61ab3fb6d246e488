import CApus
import CApusCore
import CApusInternals
import Testing

struct FragmentsTests {
    private static let window = 128 << 10  // APUS_BACKLOG_WINDOW

    /// A message of `len` bytes as it would be sent: opcode, RSV1, FIN and size of each frame.
    private func frames(of len: Int, rsv1: Bool, fin: Bool) -> [(apus_opcode, Bool, Bool, Int)] {
        let payload = [UInt8](repeating: 0, count: max(len, 1))
        return payload.withUnsafeBufferPointer { payload in
            var rest = apus__fragments(
                opcode: APUS_OPCODE_TEXT, rsv1: rsv1, fin: fin, data: payload.baseAddress, len: len)
            var frames: [(apus_opcode, Bool, Bool, Int)] = []
            repeat {
                let frame = apus__fragments_next(&rest)
                frames.append((frame.opcode, frame.rsv1, frame.fin, frame.len))
            } while rest.len != 0
            return frames
        }
    }

    @Test(arguments: [0, 1, window]) func `a message of at most a window is one frame`(len: Int) throws {
        let all = frames(of: len, rsv1: true, fin: true)
        let frame = try #require(all.first)
        #expect(all.count == 1)
        #expect(frame == (APUS_OPCODE_TEXT, true, true, len))
    }

    @Test(arguments: [window + 1, 3 * window, 3 * window + 5])
    func `only the first frame says what it is and that it is compressed, only the last that it is the last`(
        len: Int
    ) {
        let all = frames(of: len, rsv1: true, fin: true)
        #expect(all.count == (len + Self.window - 1) / Self.window)
        #expect(all.reduce(0) { $0 + $1.3 } == len)
        for (index, frame) in all.enumerated() {
            #expect(frame.0 == (index == 0 ? APUS_OPCODE_TEXT : APUS_OPCODE_CONTINUATION))
            #expect(frame.1 == (index == 0))
            #expect(frame.2 == (index == all.count - 1))
        }
    }

    @Test func `a part of a message that goes on has no last frame`() {
        #expect(frames(of: 2 * Self.window, rsv1: false, fin: false).allSatisfy { !$0.2 })
    }
}
