import CApusCore
import TestSupport
import Testing

/// Bytes with some order in them, so that they shrink, and some chance, so that they do not shrink to nothing.
func prose(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
    let words = ["swift ", "apus ", "common ", "flock ", "wing ", "over ", "the ", "roofs ", "\u{e9}t\u{e9} "]
    var generator = SeededGenerator(seed: seed)
    var text: [UInt8] = []
    while text.count < count { text += Array(words[Int.random(in: 0..<words.count, using: &generator)].utf8) }
    // Nothing ends inside a character.
    while text.count > count { text.removeLast() }
    return text.map { $0 < 0x80 ? $0 : UInt8(ascii: "e") }
}

/// Bytes that do not shrink.
func noise(_ count: Int, seed: UInt64 = 11) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

/// The core's deflater, with every message in bytes of its own.
private final class CoreDeflater {
    private let pointer: OpaquePointer

    init(level: Int32 = 6, windowBits: UInt32 = 15) throws {
        pointer = try #require(apus_deflater_new(level, windowBits))
    }

    deinit { apus_deflater_free(pointer) }

    func message(_ payload: [UInt8]) -> [UInt8] {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        #expect(apus_deflater_compress(pointer, payload, payload.count, &out) == APUS_OK.rawValue)
        return contents(of: out)
    }

    func reset() { apus_deflater_reset(pointer) }
}

/// The core's inflater, and what it made of a message.
private final class CoreInflater {
    let pointer: OpaquePointer

    init(windowBits: UInt32 = 15) throws { pointer = try #require(apus_inflater_new(windowBits)) }

    deinit { apus_inflater_free(pointer) }

    /// Inflates a message that comes in pieces which end at `cuts`.
    func message(_ payload: [UInt8], cuts: [Int] = [], limit: UInt64 = .max) -> (error: apus_error, bytes: [UInt8]) {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        var start = 0
        var error = APUS_OK.rawValue
        for cut in cuts + [payload.count] where error == APUS_OK.rawValue {
            let input = GuardedInput(payload[start..<cut])
            error = withExtendedLifetime(input) {
                apus_inflater_write(pointer, input.bytes, input.count, limit, &out)
            }
            start = cut
        }
        if error == APUS_OK.rawValue { error = apus_inflater_end(pointer, limit, &out) }
        #expect(UInt64(out.capacity) <= max(limit, 0), "no more memory than the limit")
        return (apus_error(rawValue: error), contents(of: out))
    }
}

/// The same in every way to cut the message: what comes of it whole.
private func inflatedInEveryWay(_ payload: [UInt8], limit: UInt64 = .max) throws -> (apus_error, [UInt8]) {
    let whole = try CoreInflater().message(payload, limit: limit)
    let bytewise = try CoreInflater().message(payload, cuts: Array(payload.indices), limit: limit)
    #expect(bytewise == whole, "byte by byte")
    for cut in payload.indices {
        let pieces = try CoreInflater().message(payload, cuts: [cut], limit: limit)
        #expect(pieces == whole, "cut at \(cut)")
    }
    return (whole.error, whole.bytes)
}

struct DeflateTests {
    // MARK: RFC 7692 §7.2.3

    private static let hello = Array("Hello".utf8)

    @Test(
        arguments: [
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],  // §7.2.3.1: one block
            [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],  // §7.2.3.3: without compression
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],  // §7.2.3.4: BFINAL is set
            [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],  // §7.2.3.5: two blocks
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],  // the same as §7.2.3.4 without the byte that should follow
        ] as [[UInt8]])
    func `the RFC's ways to say Hello inflate, however they are cut`(payload: [UInt8]) throws {
        #expect(try inflatedInEveryWay(payload) == (APUS_OK, Self.hello))
    }

    @Test func `a message may refer to the one before it`() throws {
        // §7.2.3.2
        let inflater = try CoreInflater()
        #expect(inflater.message([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == (APUS_OK, Self.hello))
        #expect(inflater.message([0xf2, 0x00, 0x11, 0x00, 0x00]) == (APUS_OK, Self.hello))
        apus_inflater_reset(inflater.pointer)
        #expect(inflater.message([0xf2, 0x00, 0x11, 0x00, 0x00]).error == APUS_EINFLATE)
    }

    @Test func `it may do so behind a block with BFINAL set, which ends no window`() throws {
        let inflater = try CoreInflater()
        #expect(inflater.message([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]) == (APUS_OK, Self.hello))
        #expect(inflater.message([0xf2, 0x00, 0x11, 0x00, 0x00]) == (APUS_OK, Self.hello))
    }

    @Test(
        arguments: [[], [0x00], [0x02, 0x00], [0x03, 0x00], [0x03, 0x00, 0x00], [0x03, 0x00, 0x03, 0x00, 0x00]]
            as [[UInt8]])
    func `an empty message inflates, written in any way`(payload: [UInt8]) throws {
        #expect(try inflatedInEveryWay(payload) == (APUS_OK, []))
    }

    @Test func `empty blocks between others are nothing`() throws {
        let empty: [UInt8] = [0x00, 0x00, 0x00, 0xff, 0xff]
        let first: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff]
        let payload = empty + empty + first + empty + [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00] + empty + [0x00]
        #expect(try inflatedInEveryWay(payload) == (APUS_OK, Self.hello + Self.hello))
    }

    @Test func `what zlib ends with BFINAL inflates, one message behind the other`() throws {
        let deflater = Deflater()
        let inflater = try CoreInflater()
        for seed in 1...5 as ClosedRange<UInt64> {
            let payload = prose(3000, seed: seed)
            #expect(inflater.message(deflater.message(payload, flush: 4) + [0x00]) == (APUS_OK, payload))
        }
    }

    @Test(
        arguments: [
            [0x07], [0xff], [0x06, 0x00], [0x00, 0x05, 0x00, 0x00, 0x00], [0xf2, 0x48, 0xcd], [0xf2],
            [0x00, 0x05, 0x00, 0xfa, 0xff], [0xf2, 0x00, 0x11, 0x00, 0x00],
        ] as [[UInt8]])
    func `what is no DEFLATE, or ends inside a block, or refers to before the beginning, is refused`(payload: [UInt8])
        throws
    {
        #expect(try inflatedInEveryWay(payload).0 == APUS_EINFLATE)
    }

    // MARK: Limits

    @Test(arguments: [0, 1, 2, 255, 256, 257, 1000, 4096]) func `a message may inflate to the limit, and no further`(
        limit: Int
    ) throws {
        let deflater = Deflater(keepsContext: false)
        let fits = deflater.message([UInt8](repeating: 0x61, count: limit))
        #expect(try inflatedInEveryWay(fits, limit: UInt64(limit)).0 == APUS_OK)
        let passes = deflater.message([UInt8](repeating: 0x61, count: limit + 1))
        let (error, bytes) = try inflatedInEveryWay(passes, limit: UInt64(limit))
        #expect(error == APUS_ETOOBIG)
        #expect(bytes.count == limit)
    }

    @Test func `42 KiB that stand for 40 MiB are given up at the limit, and take no more memory`() throws {
        let payload = Deflater(level: 9).message([UInt8](repeating: 0, count: 40 << 20))
        #expect(payload.count < 42 << 10)
        for cuts in [[], Array(stride(from: 100, to: payload.count, by: 1000))] {
            let (error, bytes) = try CoreInflater().message(payload, cuts: cuts, limit: 1 << 20)
            #expect(error == APUS_ETOOBIG)
            #expect(bytes.count == 1 << 20)
        }
    }

    // MARK: Both ways

    @Test(arguments: UInt32(9)...15, [true, false])
    func `zlib inflates what is compressed with each window, with context and without`(
        windowBits: UInt32, keepsContext: Bool
    ) throws {
        let deflater = try CoreDeflater(windowBits: windowBits)
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

    @Test func `a message that repeats the one before is small, with context takeover`() throws {
        let deflater = try CoreDeflater()
        let payload = noise(1000)
        #expect(deflater.message(payload).count > 1000)
        #expect(deflater.message(payload).count < 50)
        deflater.reset()
        #expect(deflater.message(payload).count > 1000)
    }

    @Test func `an empty message is one byte, as the RFC has it`() throws {
        // §7.2.3.6
        let deflater = try CoreDeflater()
        for _ in 1...3 { #expect(deflater.message([]) == [0x00]) }
        #expect(deflater.message(Self.hello).count > 1)
        for _ in 1...3 { #expect(deflater.message([]) == [0x00]) }
    }

    // MARK: Memory

    @Test func `every allocation may fail, and the same can be tried again`() throws {
        let payload = noise(3000)
        let message = Deflater().message(payload)
        failEachAllocation {
            var pool = apus_deflate_pool()
            defer { apus_deflate_pool_clear(&pool) }
            let error = apus_deflate_pool_compress(&pool, 6, 15, payload, payload.count)
            return error
        }
        failEachAllocation {
            guard let inflater = apus_inflater_new(15) else { return APUS_ENOMEM.rawValue }
            defer { apus_inflater_free(inflater) }
            var out = apus_bytes()
            defer { apus_bytes_deinit(&out) }
            return apus_inflater_write(inflater, message, message.count, .max, &out)
        }
    }

    @Test func `a deflater whose output found no memory begins anew`() throws {
        let deflater = try #require(apus_deflater_new(6, 15))
        defer { apus_deflater_free(deflater) }
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        let payload = noise(1000)
        #expect(apus_deflater_compress(deflater, payload, payload.count, &out) == APUS_OK.rawValue)
        let before = contents(of: out)
        apus_alloc_fail(1)
        let other = noise(50_000, seed: 2)
        #expect(apus_deflater_compress(deflater, other, other.count, &out) == APUS_ENOMEM.rawValue)
        apus_alloc_fail(0)
        #expect(contents(of: out) == before)
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
