import CApus
import CApusCore
import CApusInternals
import TestSupport
import Testing

@Suite(.computing) struct OutboxTests {
    @Test func `an empty outbox has nothing to send and owns nothing`() {
        let outbox = Outbox()
        #expect(outbox.peek().isEmpty)
        outbox.copy(0)
        outbox.check()
        #expect(outbox.count == 0)
        #expect(outbox.charge == 0)
    }

    @Test func `small frames are gathered in chunks, and a segment of them stays small`() {
        let outbox = Outbox()
        for _ in 0..<4 { outbox.copy(100) }
        #expect(outbox.count == 1)
        for _ in 0..<2000 { outbox.copy(100) }
        outbox.check()
        #expect(outbox.count < 2004 / 100)
        #expect(outbox.peek().allSatisfy { $0.count <= 16 << 10 })
    }

    @Test func `a header and its payload stay together`() {
        for header in [0, 2, 10] {
            for payload in [0, 1, 125, 4000, 5000, 200_000] where header + payload > 0 {
                let outbox = Outbox()
                outbox.copy(400)
                outbox.copy(payload, header: header)
                outbox.check()
                let last = outbox.peek().last ?? []
                #expect(last.count >= header + payload)
            }
        }
    }

    @Test func `a chunk is filled up behind what was sent of it`() {
        let outbox = Outbox()
        outbox.copy(100)
        outbox.advance(99)
        outbox.copy(200)
        #expect(outbox.count == 1)
        outbox.check()
    }

    @Test func `nothing is written into a shared buffer`() {
        let outbox = Outbox()
        let buffer = makeBuffer([1, 2, 3])
        outbox.copy(10)
        outbox.share(buffer)
        outbox.copy(10)
        outbox.share(buffer)
        #expect(outbox.count == 4)
        #expect(buffer.pointee.references == 3)
        outbox.check()
        outbox.advance(13)
        #expect(buffer.pointee.references == 2)
        outbox.check()
        apus__outbox_clear(outbox.pointer)
        #expect(buffer.pointee.references == 1)
        #expect(Array(UnsafeRawBufferPointer(start: bytes(of: buffer), count: 3)) == [1, 2, 3])
        apus_buffer_release(buffer)
    }

    /// Each broadcast used to end the chunk, so that the next byte took one of 4 KiB.
    @Test func `small frames between shared buffers take little memory, and all of it is charged`() {
        let buffer = makeBuffer([UInt8](repeating: 1, count: 10))
        let outbox = Outbox()
        for _ in 0..<10_000 {
            outbox.copy(3)
            outbox.share(buffer)
        }
        outbox.check()
        let real = outbox.ownMemory
        #expect(real < 20_000 * 24 * 2 + 2 * 10_000 * 3 + 64 << 10)
        #expect(outbox.charge >= real)
        #expect(outbox.charge == real + 10_000 * (16 + 10))
        outbox.advance(outbox.expected.count)
        outbox.check()
        #expect(outbox.charge == 0)
        #expect(buffer.pointee.references == 1)
        apus_buffer_release(buffer)
    }

    @Test func `a buffer is charged as a whole until its last byte has left`() {
        let outbox = Outbox()
        outbox.share(1000)
        #expect(outbox.charge == 1016)
        outbox.advance(999)
        #expect(outbox.charge == 1016)
        outbox.advance(1)
        #expect(outbox.charge == 0)
        outbox.copy(5000)
        #expect(outbox.charge == 5016)
        outbox.copy(1)
        #expect(outbox.charge == 5016 + 512)
        outbox.advance(5000)
        #expect(outbox.charge == 512)
        outbox.advance(1)
        #expect(outbox.charge == 0)
    }

    @Test func `a buffer that is queued in several segments is charged once`() {
        let buffer = makeBuffer(Array(0..<100))
        let outbox = Outbox()
        for part in 0..<4 { outbox.share(buffer, part * 25..<(part + 1) * 25, isLast: part == 3) }
        outbox.check()
        #expect(outbox.charge == 116 + outbox.arrayMemory)
        outbox.advance(99)
        #expect(outbox.charge == 116 + outbox.arrayMemory)
        outbox.advance(1)
        #expect(outbox.charge == 0)
        #expect(buffer.pointee.references == 1)
        apus_buffer_release(buffer)
    }

    /// The pieces' ends, and every byte between them.
    @Test func `an outbox may be sent up to any byte`() {
        func fill(_ outbox: Outbox) {
            for count in [3, 1, 20, 7] {
                outbox.copy(count)
                outbox.share(count + 1)
            }
        }
        let all = Outbox()
        fill(all)
        for cut in 0...all.expected.count {
            let outbox = Outbox()
            fill(outbox)
            outbox.advance(cut)
            outbox.check()
            outbox.copy(5)
            outbox.share(6)
            outbox.check()
            outbox.advance(outbox.expected.count)
            outbox.check()
            #expect(outbox.count == 0)
            #expect(outbox.charge == 0)
        }
    }

    @Test func `it shows no more pieces than asked for`() {
        let outbox = Outbox()
        for count in 1...10 { outbox.share(count) }
        for most in 0...12 { #expect(outbox.peek(most).map(\.count) == Array((1...10).prefix(most))) }
    }

    @Test func `once it is empty it begins again`() {
        let outbox = Outbox()
        for count in [1, 3, 100] {
            for _ in 0..<count { outbox.share(10) }
            outbox.check()
            outbox.advance(10 * count)
            outbox.check()
            #expect(outbox.pointer.pointee.segments.head == nil)
        }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `whatever is queued and sent, the bytes keep their order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let outbox = Outbox()
        for _ in 0..<500 {
            switch outbox.expected.count > 10_000 ? 9 : Int.random(in: 0..<10, using: &random) {
            case 0..<3: outbox.copy(Int.random(in: 0..<300, using: &random))
            case 3: outbox.copy(Int.random(in: 4000..<4100, using: &random))
            case 4..<7: outbox.share(Int.random(in: 1..<300, using: &random))
            default:
                let most = Bool.random(using: &random) ? 500 : outbox.expected.count
                outbox.advance(Int.random(in: 0...min(most, outbox.expected.count), using: &random))
            }
            outbox.check()
        }
    }

    @Test func `without memory a share changes nothing`() {
        let outbox = Outbox()
        let buffer = makeBuffer([1, 2])
        for _ in 0..<40 {
            let before = outbox.charge
            apus_alloc_fail(1)
            let error = apus__outbox_share(outbox.pointer, buffer, bytes(of: buffer), 2, true)
            apus_alloc_fail(0)
            if error == 0 {
                outbox.adopt([1, 2])
            } else {
                #expect(error == APUS_ENOMEM.rawValue)
                #expect(outbox.charge == before)
                outbox.share(buffer)
            }
            outbox.check()
        }
        outbox.advance(outbox.expected.count)
        #expect(buffer.pointee.references == 1)
        apus_buffer_release(buffer)
    }

    @Test(arguments: [3, 600, 5000]) func `without memory a copy, a claim or a control frame changes no byte`(size: Int)
    {
        for queued in 0...18 {
            for nth in 1...3 as ClosedRange<UInt32> {
                let outbox = Outbox()
                for _ in 0..<queued { outbox.share(10) }
                let more = [UInt8](repeating: 7, count: size)
                apus_alloc_fail(nth)
                if apus__outbox_copy(outbox.pointer, nil, 0, more, more.count) == 0 { outbox.adopt(more) }
                apus_alloc_fail(nth)
                if let place = apus__outbox_claim(outbox.pointer, more.count, true) {
                    place.update(from: more, count: more.count)
                    outbox.held += more
                }
                apus_alloc_fail(nth)
                if apus__outbox_control(outbox.pointer, more, 3, 0) == 0 {
                    outbox.expected = [7, 7, 7] + outbox.expected
                }
                apus_alloc_fail(0)
                outbox.check()
                apus__outbox_clear(outbox.pointer)
                #expect(outbox.charge == 0)
            }
        }
    }

    // Control frames.

    @Test func `a control frame goes before data that has not begun to leave`() {
        for begun in [0, 1, 9] {
            let outbox = Outbox()
            for _ in 0..<3 { outbox.share(10) }
            outbox.advance(begun)
            outbox.control([1, 1], at: begun == 0 ? 0 : 10 - begun)
            outbox.control([2, 2, 2], at: begun == 0 ? 2 : 12 - begun)
            outbox.check()
        }
    }

    @Test func `control frames keep their order, and none comes into another`() {
        let outbox = Outbox()
        for _ in 0..<3 { outbox.share(10) }
        outbox.control([1, 1, 1], at: 0)
        outbox.control([2, 2, 2], at: 3)
        outbox.advance(1)
        outbox.control([3, 3, 3], at: 5)
        outbox.check()
        outbox.advance(5)
        outbox.control([4, 4, 4], at: 3)
        outbox.check()
        outbox.advance(6)
        outbox.control([5, 5, 5], at: 0)
        outbox.check()
        outbox.advance(4)
        outbox.control([6, 6, 6], at: 9)
        outbox.check()
    }

    /// Wherever sending stops, a control frame comes between two segments, not into one.
    @Test func `a control frame never cuts what has begun`() {
        let sizes = [3, 40, 1, 5]
        for cut in 0..<49 {
            let outbox = Outbox()
            for size in sizes { outbox.share(size) }
            outbox.advance(cut)
            var end = 0
            for size in sizes where end < cut { end += size }
            outbox.control([9, 9], at: end - cut)
            outbox.check()
        }
    }

    @Test func `a Pong that waits is replaced by a later one, and a second Ping is not queued`() {
        let outbox = Outbox()
        outbox.share(10)
        outbox.advance(1)
        let charge = outbox.charge
        outbox.control([1, 2, 3], at: 9, flags: APUS_SEGMENT_PONG.rawValue)
        let withPong = outbox.charge
        for last in 0..<100 as Range<UInt8> {
            let pong = [UInt8](repeating: last, count: Int(last) + 2)
            #expect(apus__outbox_control(outbox.pointer, pong, pong.count, APUS_SEGMENT_PONG.rawValue) == 0)
        }
        #expect(outbox.charge == withPong)
        outbox.expected.replaceSubrange(9..., with: [UInt8](repeating: 99, count: 101))
        outbox.check()
        outbox.control([7], at: 9 + 101, flags: APUS_SEGMENT_PING.rawValue)
        #expect(apus__outbox_control(outbox.pointer, [8], 1, APUS_SEGMENT_PING.rawValue) == 0)
        outbox.check()
        outbox.advance(9 + 101)
        // The Pong has left, so the next one is queued.
        outbox.control([5], at: 1, flags: APUS_SEGMENT_PONG.rawValue)
        outbox.check()
        outbox.advance(2)
        #expect(outbox.charge == 0)
        #expect(charge > 0)
    }

    @Test func `a Pong that has begun to leave is not changed`() {
        let outbox = Outbox()
        outbox.share(10)
        outbox.control([1, 2, 3], at: 0, flags: APUS_SEGMENT_PONG.rawValue)
        outbox.advance(1)
        outbox.control([4, 5], at: 2, flags: APUS_SEGMENT_PONG.rawValue)
        outbox.check()
    }

    @Test func `only so many control frames wait`() {
        let outbox = Outbox()
        outbox.share(10)
        outbox.advance(1)
        var queued = 0
        while queued < 1000, apus__outbox_control(outbox.pointer, [1, 2], 2, 0) == 0 { queued += 1 }
        #expect(queued == 64)
        let before = outbox.charge
        #expect(apus__outbox_control(outbox.pointer, [1, 2], 2, 0) == APUS_EFULL.rawValue)
        #expect(outbox.charge == before)
        // One that waits is replaced nevertheless.
        outbox.advanceUnchecked(9 + 2)
        #expect(apus__outbox_control(outbox.pointer, [1, 2], 2, APUS_SEGMENT_PONG.rawValue) == 0)
        #expect(apus__outbox_control(outbox.pointer, [1, 3], 2, APUS_SEGMENT_PONG.rawValue) == 0)
        #expect(apus__outbox_control(outbox.pointer, [1, 2], 2, 0) == APUS_EFULL.rawValue)
    }

    // Held frames.

    @Test func `what is held follows what is queued until it is released`() {
        let outbox = Outbox()
        outbox.copy(5)
        outbox.hold(copying: 7)
        outbox.hold(sharing: 9)
        outbox.copy(3)
        outbox.check()
        #expect(apus__outbox_held(outbox.pointer) == 16)
        outbox.advance(4)
        outbox.release()
        outbox.copy(2)
        outbox.check()
        #expect(apus__outbox_held(outbox.pointer) == 0)
        outbox.advance(outbox.expected.count)
        #expect(outbox.charge == 0)
    }

    @Test func `what is held alone is charged, and goes when all is dropped`() {
        let outbox = Outbox()
        outbox.hold(copying: 5000)
        outbox.hold(sharing: 100)
        outbox.check()
        #expect(outbox.charge >= 5016 + 116)
        apus__outbox_drop_waiting(outbox.pointer)
        outbox.held = []
        outbox.check()
        #expect(outbox.charge == 0)
        outbox.release()
        outbox.check()
    }

    @Test func `all but what has begun can be dropped`() {
        for begun in [0, 1, 12] {
            let outbox = Outbox()
            for _ in 0..<30 { outbox.share(10) }
            outbox.hold(copying: 9)
            outbox.advance(begun)
            if begun == 1 { outbox.control([1], at: 9) }
            apus__outbox_drop_waiting(outbox.pointer)
            outbox.held = []
            outbox.expected = Array(outbox.expected.prefix(begun == 0 ? 0 : begun == 1 ? 9 : 8))
            outbox.check()
            outbox.copy(4)
            outbox.control([3], at: begun == 0 ? 0 : outbox.expected.count - 4)
            outbox.check()
            outbox.advance(outbox.expected.count)
            #expect(outbox.charge == 0)
        }
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `in any order of calls, bytes and charges are right`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let outbox = Outbox()
        for _ in 0..<2000 {
            switch outbox.expected.count > 20_000 ? 12 : Int.random(in: 0..<14, using: &random) {
            case 0..<3: outbox.copy(Int.random(in: 0..<300, using: &random))
            case 3: outbox.copy(Int.random(in: 4000..<5000, using: &random))
            case 4..<7: outbox.share(Int.random(in: 1..<300, using: &random))
            case 7: outbox.hold(copying: Int.random(in: 1..<200, using: &random))
            case 8: outbox.hold(sharing: Int.random(in: 1..<200, using: &random))
            case 9: outbox.release()
            default: outbox.advance(Int.random(in: 0...min(700, outbox.expected.count), using: &random))
            }
            outbox.check()
            #expect(outbox.charge >= outbox.ownMemory)
        }
        outbox.release()
        outbox.advance(outbox.expected.count)
        #expect(outbox.charge == 0)
    }
}
