import CApus
import CApusCore
import CApusInternals
import TestSupport
import Testing

/// A queue of what is to be sent, and beside it the bytes that it should hold.
private final class Outbound {
    let pointer: UnsafeMutablePointer<apus_outbound>
    fileprivate(set) var expected: [UInt8] = []
    private var next: UInt8 = 0

    init() {
        pointer = .allocate(capacity: 1)
        apus__outbound_init(pointer)
    }

    deinit {
        apus__outbound_clear(pointer)
        pointer.deallocate()
    }

    /// Bytes like no others near them.
    private func makeBytes(_ count: Int) -> [UInt8] {
        next = next &* 5 &+ 1
        return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) &+ next }
    }

    func copy(_ count: Int) {
        let bytes = makeBytes(count)
        #expect(apus__outbound_copy(pointer, bytes, count) == 0)
        expected += bytes
    }

    /// Queues a shared buffer; the caller's reference is given up.
    func share(_ count: Int) {
        let buffer = makeBuffer(makeBytes(count))
        share(buffer)
        apus_buffer_release(buffer)
    }

    func share(_ buffer: UnsafeMutablePointer<apus_buffer>) {
        #expect(apus__outbound_share(pointer, buffer) == 0)
        expected += UnsafeRawBufferPointer(start: bytes(of: buffer), count: buffer.pointee.len)
    }

    func move(_ count: Int, to other: Outbound) {
        #expect(apus__outbound_move(pointer, other.pointer, count) == 0)
        other.expected += expected.prefix(count)
        expected.removeFirst(min(count, expected.count))
    }

    /// The first bytes, as many of them as there are.
    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        apus__outbound_read(pointer, &bytes, count)
        return Array(bytes.prefix(min(count, expected.count)))
    }

    func advance(_ count: Int) {
        apus__outbound_advance(pointer, count)
        expected.removeFirst(count)
    }

    /// What the first `most` pieces are, or all.
    func peek(_ most: Int? = nil) -> [[UInt8]] {
        let most = most ?? count
        var pieces = [iovec](repeating: iovec(), count: most)
        let count = apus__outbound_peek(pointer, &pieces, Int32(most))
        return pieces.prefix(Int(count)).map { Array(UnsafeRawBufferPointer(start: $0.iov_base, count: $0.iov_len)) }
    }

    var count: Int { Int(pointer.pointee.end - pointer.pointee.first) }

    var isAllocated: Bool { pointer.pointee.capacity != UInt32(APUS_OUTBOUND_INLINE) }

    /// Whether it holds what it should.
    func check(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(pointer.pointee.bytes == expected.count, sourceLocation: sourceLocation)
        let queued = peek().reduce(into: []) { $0 += $1 }
        #expect(queued == expected, sourceLocation: sourceLocation)
        if expected.isEmpty { #expect(!isAllocated, sourceLocation: sourceLocation) }
    }
}

private func bytes(of buffer: UnsafeMutablePointer<apus_buffer>) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(buffer) + MemoryLayout<apus_buffer>.size
}

private func makeBuffer(_ contents: [UInt8]) -> UnsafeMutablePointer<apus_buffer> {
    guard let buffer = apus_buffer_new(contents.count) else { fatalError("no memory for a test") }
    bytes(of: buffer).copyMemory(from: contents, byteCount: contents.count)
    return buffer
}

struct OutboundTests {
    @Test func `an empty queue has nothing to send and owns nothing`() {
        let outbound = Outbound()
        #expect(outbound.peek().isEmpty)
        outbound.copy(0)
        outbound.check()
        #expect(outbound.count == 0)
    }

    @Test func `small pieces are gathered in one chunk, until it is full`() {
        let outbound = Outbound()
        for _ in 0..<40 { outbound.copy(100) }
        #expect(outbound.count == 1)
        outbound.check()
        outbound.copy(100)
        #expect(outbound.count == 2)
        outbound.check()
        outbound.copy(100_000)
        #expect(outbound.count == 3)
        outbound.check()
    }

    @Test func `a chunk is filled up behind what was sent of it`() {
        let outbound = Outbound()
        outbound.copy(1000)
        outbound.advance(999)
        outbound.copy(2000)
        #expect(outbound.count == 1)
        outbound.check()
        outbound.copy(2000)
        #expect(outbound.count == 2)
        outbound.check()
    }

    @Test func `nothing is written into a shared buffer`() {
        let outbound = Outbound()
        let buffer = makeBuffer([1, 2, 3])
        outbound.copy(10)
        outbound.share(buffer)
        outbound.copy(10)
        outbound.share(buffer)
        #expect(outbound.count == 4)
        #expect(buffer.pointee.references == 3)
        outbound.check()
        outbound.advance(13)
        #expect(buffer.pointee.references == 2)
        outbound.check()
        apus__outbound_clear(outbound.pointer)
        #expect(buffer.pointee.references == 1)
        #expect(Array(UnsafeRawBufferPointer(start: bytes(of: buffer), count: 3)) == [1, 2, 3])
        apus_buffer_release(buffer)
    }

    /// The pieces' ends, and every byte between them.
    @Test func `a queue may be sent up to any byte`() {
        func fill(_ outbound: Outbound) {
            for count in [3, 1, 20, 7] {
                outbound.copy(count)
                outbound.share(count + 1)
            }
        }
        let all = Outbound()
        fill(all)
        for cut in 0...all.expected.count {
            let outbound = Outbound()
            fill(outbound)
            outbound.advance(cut)
            outbound.check()
            outbound.copy(5)
            outbound.share(6)
            outbound.check()
            outbound.advance(outbound.expected.count)
            outbound.check()
            #expect(outbound.count == 0)
        }
    }

    @Test func `it shows no more pieces than asked for`() {
        let outbound = Outbound()
        for count in 1...10 { outbound.share(count) }
        for most in 0...12 { #expect(outbound.peek(most).map(\.count) == Array((1...10).prefix(most))) }
    }

    @Test func `after it was emptied it starts anew`() {
        let outbound = Outbound()
        for count in [1, 3, 100] {
            for _ in 0..<count { outbound.share(10) }
            outbound.check()
            outbound.advance(10 * count)
            outbound.check()
            #expect(outbound.pointer.pointee.first == 0)
        }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `whatever is queued and sent, the bytes keep their order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let outbound = Outbound()
        for _ in 0..<500 {
            switch outbound.expected.count > 10_000 ? 9 : Int.random(in: 0..<10, using: &random) {
            case 0..<3: outbound.copy(Int.random(in: 0..<300, using: &random))
            case 3: outbound.copy(Int.random(in: 4000..<4100, using: &random))
            case 4..<7: outbound.share(Int.random(in: 1..<300, using: &random))
            default:
                let most = Bool.random(using: &random) ? 500 : outbound.expected.count
                outbound.advance(Int.random(in: 0...min(most, outbound.expected.count), using: &random))
            }
            outbound.check()
        }
    }

    @Test func `without memory a share changes nothing`() {
        let outbound = Outbound()
        let buffer = makeBuffer([1, 2])
        for _ in 0..<10 {
            outbound.share(buffer)
            apus_alloc_fail(1)
            let error = apus__outbound_share(outbound.pointer, buffer)
            apus_alloc_fail(0)
            if error == 0 {
                apus__outbound_advance(outbound.pointer, 0)
                outbound.adopt([1, 2])
            } else {
                #expect(error == APUS_ENOMEM.rawValue)
            }
            outbound.check()
        }
        outbound.advance(outbound.expected.count)
        #expect(buffer.pointee.references == 1)
        apus_buffer_release(buffer)
    }

    @Test func `without memory a copy queues nothing, or what the chunk has room for`() {
        for queued in 0...9 {
            for nth in 1...3 as ClosedRange<UInt32> {
                let outbound = Outbound()
                for _ in 0..<queued { outbound.share(10) }
                outbound.copy(4000)
                let more = [UInt8](repeating: 7, count: 1000)
                apus_alloc_fail(nth)
                let error = apus__outbound_copy(outbound.pointer, more, more.count)
                apus_alloc_fail(0)
                if error != 0 { #expect(error == APUS_ENOMEM.rawValue) }
                let added = outbound.pointer.pointee.bytes - outbound.expected.count
                #expect(error == 0 ? added == 1000 : added < 1000)
                outbound.adopt([UInt8](repeating: 7, count: added))
                outbound.check()
            }
        }
    }
}

extension Outbound {
    /// Takes note of bytes that were queued directly.
    func adopt(_ bytes: [UInt8]) { expected += bytes }

    @Test func `any number of bytes moves to another queue, in place`() {
        for count in 0...75 {
            let from = Outbound()
            let to = Outbound()
            to.copy(5)
            for count in [3, 1, 20, 7] {
                from.copy(count)
                from.share(count + 1)
            }
            from.move(count, to: to)
            from.check()
            to.check()
            from.copy(9)
            to.copy(9)
            from.check()
            to.check()
        }
    }

    @Test func `the first bytes can be read over the pieces' ends`() {
        let outbound = Outbound()
        outbound.share(3)
        outbound.copy(1)
        outbound.share(9)
        for count in 0...20 { #expect(outbound.read(count) == Array(outbound.expected.prefix(count))) }
        outbound.advance(2)
        #expect(outbound.read(14) == outbound.expected)
    }
}
