import Benchmark
import CApusCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What goes over every byte: unmasking and UTF-8, beside memcpy as the limit.
func memoryBenchmarks() {
    for bytes in Sizes.all {
        Benchmark.memory("memcpy", bytes: bytes) { target, source in
            blackHole(memcpy(target, source, bytes))
        }
        Benchmark.memory("unmask", bytes: bytes) { target, source in
            apus_mask(target, source, bytes, 0x3d21_fa37)
        }
        for script in Script.allCases {
            Benchmark.memory("validate/\(script.rawValue)", bytes: bytes, fill: script.fill) { _, source in
                var utf8 = apus_utf8()
                blackHole(apus_utf8_validate(&utf8, source, bytes))
            }
        }
        // The key of zeros leaves the text as it is; the kernels do not look at the key.
        for script in [Script.ascii, .mixed] {
            Benchmark.memory("unmask and validate/\(script.rawValue)", bytes: bytes, fill: script.fill) {
                target, source in
                var utf8 = apus_utf8()
                blackHole(apus_utf8_unmask(&utf8, target, source, bytes, 0))
            }
        }
    }
}

/// Texts of one to four bytes a character.
enum Script: String, CaseIterable {
    case ascii, cyrillic, chinese, emoji, mixed

    private var sample: String {
        switch self {
        case .ascii: "the quick brown fox jumps over the lazy dog "
        case .cyrillic: "съешь же ещё этих мягких французских булок да выпей чаю "
        case .chinese: "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏"
        case .emoji: "😀😃😄😁😆😅🙂🙃😉😊😇🥰😍🤩😘😗"
        case .mixed: "hello мир 天地 😀 naïve façade "
        }
    }

    /// Fills a buffer with whole characters, and its end with what fits.
    func fill(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
        let characters = sample.map { Array(String($0).utf8) }
        var index = 0, next = 0
        while index + characters[next].count <= buffer.count {
            for byte in characters[next] {
                buffer[index] = byte
                index += 1
            }
            next = (next + 1) % characters.count
        }
        while index < buffer.count {
            buffer[index] = 0x20
            index += 1
        }
    }
}
