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

/// A level of each compressor: ISA-L's igzip, and zlib.
let bothCompressors: [CInt] = [1, 6]

/// The core's deflater, with every message in bytes of its own.
final class CoreDeflater {
    private let pointer: OpaquePointer

    init(level: CInt = 1, windowBits: UInt32 = 15) throws {
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
final class CoreInflater {
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
