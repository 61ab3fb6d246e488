import Benchmark
import CApusCore

/// permessage-deflate of JSON, each message by itself, and with reference to those before.
func deflateBenchmarks() {
    // Longer than DEFLATE's window, so that a message is not found in it as a whole.
    let json = Array(jsonText(bytes: 4 << 20).utf8)
    for bytes in Sizes.all where bytes > 20 {
        for level in [1, 6] {
            compressBenchmark(json, bytes, level: level, isResetting: true)
            compressBenchmark(json, bytes, level: level, isResetting: false)
        }
        inflateBenchmark(Array(json.prefix(bytes)))
    }
}

/// Objects that differ in their numbers, as an application's do.
func jsonText(bytes: Int) -> String {
    var text = "[", number: UInt64 = 1
    while text.utf8.count < bytes {
        number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += #"{"id":\#(number >> 40),"room":"lobby","user":"user-\#(number >> 52)","x":\#(number >> 54)},"#
    }
    return String(text.prefix(bytes))
}

private func configuration(bytes: Int) -> Benchmark.Configuration {
    var configuration = Benchmark.defaultConfiguration
    configuration.scalingFactor = bytes <= 1 << 10 ? .kilo : .one
    configuration.warmupIterations = 1
    return configuration
}

/// Compresses one piece of the text after the other.
private func compressBenchmark(_ json: [UInt8], _ bytes: Int, level: Int, isResetting: Bool) {
    let kind = "level \(level), \(isResetting ? "by itself" : "with context")"
    let configuration = configuration(bytes: bytes)
    let title = Sizes.title("deflate/\(kind)", bytes, configuration.scalingFactor)
    Benchmark(title, configuration: configuration) { benchmark in
        guard let deflater = apus_deflater_new(CInt(level), 15) else { return benchmark.error("out of memory") }
        var out = apus_bytes(), offset = 0
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            out.len = 0
            if isResetting { apus_deflater_reset(deflater) }
            json.withUnsafeBufferPointer { text in
                // The text is longer than nothing, so it has a base address.
                blackHole(apus_deflater_compress(deflater, text.baseAddress! + offset, bytes, &out))
            }
            offset = offset + 2 * bytes <= json.count ? offset + bytes : 0
        }
        benchmark.stopMeasurement()
        apus_bytes_deinit(&out)
        apus_deflater_free(deflater)
    }
}

private func inflateBenchmark(_ json: [UInt8]) {
    let configuration = configuration(bytes: json.count)
    let title = Sizes.title("inflate", json.count, configuration.scalingFactor)
    Benchmark(title, configuration: configuration) { benchmark in
        guard let deflater = apus_deflater_new(6, 15), let inflater = apus_inflater_new(15) else {
            return benchmark.error("out of memory")
        }
        var compressed = apus_bytes(), out = apus_bytes(), status: CInt = 0
        apus_deflater_compress(deflater, json, json.count, &compressed)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            out.len = 0
            apus_inflater_reset(inflater)
            status = apus_inflater_write(inflater, compressed.data, compressed.len, 64 << 20, &out)
            if status == 0 { status = apus_inflater_end(inflater, 64 << 20, &out) }
        }
        benchmark.stopMeasurement()
        precondition(status == 0 && out.len == json.count)
        apus_bytes_deinit(&compressed)
        apus_bytes_deinit(&out)
        apus_inflater_free(inflater)
        apus_deflater_free(deflater)
    }
}
