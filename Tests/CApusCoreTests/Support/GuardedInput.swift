/// Bytes laid right against a page that cannot be touched, so that a look beyond them ends the test.
final class GuardedInput {
    /// Which end of the bytes lies against the page.
    enum Edge { case start, end }

    let bytes: UnsafePointer<UInt8>
    let count: Int
    private let buffer: GuardedBuffer

    init(_ input: some Collection<UInt8>, against edge: Edge = .end) {
        buffer = GuardedBuffer(minimumCapacity: input.count)
        count = input.count
        let start = edge == .start ? buffer.start : buffer.end - input.count
        for (index, byte) in input.enumerated() {
            start[index] = byte
        }
        bytes = UnsafePointer(start)
    }

    /// The same bytes as C's text.
    var characters: UnsafePointer<CChar> {
        UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self)
    }
}
