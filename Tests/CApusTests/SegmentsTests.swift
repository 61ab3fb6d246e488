import CApus
import CApusCore
import CApusInternals
import TestSupport
import Testing

struct SegmentsTests {
    /// A list beside an array of what it should hold. Segments are told apart by their length.
    private final class List {
        let pointer = UnsafeMutablePointer<apus_segments>.allocate(capacity: 1)
        private(set) var expected: [UInt32] = []
        private var last: UInt32 = 0
        /// How many stand together in front of all others, and were inserted or are the first one.
        private(set) var front: UInt32 = 0

        init() { apus__segments_init(pointer) }

        deinit {
            apus__segments_reset(pointer)
            pointer.deallocate()
        }

        private func make() -> apus_segment {
            last += 1
            return apus_segment(buffer: nil, data: nil, len: last, flags: 0)
        }

        func push() -> Bool {
            guard apus__segments_make_room(pointer) == APUS_OK.rawValue else { return false }
            pointer.pointee.end.pointee = make()
            pointer.pointee.end += 1
            expected.append(last)
            return true
        }

        func pass() {
            apus__segments_pass(pointer)
            expected.removeFirst()
            if front > 0 { front -= 1 }
            if expected.isEmpty { apus__segments_reset(pointer) }
        }

        /// The first segment has begun to leave, if there is none in front of it.
        func begin() { if front == 0 { front = 1 } }

        func insert() -> Bool {
            guard apus__segments_insert(pointer, front, make()) == APUS_OK.rawValue else { return false }
            expected.insert(last, at: Int(front))
            front += 1
            return true
        }

        func keepFirst() {
            apus__segments_keep_first(pointer)
            expected = [expected[0]]
            front = min(front, 1)
        }

        func check(sourceLocation: SourceLocation = #_sourceLocation) {
            var found: [UInt32] = []
            var blocks: Set<UnsafeMutablePointer<apus_segment_block>> = []
            var place = apus__segments_begin(pointer)
            if let block = place.block { blocks.insert(block) }
            while place.segment != pointer.pointee.end {
                found.append(place.segment.pointee.len)
                apus__segments_step(&place)
                if let block = place.block { blocks.insert(block) }
            }
            #expect(found == expected, sourceLocation: sourceLocation)
            #expect(apus__segments_is_empty(pointer) == expected.isEmpty, sourceLocation: sourceLocation)
            if let end = apus__segments_last(pointer) {
                #expect(end.pointee.len == expected.last, sourceLocation: sourceLocation)
            } else {
                #expect(pointer.pointee.end == pointer.pointee.limit || expected.isEmpty || blocks.count > 1)
            }
            let sizes = blocks.map {
                MemoryLayout<apus_segment_block>.size + Int($0.pointee.capacity) * MemoryLayout<apus_segment>.stride
            }
            #expect(pointer.pointee.allocated == sizes.reduce(0, +), sourceLocation: sourceLocation)
            #expect(sizes.allSatisfy { $0 <= 4096 }, sourceLocation: sourceLocation)
        }
    }

    @Test func `a few stand in the list itself, more in blocks, and none once all have gone`() {
        let list = List()
        for count in [1, 2, 3, 16, 17, 18, 48, 49, 1000] {
            for _ in 0..<count { #expect(list.push()) }
            list.check()
            #expect((list.pointer.pointee.head == nil) == (count <= 2))
            for _ in 0..<count { list.pass() }
            list.check()
            #expect(list.pointer.pointee.head == nil)
            #expect(list.pointer.pointee.allocated == 0)
        }
    }

    @Test func `what stands in blocks is not moved, however many follow`() {
        let list = List()
        for _ in 0..<3 { #expect(list.push()) }
        let first = list.pointer.pointee.first
        for _ in 0..<10_000 { #expect(list.push()) }
        #expect(list.pointer.pointee.first == first)
        list.check()
    }

    @Test(arguments: [2, 3, 8, 16])
    func `a list that is emptied as fast as it is filled stays where it is`(length: Int) {
        let list = List()
        for _ in 0..<length { #expect(list.push()) }
        for _ in 0..<100 {
            for _ in 0..<(length + 1) / 2 { list.pass() }
            for _ in 0..<(length + 1) / 2 { #expect(list.push()) }
            list.check()
        }
        let most = MemoryLayout<apus_segment_block>.size + 16 * MemoryLayout<apus_segment>.stride
        #expect(list.pointer.pointee.allocated == (length == 2 ? 0 : most))
    }

    @Test(arguments: [0, 1, 2, 3, 15, 16, 17, 100, 300], [false, true])
    func `segments are put before all others, behind the first where it has begun`(count: Int, hasBegun: Bool) {
        let list = List()
        for _ in 0..<count { #expect(list.push()) }
        if hasBegun && count > 0 { list.begin() }
        for _ in 0..<64 {
            #expect(list.insert())
            list.check()
        }
        for _ in 0..<50 { list.pass() }
        for _ in 0..<50 { #expect(list.insert()) }
        list.check()
        for _ in 0..<count { #expect(list.push()) }
        list.check()
        while !list.expected.isEmpty {
            list.pass()
            list.check()
        }
        #expect(list.pointer.pointee.allocated == 0)
    }

    @Test(arguments: [1, 2, 3, 16, 17, 300])
    func `all but the first may be taken away`(count: Int) {
        let list = List()
        for _ in 0..<count { #expect(list.push()) }
        list.keepFirst()
        list.check()
        for _ in 0..<40 { #expect(list.push()) }
        list.check()
        list.begin()
        for _ in 0..<40 { #expect(list.insert()) }
        list.check()
    }

    @Test(arguments: [0, 1, 2, 16, 48, 300])
    func `without memory nothing is changed`(count: Int) {
        let list = List()
        for _ in 0..<count { #expect(list.push()) }
        var refusals = (pushed: 0, inserted: 0)
        for _ in 0..<200 {
            apus_alloc_fail(1)
            let isPushed = list.push()
            apus_alloc_fail(0)
            list.check()
            if !isPushed {
                refusals.pushed += 1
                #expect(list.push())
            }
            if list.front < 64 {
                apus_alloc_fail(1)
                let isInserted = list.insert()
                apus_alloc_fail(0)
                list.check()
                if !isInserted {
                    refusals.inserted += 1
                    #expect(list.insert())
                }
            }
        }
        #expect(refusals.pushed > 0)
        #expect(count < 48 || refusals.inserted > 0)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `whatever is put, inserted and taken away, the order is kept`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let list = List()
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: for _ in 0..<Int.random(in: 1...60, using: &random) { #expect(list.push()) }
            case 4..<6: if list.front < 64 { #expect(list.insert()) }
            case 6: if !list.expected.isEmpty { list.begin() }
            case 7..<9:
                for _ in 0..<min(list.expected.count, Int.random(in: 1...90, using: &random)) { list.pass() }
            default: if list.front > 0, Bool.random(using: &random) { list.keepFirst() }
            }
            list.check()
        }
    }
}
