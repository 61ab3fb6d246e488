import CApusCore
import TestSupport
import Testing

/// Bytes that repeat what lies up to some hundred bytes more than `distance` before them, mostly, in runs.
private func repetitions(_ count: Int, distance: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes = noise(min(count, distance / 2), seed: seed)
    while bytes.count < count {
        let start = bytes.count - Int.random(in: 1...distance + 100, using: &generator)
        let length = min(Int.random(in: 3...400, using: &generator), count - bytes.count)
        if start < 0 || Int.random(in: 0..<8, using: &generator) == 0 {
            bytes += noise(min(length, 40), seed: UInt64(bytes.count))
        } else {
            for offset in 0..<length { bytes.append(bytes[start + offset]) }
        }
    }
    return bytes
}

@Suite(.computing) struct DeflateTests {
    // MARK: Both ways

    @Test(arguments: bothCompressors, UInt32(9)...15)
    func `zlib inflates what is compressed with each window, with context and without`(
        level: CInt, windowBits: UInt32
    ) throws {
        for keepsContext in [true, false] {
            let deflater = try CoreDeflater(level: level, windowBits: windowBits)
            let inflater = Inflater(windowBits: Int32(windowBits), keepsContext: keepsContext)
            let ours = try CoreInflater(windowBits: windowBits)
            for (seed, count) in [0, 1, 5, 0, 0, 300, 5000, 100_000, 20, 70_000].enumerated() {
                for payload in [prose(count, seed: UInt64(seed)), noise(count, seed: UInt64(seed))] {
                    if !keepsContext {
                        deflater.reset()
                        apus_inflater_reset(ours.pointer)
                    }
                    let message = deflater.message(payload)
                    #expect(inflater.message(message) == payload)
                    #expect(ours.message(message) == (APUS_OK, payload))
                }
            }
        }
    }

    @Test(arguments: bothCompressors, UInt32(9)...15)
    func `nothing refers to what lies before the window, by as little as a byte`(
        level: CInt, windowBits: UInt32
    ) throws {
        let deflater = try CoreDeflater(level: level, windowBits: windowBits)
        let inflater = Inflater(windowBits: Int32(windowBits), room: 1)
        let window = 1 << Int(windowBits)
        for distance in [window, window / 2, window + 1] {
            let bytes = repetitions(4 * window + 2000, distance: distance, seed: UInt64(window + distance))
            // In messages whose ends lie anywhere in the window: three in each, and some of them short.
            var start = 0
            while start < bytes.count {
                let end = min(start + (start % 7 == 0 ? 30 : window / 3 + start % 11), bytes.count)
                #expect(inflater.message(deflater.message(Array(bytes[start..<end]))) == Array(bytes[start..<end]))
                start = end
            }
        }
    }

    @Test(arguments: bothCompressors) func `messages of every small size follow each other`(level: CInt) throws {
        let (deflater, inflater) = (try CoreDeflater(level: level), Inflater())
        for count in 0..<600 {
            for payload in [prose(count), noise(count, seed: UInt64(count)), [UInt8](repeating: 0x61, count: count)] {
                #expect(inflater.message(deflater.message(payload)) == payload, "\(count) bytes")
            }
        }
    }

    @Test(arguments: bothCompressors) func `thousands of tiny messages follow each other`(level: CInt) throws {
        let (deflater, inflater) = (try CoreDeflater(level: level, windowBits: 9), Inflater(windowBits: 9))
        for index in 0..<20_000 {
            let payload = Array("\(index % 1000)".utf8)
            #expect(inflater.message(deflater.message(payload)) == payload)
        }
    }

    @Test(arguments: bothCompressors, [65_534, 65_535, 65_536, 65_800, 131_072, 131_360, 1_000_000])
    func `large messages are read in place, and not beyond their end`(level: CInt, count: Int) throws {
        let deflater = try #require(apus_deflater_new(level, 15))
        defer { apus_deflater_free(deflater) }
        let inflater = Inflater()
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        for (payload, edge) in [(prose(count), .end), (noise(count), .start)] as [([UInt8], GuardedInput.Edge)] {
            let input = GuardedInput(payload, against: edge)
            out.len = 0
            #expect(apus_deflater_compress(deflater, input.bytes, input.count, &out) == APUS_OK.rawValue)
            #expect(inflater.message(contents(of: out)) == payload)
        }
    }

    @Test(arguments: bothCompressors)
    func `it does not matter how much room there is behind what the output holds`(level: CInt) throws {
        let deflater = try #require(apus_deflater_new(level, 15))
        defer { apus_deflater_free(deflater) }
        let inflater = Inflater()
        for (room, payload) in (0...1600).map({ ($0, $0 % 2 == 0 ? prose(3000) : noise(900, seed: UInt64($0))) }) {
            var out = apus_bytes()
            defer { apus_bytes_deinit(&out) }
            #expect(apus_bytes_reserve(&out, room + 1) == APUS_OK.rawValue)
            #expect(apus_bytes_append(&out, [0x78], 1) == APUS_OK.rawValue)
            #expect(apus_deflater_compress(deflater, payload, payload.count, &out) == APUS_OK.rawValue)
            let all = contents(of: out)
            #expect(all[0] == 0x78 && inflater.message(all[1...]) == payload, "\(room) bytes")
        }
    }

    @Test(arguments: bothCompressors) func `what does not shrink hardly grows`(level: CInt) throws {
        let deflater = try CoreDeflater(level: level)
        for count in [1, 2, 100, 1000, 4000, 10_000, 100_000, 1_000_000] {
            #expect(deflater.message(noise(count, seed: UInt64(count))).count <= count + count / 500 + 20)
        }
    }

    @Test(arguments: bothCompressors)
    func `a message that repeats the one before is small, with context takeover`(level: CInt) throws {
        let deflater = try CoreDeflater(level: level)
        let payload = noise(1000)
        #expect(deflater.message(payload).count > 1000)
        #expect(deflater.message(payload).count < 50)
        deflater.reset()
        #expect(deflater.message(payload).count > 1000)
    }

    @Test(arguments: bothCompressors)
    func `a deflater that was reset compresses as a new one does, whatever it had seen`(level: CInt) throws {
        let payload = prose(3000)
        let expected = try CoreDeflater(level: level).message(payload)
        let deflater = try CoreDeflater(level: level)
        for seed in 1...20 as ClosedRange<UInt64> {
            _ = deflater.message(seed % 2 == 0 ? noise(5000, seed: seed) : prose(70_000, seed: seed))
            deflater.reset()
            #expect(deflater.message(payload) == expected)
        }
    }

    @Test(arguments: bothCompressors) func `an empty message is one byte, as the RFC has it`(level: CInt) throws {
        // §7.2.3.6
        let (deflater, inflater) = (try CoreDeflater(level: level), Inflater())
        let hello = Array("Hello".utf8)
        for _ in 1...3 {
            for _ in 1...3 { #expect(deflater.message([]) == [0x00]) }
            #expect(inflater.message([0x00]) == [])
            #expect(inflater.message(deflater.message(hello)) == hello)
        }
    }

    @Test func `the fastest level begins anew once it has compressed a gibibyte, before its count is full`() throws {
        let (deflater, inflater) = (try CoreDeflater(), Inflater())
        let payload = noise(1000)
        #expect(inflater.message(deflater.message(payload)) == payload)
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        for _ in 1..<16 { _ = deflater.message(zeros) }
        let last = deflater.message(payload)
        #expect(deflater.message(payload).count < 50, "a little less than a gibibyte: the context is kept")
        #expect(last.count > 1000, "the payload has left the window")
        _ = deflater.message(zeros)
        let first = deflater.message(payload)
        #expect(Inflater().message(first) == payload, "it refers to nothing before it")
        #expect(deflater.message(payload).count < 50)
    }

    // MARK: Memory

    @Test(arguments: bothCompressors)
    func `every allocation may fail, and the same can be tried again`(level: CInt) throws {
        let payload = noise(3000)
        failEachAllocation {
            var pool = apus_deflate_pool()
            defer { apus_deflate_pool_clear(&pool) }
            return apus_deflate_pool_compress(&pool, level, 15, payload, payload.count)
        }
    }

    @Test(arguments: bothCompressors)
    func `a deflater whose output found no memory begins anew`(level: CInt) throws {
        let deflater = try #require(apus_deflater_new(level, 15))
        defer { apus_deflater_free(deflater) }
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        let payload = noise(1000)
        #expect(apus_deflater_compress(deflater, payload, payload.count, &out) == APUS_OK.rawValue)
        let before = contents(of: out)
        let other = noise(50_000, seed: 2)
        for nth in 1...2 as ClosedRange<UInt32> {
            apus_alloc_fail(nth)
            #expect(apus_deflater_compress(deflater, other, other.count, &out) == APUS_ENOMEM.rawValue)
            apus_alloc_fail(0)
            #expect(contents(of: out) == before)
            apus_bytes_deinit(&out)
            #expect(apus_bytes_append(&out, before, before.count) == APUS_OK.rawValue)
        }
        #expect(apus_deflater_compress(deflater, payload, payload.count, &out) == APUS_OK.rawValue)
        #expect(Inflater().message(contents(of: out)[before.count...]) == payload)
    }

    @Test func `a pool lends its inflater to one at a time, and takes every one back`() throws {
        var pool = apus_deflate_pool()
        let first = try #require(apus_deflate_pool_take(&pool))
        let second = try #require(apus_deflate_pool_take(&pool))
        #expect(first != second)
        apus_deflate_pool_give(&pool, first)
        apus_deflate_pool_give(&pool, second)
        #expect(apus_deflate_pool_take(&pool) == first)
        apus_deflate_pool_give(&pool, first)
        apus_deflate_pool_clear(&pool)
        #expect(pool.inflater == nil)
    }

    @Test func `a pool frees the inflaters that it has no place for, and all when it is cleared`() throws {
        try withoutLeaks {
            var pool = apus_deflate_pool()
            let inflaters = try (0..<3).map { _ in try #require(apus_deflate_pool_take(&pool)) }
            for inflater in inflaters { apus_deflate_pool_give(&pool, inflater) }
            let data = [UInt8](repeating: 7, count: 1000)
            #expect(apus_deflate_pool_compress(&pool, 6, 15, data, data.count) == APUS_OK.rawValue)
            apus_deflate_pool_clear(&pool)
        }
    }

    @Test func `a pool gives up a large buffer, and counts what it does`() throws {
        var pool = apus_deflate_pool()
        let large = noise(1 << 20)
        #expect(apus_deflate_pool_compress(&pool, 1, 15, large, large.count) == APUS_OK.rawValue)
        #expect(apus_deflate_pool_compress(&pool, 1, 15, large, 100) == APUS_OK.rawValue)
        #expect(pool.buffer.capacity < 1 << 18)
        #expect(pool.counts.messages_deflated == 2)
        #expect(pool.counts.bytes_before_deflating == UInt64(large.count + 100))
        #expect(pool.counts.bytes_deflated > UInt64(large.count))
        apus_deflate_pool_clear(&pool)
        #expect(pool.counts.messages_deflated == 2)
    }
}
