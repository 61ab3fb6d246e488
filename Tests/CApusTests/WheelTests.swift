import CApusInternals
import TestSupport
import Testing

struct WheelTests {
    private static let tick = UInt64(APUS_WHEEL_TICK)
    private static let slots = UInt64(APUS_WHEEL_SLOTS)

    /// Delays around the ends of ticks and of rounds.
    private static let delays: [UInt64] =
        [0, 1, 49, 50, 51, 99, 100, 1000, 10_000]
        + [1, 2, 3].flatMap { round in
            [-51, -50, -1, 0, 1, 50].map { UInt64(Int(round * slots * tick) + $0) }
        }

    @Test(arguments: delays, [0, 1, 255, 256, 100_000] as [UInt64])
    func `a timer fires once, not before its delay, and at most two ticks after it`(delay: UInt64, start: UInt64) {
        let wheel = Wheel()
        wheel.advance(to: start)
        let timer = wheel.makeTimer()
        timer.arm(delay)
        #expect(wheel.armed == 1)
        for tick in start...(start + delay / Self.tick + 2 * Self.slots) { wheel.advance(to: tick) }
        #expect(timer.fired.count == 1)
        // The present tick may be nearly over: only whole ticks count.
        let waited = ((timer.fired.first ?? 0) - start - 1) * Self.tick
        #expect(waited >= delay)
        #expect(waited < delay + Self.tick)
        #expect(wheel.armed == 0)
        #expect(!timer.isArmed)
    }

    @Test func `a timer that is disarmed does not fire, however often`() {
        let wheel = Wheel()
        let timer = wheel.makeTimer()
        timer.disarm()
        timer.arm(100)
        timer.disarm()
        timer.disarm()
        #expect(wheel.armed == 0)
        wheel.advance(to: 1000)
        #expect(timer.fired.isEmpty)
    }

    @Test func `a timer that is armed anew has one deadline, the last`() {
        let wheel = Wheel()
        let timer = wheel.makeTimer()
        timer.arm(100)
        timer.arm(1000)
        timer.arm(500)
        #expect(wheel.armed == 1)
        for tick in 0...100 as ClosedRange<UInt64> { wheel.advance(to: tick) }
        #expect(timer.fired == [11])
    }

    /// Delays that lead into the slot which is being looked through, too.
    @Test(arguments: [0, 50, (slots - 2) * tick, (slots - 1) * tick, slots * tick, 3 * slots * tick])
    func `a timer may arm itself when it fires`(delay: UInt64) {
        let wheel = Wheel()
        let timer = wheel.makeTimer()
        let period = 1 + delay / Self.tick
        timer.onFire = { timer.arm(delay) }
        timer.arm(delay)
        for tick in 0...(10 * period) { wheel.advance(to: tick) }
        #expect(timer.fired == (1...10).map { $0 * period })
        #expect(wheel.armed == 1)
        timer.onFire = {}
        timer.disarm()
    }

    @Test func `a timer may disarm and arm those that are due with it`() {
        let wheel = Wheel()
        let timers = (0..<5).map { _ in wheel.makeTimer() }
        for timer in timers { timer.arm(100) }
        timers[1].onFire = {
            timers[1].onFire = {}
            timers[0].arm(50)  // has fired
            timers[1].arm(50)  // fires now
            timers[2].disarm()  // is due as well
            timers[3].arm(50)  // so is this
        }
        for tick in 0...10 as ClosedRange<UInt64> { wheel.advance(to: tick) }
        #expect(timers.map(\.fired) == [[3, 5], [3, 5], [], [5], [3]])
        #expect(wheel.armed == 0)
    }

    @Test(arguments: [255, 256, 257, 1000, 1 << 40] as [UInt64])
    func `after a long pause all that is due fires, and nothing else`(pause: UInt64) {
        let wheel = Wheel()
        let due = (0..<255).map { number in
            let timer = wheel.makeTimer()
            timer.arm(UInt64(number) * Self.tick)
            return timer
        }
        let later = wheel.makeTimer()
        later.arm((pause + 10) * Self.tick)
        wheel.advance(to: pause)
        #expect(due.allSatisfy { $0.fired.count == 1 })
        #expect(later.fired.isEmpty)
        #expect(wheel.armed == 1)
        #expect(wheel.now == pause)
        for tick in pause...(pause + 20) { wheel.advance(to: tick) }
        #expect(later.fired == [pause + 11])
    }

    @Test func `whatever is done to many timers, each fires when it should`() {
        var random = SeededGenerator(seed: 6455)
        let wheel = Wheel()
        let timers = (0..<50).map { _ in wheel.makeTimer() }
        var deadlines = [UInt64?](repeating: nil, count: timers.count)
        var expected = [Int](repeating: 0, count: timers.count)
        for _ in 0..<20_000 {
            let index = Int.random(in: 0..<timers.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let delay = UInt64.random(in: 0..<(4 * Self.slots * Self.tick), using: &random)
                timers[index].arm(delay)
                deadlines[index] = wheel.now + 1 + (delay + Self.tick - 1) / Self.tick
            case 5:
                timers[index].disarm()
                deadlines[index] = nil
            default:
                let now = wheel.now + UInt64.random(in: 0...(Bool.random(using: &random) ? 3 : 400), using: &random)
                wheel.advance(to: now)
                for index in timers.indices {
                    guard let deadline = deadlines[index], deadline <= now else { continue }
                    deadlines[index] = nil
                    expected[index] += 1
                }
            }
        }
        #expect(timers.map(\.fired.count) == expected)
        #expect(timers.map(\.isArmed) == deadlines.map { $0 != nil })
        #expect(wheel.armed == deadlines.count { $0 != nil })
    }
}
