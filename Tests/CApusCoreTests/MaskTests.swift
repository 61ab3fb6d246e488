import CApusCore
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

private let keyBytes: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

/// The key in wire order, as memcpy reads it.
private let key = keyBytes.withUnsafeBytes { $0.loadUnaligned(as: apus_masking_key.self) }

private let longest = 300

/// A payload that begins `offset` bytes after the key does, and what RFC 6455 §5.3 makes of it: byte i meets
/// byte (i + offset) modulo 4 of the key.
private struct Payload {
    let key: apus_masking_key
    let plain: [UInt8]
    let masked: [UInt8]

    init(offset: Int) {
        var generator = SeededGenerator(seed: 6455)
        let plain = (0..<longest).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.plain = plain
        masked = plain.indices.map { plain[$0] ^ keyBytes[($0 + offset) % 4] }
        key = apus_masking_key_advance(CApusCoreTests.key, offset)
    }
}

private let payloads = (0..<4).map(Payload.init(offset:))

/// Room for a payload at every alignment, and a margin on both sides that must stay as it is.
private struct Field {
    static let margin = 64
    private let buffer = GuardedBuffer(minimumCapacity: 2 * margin + 64 + longest)
    private let untouched = [UInt8](repeating: 0xa5, count: margin)

    /// Where a payload begins that lies `alignment` bytes behind an address divisible by 64.
    func place(alignment: Int) -> UnsafeMutablePointer<UInt8> {
        buffer.start + Self.margin + alignment
    }

    /// Puts the first `count` bytes of `content` there, if any is given, and the margins around them.
    func prepare(_ place: UnsafeMutablePointer<UInt8>, _ count: Int, content: [UInt8]? = nil) {
        memcpy(place - Self.margin, untouched, Self.margin)
        memcpy(place + count, untouched, Self.margin)
        if let content {
            memcpy(place, content, count)
        }
    }

    func holds(_ place: UnsafeMutablePointer<UInt8>, _ count: Int, content: [UInt8]) -> Bool {
        memcmp(place, content, count) == 0
            && memcmp(place - Self.margin, untouched, Self.margin) == 0
            && memcmp(place + count, untouched, Self.margin) == 0
    }
}

extension SIMDTests {
    struct MaskTests {
        @Test func `the masked text of RFC 6455 §5.7 is Hello`() {
            var payload: [UInt8] = [0x7f, 0x9f, 0x4d, 0x51, 0x58]
            payload.withUnsafeMutableBufferPointer { apus_mask($0.baseAddress!, $0.baseAddress!, 5, key) }  // not empty
            #expect(payload == bytes("Hello"))
        }

        @Test(arguments: 0..<13) func `an advanced key is the key's bytes rotated`(offset: Int) {
            let advanced = withUnsafeBytes(of: apus_masking_key_advance(key, offset), Array.init)
            #expect(advanced == (0..<4).map { keyBytes[($0 + offset) % 4] })
        }

        @Test(arguments: availableKernelSets)
        func `a payload of any length, at any alignment, is masked in place`(set: apus_simd) {
            let field = Field()
            withKernels(set) {
                for payload in payloads {
                    for alignment in 0..<64 {
                        let place = field.place(alignment: alignment)
                        for count in 0...longest {
                            field.prepare(place, count, content: payload.plain)
                            apus_mask(place, place, count, payload.key)
                            guard field.holds(place, count, content: payload.masked) else {
                                Issue.record("\(count) bytes, alignment \(alignment)")
                                return
                            }
                        }
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `a payload of any length, at any alignment, is masked into a copy`(set: apus_simd) {
            let sources = Field(), targets = Field()
            withKernels(set) {
                for (offset, payload) in payloads.enumerated() {
                    for alignment in 0..<64 {
                        let target = targets.place(alignment: alignment)
                        let source = sources.place(alignment: (alignment * 7 + offset) % 64)
                        for count in 0...longest {
                            sources.prepare(source, count, content: payload.plain)
                            targets.prepare(target, count)
                            apus_mask(target, source, count, payload.key)
                            guard targets.holds(target, count, content: payload.masked),
                                sources.holds(source, count, content: payload.plain)
                            else {
                                Issue.record("\(count) bytes, alignment \(alignment), key offset \(offset)")
                                return
                            }
                        }
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `a payload cut in two is masked as if whole`(set: apus_simd) {
            let field = Field()
            let place = field.place(alignment: 6)
            withKernels(set) {
                for cut in 0...longest {
                    field.prepare(place, longest, content: payloads[0].plain)
                    apus_mask(place, place, cut, key)
                    apus_mask(place + cut, place + cut, longest - cut, apus_masking_key_advance(key, cut))
                    #expect(field.holds(place, longest, content: payloads[0].masked), "cut at \(cut)")
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `no byte outside the payload is read or written`(set: apus_simd) {
            let first = GuardedBuffer(), second = GuardedBuffer()
            withKernels(set) {
                for count in 0...longest {
                    apus_mask(first.start, first.start, count, key)
                    apus_mask(first.end - count, first.end - count, count, key)
                    apus_mask(first.start, second.end - count, count, key)
                    apus_mask(first.end - count, second.start, count, key)
                }
            }
        }
    }
}
