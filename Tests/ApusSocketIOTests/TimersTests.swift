import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TimersTests {
    private final class Owner: Sendable {}

    @Test func `calls of owners that are gone are forgotten long before they are due`() throws {
        let timers = Timers(loop: try EventLoop())
        let owner = Owner()
        for number in 0..<1000 { timers.schedule(at: .now + .seconds(3600 - number), for: owner) {} }
        for number in 0..<50_000 { timers.schedule(at: .now + .seconds(3600 + number % 99), for: Owner()) {} }
        #expect(timers.count >= 1000 && timers.count <= 3000)
        timers.close()
        #expect(timers.count == 0)
    }

    @Test func `a call that is due beyond what a clock can say waits, and holds up no other`() async throws {
        let timers = Timers(loop: try EventLoop())
        let isCalled = Mutex(false)
        timers.schedule(at: .now + .seconds(Int64.max)) { Issue.record("it was called") }
        timers.schedule(at: .now) { isCalled.withLock { $0 = true } }
        try await until { isCalled.withLock { $0 } }
        #expect(timers.count == 1)
        timers.close()
    }

    @Test func `calls come in the order in which they are due, also after a sweep`() throws {
        let timers = Timers(loop: try EventLoop())
        let owner = Owner()
        let places = Mutex<[Int]>([])
        let start = ContinuousClock.now + .seconds(3600)
        for index in 0..<2000 {
            let place = index * 7919 % 2000
            timers.schedule(at: start + .seconds(place), for: owner) { places.withLock { $0.append(place) } }
            timers.schedule(at: start + .seconds(place), for: Owner()) {}
        }
        timers.wake(at: start + .seconds(1), now: start + .seconds(10_000))
        #expect(places.withLock { $0.isEmpty })
        timers.wake(at: start, now: start + .seconds(999))
        #expect(places.withLock { $0 } == Array(0..<1000))
        timers.wake(at: start + .seconds(1000), now: start + .seconds(10_000))
        #expect(places.withLock { $0 } == Array(0..<2000))
        withExtendedLifetime(owner) { timers.close() }
    }

    @Test func `after the end no call is taken any more`() throws {
        let timers = Timers(loop: try EventLoop())
        timers.close()
        timers.schedule(at: .now + .seconds(3600)) {}
        #expect(timers.count == 0)
    }
}
