import CApusCore
import Testing

struct BytesTests {
    @Test func `bytes start empty and without memory`() {
        var out = apus_bytes(data: nil, len: 7, capacity: 7)
        apus_bytes_init(&out)
        #expect(out.data == nil && out.len == 0 && out.capacity == 0)
        apus_bytes_deinit(&out)
    }

    @Test func `what is appended stands behind what was there`() {
        var out = apus_bytes()
        #expect(apus_bytes_append_text(&out, "one, ") == APUS_OK.rawValue)
        #expect(apus_bytes_append(&out, bytes("two"), 3) == APUS_OK.rawValue)
        #expect(apus_bytes_append_text(&out, "") == APUS_OK.rawValue)
        #expect(contents(of: out) == bytes("one, two"))
        apus_bytes_deinit(&out)
    }

    @Test func `appending nothing needs no memory and no pointer`() {
        var out = apus_bytes()
        #expect(apus_bytes_append(&out, nil, 0) == APUS_OK.rawValue)
        #expect(out.data == nil)
    }

    @Test func `growth is by doubling at least, so that appending stays linear`() {
        var out = apus_bytes()
        var capacities: [Int] = []
        var failures = 0
        for index in 0..<100_000 {
            failures += apus_bytes_append(&out, [UInt8(truncatingIfNeeded: index)], 1) == APUS_OK.rawValue ? 0 : 1
            if out.capacity != capacities.last {
                capacities.append(out.capacity)
            }
        }
        #expect(failures == 0)
        #expect(zip(capacities, capacities.dropFirst()).allSatisfy { $1 >= 2 * $0 })
        #expect(contents(of: out) == (0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
        apus_bytes_deinit(&out)
    }

    @Test func `reserved room is used without memory being asked for`() {
        var out = apus_bytes()
        #expect(apus_bytes_reserve(&out, 1000) == APUS_OK.rawValue)
        #expect(out.len == 0 && out.capacity >= 1000)
        apus_alloc_fail(1)
        #expect(apus_bytes_append(&out, [UInt8](repeating: 1, count: 1000), 1000) == APUS_OK.rawValue)
        apus_alloc_fail(0)
        #expect(out.len == 1000)
        apus_bytes_deinit(&out)
    }

    @Test(arguments: [Int.max, Int(bitPattern: UInt.max), Int(bitPattern: UInt.max / 2)])
    func `a length that no memory can hold is refused and changes nothing`(more: Int) {
        var out = apus_bytes()
        #expect(apus_bytes_append_text(&out, "kept") == APUS_OK.rawValue)
        let before = (out.data, out.capacity)
        #expect(apus_bytes_reserve(&out, more) == APUS_ENOMEM.rawValue)
        #expect((out.data, out.capacity) == before)
        #expect(contents(of: out) == bytes("kept"))
        apus_bytes_deinit(&out)
    }

    @Test func `a failed append changes nothing`() {
        failEachGrowth { apus_bytes_append($0, [UInt8](repeating: 1, count: 300), 300) }
        failEachGrowth { apus_bytes_append_text($0, "text") }
        failEachGrowth { apus_bytes_reserve($0, 1) }
    }

    @Test func `after deinit the bytes are empty and can be used again`() {
        var out = apus_bytes()
        for round in 1...3 {
            #expect(apus_bytes_append_text(&out, "round \(round)") == APUS_OK.rawValue)
            #expect(contents(of: out) == bytes("round \(round)"))
            apus_bytes_deinit(&out)
            #expect(out.data == nil && out.len == 0 && out.capacity == 0)
        }
    }
}
