import CApusCore
import Testing

struct CopyTests {
    @Test func `as many bytes are copied as were asked for, and no others`() {
        for count in 0...Int(APUS_COPY_SMALL) {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
            for edge in [GuardedInput.Edge.start, .end] {
                let source = GuardedInput(bytes, against: edge)
                var target = [UInt8](repeating: 0xee, count: count + 16)
                target.withUnsafeMutableBufferPointer { target in
                    guard let start = target.baseAddress else { return }
                    apus_copy_small(start + 8, source.bytes, count)
                }
                let margin = [UInt8](repeating: 0xee, count: 8)
                #expect(target == margin + bytes + margin)
            }
        }
    }
}
