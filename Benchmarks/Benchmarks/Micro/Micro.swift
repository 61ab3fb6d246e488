import Benchmark

/// A name is `what/size/times`, or `what/kind/size/times`: Scripts/bench-micro makes its table of them.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput],
        warmupIterations: 3,
        maxDuration: .milliseconds(300),
        maxIterations: 10_000
    )
    memoryBenchmarks()
    frameBenchmarks()
    headBenchmarks()
    deflateBenchmarks()
    socketBenchmarks()
}
