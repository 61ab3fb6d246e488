import Testing

@testable import Apus

struct RateLimitedCountTests {
    @Test func `the first gets a line, and then one a second has the sum of all since`() {
        var count = RateLimitedCount()
        let start = ContinuousClock.now
        #expect(count.add(2, now: start) == 2)
        #expect(count.add(3, now: start + .milliseconds(1)) == nil)
        #expect(count.add(4, now: start + .milliseconds(999)) == nil)
        #expect(count.add(1, now: start + .seconds(1)) == 8)
        #expect(count.add(1, now: start + .seconds(1)) == nil)
        #expect(count.add(1, now: start + .seconds(9)) == 2)
    }
}
