import CApusCore
import TestSupport
import Testing

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

@Suite(.computing) struct InflaterTests {
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

    // MARK: Memory

    @Test func `every allocation may fail, and the same can be tried again`() throws {
        let message = Deflater().message(noise(3000))
        failEachAllocation {
            guard let inflater = apus_inflater_new(15) else { return APUS_ENOMEM.rawValue }
            defer { apus_inflater_free(inflater) }
            var out = apus_bytes()
            defer { apus_bytes_deinit(&out) }
            return apus_inflater_write(inflater, message, message.count, .max, &out)
        }
    }
}
