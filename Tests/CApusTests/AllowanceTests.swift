import CApus
import CApusInternals
import Testing

/// An allowance, and those who wait for it, by their numbers.
private final class Allowance {
    let pointer = UnsafeMutablePointer<apus_allowance>.allocate(capacity: 1)
    private var waits: [UnsafeMutablePointer<apus_publish_wait>] = []
    /// The numbers of those that were called, in order.
    var called: [Int] = []

    init(deliveries: UInt64, bytes: UInt64 = .max / 2) {
        #expect(apus__allowance_init(pointer, deliveries, bytes) == 0)
    }

    deinit {
        apus__allowance_deinit(pointer)
        for wait in waits {
            if let call = wait.pointee.argument { Unmanaged<Call>.fromOpaque(call).release() }
            wait.deallocate()
        }
        pointer.deallocate()
    }

    private final class Call {
        unowned let allowance: Allowance
        let number: Int

        init(_ allowance: Allowance, _ number: Int) {
            self.allowance = allowance
            self.number = number
        }
    }

    func take(_ deliveries: UInt64, _ bytes: UInt64 = 0, as number: Int? = nil) -> Bool {
        apus__allowance_take(pointer, deliveries, bytes, number.map { waits[$0] })
    }

    func giveBack(_ deliveries: UInt64, _ bytes: UInt64 = 0) { apus__allowance_give_back(pointer, deliveries, bytes) }

    /// Begins a new wait; returns whether it waits.
    func wait(_ deliveries: UInt64, _ bytes: UInt64 = 0) -> Bool {
        let wait = UnsafeMutablePointer<apus_publish_wait>.allocate(capacity: 1)
        let call: apus_call_cb = { argument in
            guard let argument else { return }
            let call = Unmanaged<Call>.fromOpaque(argument).takeUnretainedValue()
            call.allowance.called.append(call.number)
        }
        apus_publish_wait_init(wait, call, Unmanaged.passRetained(Call(self, waits.count)).toOpaque())
        waits.append(wait)
        return apus__allowance_wait(pointer, wait, deliveries, bytes)
    }

    /// Waits once more.
    func wait(again number: Int, _ deliveries: UInt64, _ bytes: UInt64 = 0) -> Bool {
        apus__allowance_wait(pointer, waits[number], deliveries, bytes)
    }

    func cancel(_ number: Int) -> Bool { apus_publish_wait_cancel(waits[number]) }
}

struct AllowanceTests {
    @Test func `deliveries and bytes are both bounded, and what fits exactly is taken`() {
        let allowance = Allowance(deliveries: 10, bytes: 100)
        #expect(allowance.take(4, 40))
        #expect(allowance.take(6, 60))
        #expect(!allowance.take(1, 0))
        allowance.giveBack(6, 60)
        #expect(!allowance.take(7, 0))
        #expect(!allowance.take(1, 61))
        #expect(allowance.take(6, 60))
        #expect(allowance.pointer.pointee.deliveries == 10)
        #expect(allowance.pointer.pointee.bytes == 100)
        #expect(allowance.pointer.pointee.refused == 3)
    }

    @Test func `one message of any size has room if nothing else has taken any`() {
        let allowance = Allowance(deliveries: 10, bytes: 100)
        #expect(allowance.take(1000, 100_000))
        #expect(!allowance.take(1, 1))
        allowance.giveBack(1000, 100_000)
        #expect(allowance.take(1, 100_000))
        #expect(!allowance.take(1, 1))
    }

    @Test func `those who wait are called in their order, and no more than there is room for`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(10))
        for _ in 0..<5 { #expect(allowance.wait(4)) }
        // Until half is free, nobody is.
        allowance.giveBack(4)
        #expect(allowance.called == [])
        allowance.giveBack(6)
        #expect(allowance.called == [0, 1])
        #expect(allowance.take(4, as: 0))
        #expect(allowance.take(4, as: 1))
        allowance.giveBack(4)
        #expect(allowance.called == [0, 1, 2])
        #expect(allowance.take(4, as: 2))
        allowance.giveBack(4)
        #expect(allowance.called == [0, 1, 2, 3])
        #expect(allowance.pointer.pointee.delayed == 5)
    }

    @Test func `what comes later does not overtake those who wait`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(10))
        #expect(allowance.wait(8))
        allowance.giveBack(4)
        #expect(!allowance.take(1))
        #expect(allowance.wait(1))
        allowance.giveBack(6)
        #expect(allowance.called == [0, 1])
    }

    @Test func `one who was called and found no room waits in its old place`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(10))
        for _ in 0..<3 { #expect(allowance.wait(6)) }
        allowance.giveBack(10)
        #expect(allowance.called == [0])
        #expect(allowance.take(10, as: 0))
        #expect(!allowance.take(6, as: 0))
        #expect(allowance.wait(again: 0, 6))
        allowance.giveBack(10)
        #expect(allowance.called == [0, 0])
    }

    @Test func `nobody waits where there is room by now`() {
        let allowance = Allowance(deliveries: 10)
        #expect(!allowance.wait(10))
        #expect(allowance.take(6))
        #expect(!allowance.wait(4))
        #expect(allowance.wait(5))
        // Somebody is before it.
        #expect(allowance.wait(4))
        #expect(allowance.pointer.pointee.waiting == 2)
    }

    @Test func `one who has given up is not called, and those behind it are`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(10))
        for _ in 0..<3 { #expect(allowance.wait(6)) }
        #expect(allowance.cancel(0))
        #expect(!allowance.cancel(0))
        allowance.giveBack(10)
        #expect(allowance.called == [1])
        #expect(!allowance.cancel(1))
        // It does not use its turn.
        apus__allowance_resume(allowance.pointer)
        #expect(allowance.called == [1, 2])
        #expect(allowance.pointer.pointee.waiting == 0)
    }

    @Test func `a large one that gives up lets a small one through`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(5))
        #expect(allowance.wait(8))
        #expect(allowance.wait(2))
        #expect(allowance.called == [])
        #expect(allowance.cancel(0))
        #expect(allowance.called == [1])
    }

    @Test func `a new turn has room for everything again`() {
        let allowance = Allowance(deliveries: 10, bytes: 10)
        #expect(allowance.take(10, 10))
        #expect(allowance.wait(10, 10))
        #expect(allowance.wait(1, 1))
        apus__allowance_reset(allowance.pointer)
        #expect(allowance.called == [0])
        #expect(allowance.take(10, 10, as: 0))
        apus__allowance_reset(allowance.pointer)
        #expect(allowance.called == [0, 1])
    }

    @Test func `one who was called and gives up leaves the room to those behind`() {
        let allowance = Allowance(deliveries: 10)
        #expect(allowance.take(10))
        for _ in 0..<3 { #expect(allowance.wait(6)) }
        allowance.giveBack(10)
        #expect(allowance.called == [0])
        // Nobody else gives anything back from here on.
        #expect(!allowance.cancel(0))
        #expect(allowance.called == [0, 1])
        #expect(!allowance.cancel(0))
        #expect(allowance.called == [0, 1])
        #expect(!allowance.cancel(1))
        #expect(allowance.called == [0, 1, 2])
        #expect(allowance.pointer.pointee.waiting == 0)
    }
}
