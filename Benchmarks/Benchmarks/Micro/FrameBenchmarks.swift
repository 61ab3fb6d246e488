import Benchmark
import CApusCore

/// A frame's header, written and read; a session from bytes to messages.
func frameBenchmarks() {
    for bytes in Sizes.all {
        let header = maskedHeader(payload: bytes)
        Benchmark.once("frame parse", bytes: bytes) {
            var frame = apus_frame()
            blackHole(apus_frame_parse(header, header.count, APUS_ROLE_SERVER, &frame))
        }
        Benchmark.once("frame encode", bytes: bytes) {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(APUS_FRAME_HEADER_SIZE)) { out in
                // The capacity is 14, so there is a base address.
                blackHole(apus_frame_encode(out.baseAddress!, APUS_OPCODE_BINARY, true, UInt64(bytes)))
            }
        }
        sessionBenchmark(bytes: bytes)
    }
}

func maskedHeader(payload: Int) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: Int(APUS_FRAME_HEADER_SIZE))
    let count = apus_frame_encode_masked(&header, APUS_OPCODE_BINARY, true, UInt64(payload), 0x3d21_fa37)
    return Array(header.prefix(count))
}

/// One binary message through a session, which unmasks it where it stands; the next time it unmasks what that left.
private func sessionBenchmark(bytes: Int) {
    var configuration = Benchmark.defaultConfiguration
    configuration.scalingFactor = Sizes.repeats(bytes)
    Benchmark(Sizes.title("session receive", bytes, configuration.scalingFactor), configuration: configuration) {
        benchmark in
        var frame = maskedHeader(payload: bytes) + [UInt8](repeating: 0x61, count: bytes)
        var config = apus_session_config()
        config.role = APUS_ROLE_SERVER
        config.limits = apus_message_limits(size: 64 << 20, fragments: 1024)
        var event = apus_event()
        withUnsafeMutablePointer(to: &config) { config in
            let session = UnsafeMutablePointer<apus_session>.allocate(capacity: 1)
            defer { session.deallocate() }
            apus_session_init(session, config)
            apus_session_open(session)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                blackHole(apus_session_receive(session, &frame, frame.count, &event))
            }
            benchmark.stopMeasurement()
            precondition(event.kind == APUS_EVENT_MESSAGE && event.len == bytes)
            apus_session_deinit(session)
        }
    }
}

extension Benchmark {
    /// Measures an operation of some nanoseconds, a thousand times within one measurement.
    static func once(_ name: String, bytes: Int, operation: @escaping @Sendable () -> Void) {
        var configuration = defaultConfiguration
        configuration.scalingFactor = .kilo
        Benchmark(Sizes.title(name, bytes, configuration.scalingFactor), configuration: configuration) { benchmark in
            for _ in benchmark.scaledIterations { operation() }
        }
    }
}
