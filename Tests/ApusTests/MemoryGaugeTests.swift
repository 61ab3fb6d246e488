import TestSupport
import Testing

@testable import Apus

/// Other tests allocate at the same time, so this compares amounts that dwarf what they hold.
@Suite(.timeLimit(.minutes(1)))
struct MemoryGaugeTests {
    @Test func `what is reported shows in the statistics of a server, until it is given back`() throws {
        let large = 256 << 20
        let server = try makeServer()
        let before = MemoryGauge.current
        MemoryGauge.add(large)
        #expect(MemoryGauge.current > before + large / 2)
        #expect(server.statistics.memoryNow > before + large / 2)
        MemoryGauge.subtract(large)
        #expect(MemoryGauge.current < before + large / 2)
        #expect(server.statistics.memoryNow < before + large / 2)
    }
}
