import Benchmark

/// The sizes of messages that everything is measured at.
enum Sizes {
    static let all = [20, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20]

    static func name(_ bytes: Int) -> String {
        switch bytes {
        case ..<1024: "\(bytes) B"
        case ..<(1 << 20): "\(bytes >> 10) KiB"
        default: "\(bytes >> 20) MiB"
        }
    }

    /// What a benchmark is called: what it does, the size, and how often it does so in one measurement, by which
    /// Scripts/bench-micro divides.
    static func title(_ name: String, _ bytes: Int, _ repeats: BenchmarkScalingFactor) -> String {
        "\(name)/\(Self.name(bytes))/\(repeats.rawValue)"
    }

    /// How often an operation on so many bytes is repeated within one measurement, so that reading the clock is a
    /// small part of it.
    static func repeats(_ bytes: Int) -> BenchmarkScalingFactor {
        bytes <= 1 << 10 ? .kilo : .one
    }
}

extension Benchmark {
    /// Measures an operation on two buffers of `bytes`, the first of which is filled by `fill`.
    static func memory(
        _ name: String, bytes: Int, fill: @escaping @Sendable (UnsafeMutableBufferPointer<UInt8>) -> Void = { _ in },
        operation: @escaping @Sendable (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
    ) {
        var configuration = defaultConfiguration
        configuration.scalingFactor = Sizes.repeats(bytes)
        let title = Sizes.title(name, bytes, configuration.scalingFactor)
        Benchmark(title, configuration: configuration) { benchmark in
            let source = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes)
            let target = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes)
            defer {
                source.deallocate()
                target.deallocate()
            }
            source.initialize(repeating: 0x61)
            target.initialize(repeating: 0)
            fill(source)
            // Both have at least 20 bytes, so both have a base address.
            let from = source.baseAddress!, to = target.baseAddress!
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { operation(to, from) }
            benchmark.stopMeasurement()
        }
    }
}
