import Synchronization
import Testing

@testable import Chat

@Suite struct OutboxTests {
    private let event = ServerEvent.named("12345678")

    @Test func `an outbox that passes its limit is given up once, and holds nothing`() async {
        let overflows = Mutex(0)
        let size = Outgoing(event).size
        let outbox = Outbox(limit: 2 * size) { overflows.withLock { $0 += 1 } }
        for _ in 1...2 { outbox.post(event) }
        #expect(overflows.withLock(\.self) == 0)
        for _ in 1...5 { outbox.post(event) }
        #expect(overflows.withLock(\.self) == 1)
        #expect(await outbox.next() == nil)
        #expect(await !outbox.put(event))
    }

    @Test func `what is taken out at a time is little, so that what waits is counted where it waits`() async throws {
        let outbox = Outbox()
        let size = Outgoing(event).size
        let count = 3 * Outbox.capacity / size
        let shared = Outgoing(event)
        for _ in 0..<count { outbox.post(shared) }
        var taken: [Int] = []
        outbox.close()
        while let events = await outbox.next() { taken.append(events.count) }
        #expect(taken.reduce(0, +) == count)
        #expect(taken.allSatisfy { $0 <= Outbox.capacity / size + 1 })
    }

    @Test func `who is far behind has to wait with questions, until little is left`() async {
        let outbox = Outbox()
        let size = Outgoing(event).size
        for _ in 0..<(2 * Outbox.capacity / size) { outbox.post(event) }
        async let hasRoom = outbox.hasRoom()
        for _ in 1...2 { _ = await outbox.next() }
        #expect(await hasRoom)
    }
}
