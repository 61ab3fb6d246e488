import CApus
import CApusCore
import CApusInternals
import Testing

/// An outbox, and beside it the bytes that it should hold.
final class Outbox {
    let pointer: UnsafeMutablePointer<apus_outbox>
    /// What should be queued, in order.
    var expected: [UInt8] = []
    /// What should be held back.
    var held: [UInt8] = []
    private var next: UInt8 = 0

    init() {
        pointer = .allocate(capacity: 1)
        apus__outbox_init(pointer)
    }

    deinit {
        apus__outbox_clear(pointer)
        #expect(charge == 0)
        pointer.deallocate()
    }

    /// Bytes like no others near them.
    private func makeBytes(_ count: Int) -> [UInt8] {
        next = next &* 5 &+ 1
        return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) &+ next }
    }

    func copy(_ count: Int, header: Int = 0) {
        let all = makeBytes(header + count)
        let payload = Array(all.dropFirst(header))
        #expect(apus__outbox_copy(pointer, all, header, payload, count) == 0)
        expected += all
    }

    /// Queues a shared buffer; the caller's reference is given up.
    func share(_ count: Int) {
        let buffer = makeBuffer(makeBytes(count))
        share(buffer)
        apus_buffer_release(buffer)
    }

    func share(_ buffer: UnsafeMutablePointer<apus_buffer>) { share(buffer, 0..<buffer.pointee.len, isLast: true) }

    func share(_ buffer: UnsafeMutablePointer<apus_buffer>, _ range: Range<Int>, isLast: Bool) {
        let start = bytes(of: buffer) + range.lowerBound
        #expect(apus__outbox_share(pointer, buffer, start, range.count, isLast) == 0)
        expected += UnsafeRawBufferPointer(start: start, count: range.count)
    }

    /// Queues a control frame, which should come behind so many bytes.
    func control(_ frame: [UInt8], at place: Int, flags: UInt32 = 0) {
        #expect(apus__outbox_control(pointer, frame, frame.count, flags) == 0)
        expected.insert(contentsOf: frame, at: place)
    }

    func hold(copying count: Int) {
        let bytes = makeBytes(count)
        apus__outbox_claim(pointer, count, true)?.update(from: bytes, count: count)
        held += bytes
    }

    func hold(sharing count: Int) {
        let contents = makeBytes(count)
        let buffer = makeBuffer(contents)
        #expect(apus__outbox_hold(pointer, buffer, bytes(of: buffer), count, true) == 0)
        apus_buffer_release(buffer)
        held += contents
    }

    func release() {
        #expect(apus__outbox_release(pointer) == 0)
        expected += held
        held = []
    }

    func advance(_ count: Int) {
        apus__outbox_advance(pointer, count)
        expected.removeFirst(count)
    }

    /// Sends bytes that nobody took note of.
    func advanceUnchecked(_ count: Int) { apus__outbox_advance(pointer, count) }

    /// Takes note of bytes that were queued directly.
    func adopt(_ bytes: [UInt8]) { expected += bytes }

    /// What the first `most` pieces are, or all.
    func peek(_ most: Int? = nil) -> [[UInt8]] {
        let most = most ?? count
        var pieces = [iovec](repeating: iovec(), count: most)
        let count = apus__outbox_peek(pointer, &pieces, Int32(most))
        return pieces.prefix(Int(count)).map { Array(UnsafeRawBufferPointer(start: $0.iov_base, count: $0.iov_len)) }
    }

    var count: Int { Self.segments(of: &pointer.pointee.segments).count }

    private static func segments(of list: UnsafePointer<apus_segments>) -> [apus_segment] {
        var segments: [apus_segment] = []
        var place = apus__segments_begin(list)
        while place.segment != list.pointee.end {
            segments.append(place.segment.pointee)
            apus__segments_step(&place)
        }
        return segments
    }

    var charge: Int { pointer.pointee.charge }

    /// The bytes of the lists' blocks.
    var arrayMemory: Int {
        var sum = pointer.pointee.segments.allocated
        if let held = pointer.pointee.held { sum += held.pointee.segments.allocated + MemoryLayout<apus_held>.size }
        return sum
    }

    /// The bytes that are allocated for it alone: its chunks, each once, its control frames, and its arrays.
    var ownMemory: Int {
        var buffers: [UnsafeMutablePointer<apus_buffer>: Int] = [:]
        func add(_ list: UnsafePointer<apus_segments>) {
            for segment in Self.segments(of: list) {
                let isOwn = segment.flags & (APUS_SEGMENT_OWN.rawValue | APUS_SEGMENT_CONTROL.rawValue) != 0
                if isOwn { buffers[segment.buffer] = MemoryLayout<apus_buffer>.size + segment.buffer.pointee.len }
            }
        }
        add(&pointer.pointee.segments)
        if let held = pointer.pointee.held { add(&held.pointee.segments) }
        return buffers.values.reduce(arrayMemory, +)
    }

    /// Whether it holds what it should.
    func check(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(pointer.pointee.bytes == expected.count, sourceLocation: sourceLocation)
        #expect(apus__outbox_held(pointer) == held.count, sourceLocation: sourceLocation)
        let queued = peek().reduce(into: []) { $0 += $1 }
        #expect(queued == expected, sourceLocation: sourceLocation)
        if expected.isEmpty { #expect(pointer.pointee.segments.allocated == 0, sourceLocation: sourceLocation) }
        if expected.isEmpty && held.isEmpty { #expect(pointer.pointee.chunk == nil, sourceLocation: sourceLocation) }
    }
}

func bytes(of buffer: UnsafeMutablePointer<apus_buffer>) -> UnsafeMutablePointer<UInt8> {
    (UnsafeMutableRawPointer(buffer) + MemoryLayout<apus_buffer>.size).assumingMemoryBound(to: UInt8.self)
}

func makeBuffer(_ contents: [UInt8]) -> UnsafeMutablePointer<apus_buffer> {
    guard let buffer = apus_buffer_new(contents.count) else { fatalError("no memory for a test") }
    bytes(of: buffer).update(from: contents, count: contents.count)
    return buffer
}
