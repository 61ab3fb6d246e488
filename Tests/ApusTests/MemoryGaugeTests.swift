import TestSupport
import Testing

@testable import Apus

struct MemoryGaugeTests {
    @Test func `what is reported shows in the statistics of a server, until it is given back`() async {
        // A process of its own: the gauge is the whole process's.
        await #expect(processExitsWith: .success) {
            let large = 16 << 20
            let server = try makeServer()
            let before = MemoryGauge.current
            MemoryGauge.add(large)
            try #require((0..<1 << 20).contains(MemoryGauge.current - before - large))
            try #require((0..<1 << 20).contains(server.statistics.memoryNow - before - large))
            MemoryGauge.subtract(large)
            try #require(MemoryGauge.current - before < 1 << 20)
            try #require(server.statistics.memoryNow - before < 1 << 20)
        }
    }
}
