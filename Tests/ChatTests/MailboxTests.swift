import Synchronization
import Testing

@testable import Chat

@Suite struct MailboxTests {
    @Test func `what was put in is taken out all at once, in order`() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        for number in 1...5 { mailbox.post(number) }
        #expect(await mailbox.next() == [1, 2, 3, 4, 5])
    }

    @Test func `who takes out waits until something is put in`() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        async let taken = mailbox.next()
        mailbox.post(7)
        #expect(await taken == [7])
    }

    @Test func `after closing, what is in can be taken out, and nothing comes in`() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        mailbox.post(1)
        mailbox.close()
        mailbox.post(2)
        #expect(await mailbox.next() == [1])
        #expect(await mailbox.next() == nil)
    }

    @Test func `closing wakes who waits to take out`() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        async let taken = mailbox.next()
        mailbox.close()
        #expect(await taken == nil)
    }

    @Test func `cancelling who waits to take out closes the mailbox`() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        let task = Task { await mailbox.next() }
        task.cancel()
        #expect(await task.value == nil)
        mailbox.post(1)
        #expect(await mailbox.next() == nil)
    }

    @Test func `above the capacity put waits until it is taken out`() async {
        let mailbox = Mailbox<Int>(capacity: 2)
        let (puts, put) = AsyncStream<Int>.makeStream()
        let task = Task {
            for number in 1...3 {
                await mailbox.put(number)
                put.yield(number)
            }
            put.finish()
        }
        var returned = puts.makeAsyncIterator()
        #expect(await returned.next() == 1)
        #expect(await returned.next() == 2)
        var taken: [Int] = []
        while taken.count < 3 { taken += await mailbox.next() ?? [] }
        #expect(taken == [1, 2, 3])
        #expect(await returned.next() == 3)
        await task.value
    }

    @Test func `so much is taken out at a time as was asked for, at least one element, and nothing is lost`() async {
        let mailbox = Mailbox<String>(capacity: 4, cost: \.utf8.count)
        for text in ["123", "4567", "8", "9", "0123456789"] { mailbox.post(text) }
        mailbox.close()
        #expect(await mailbox.next(most: 4) == ["123", "4567"])
        #expect(await mailbox.next(most: 1) == ["8"])
        #expect(await mailbox.next(most: 4) == ["9", "0123456789"])
        #expect(await mailbox.next(most: 4) == nil)
    }

    @Test func `who waits for room goes on when what is left is within the capacity`() async {
        let mailbox = Mailbox<String>(capacity: 4, cost: \.utf8.count)
        for text in ["123", "4567", "89"] { mailbox.post(text) }
        async let hasRoom = mailbox.hasRoom()
        #expect(await mailbox.next(most: 1) == ["123"])
        #expect(await mailbox.next(most: 1) == ["4567"])
        #expect(await hasRoom)
        #expect(await mailbox.hasRoom())
    }

    @Test func `closing lets go who waits to put in`() async {
        let mailbox = Mailbox<Int>(capacity: 0)
        async let isOpen = mailbox.put(1)
        mailbox.close()
        #expect(await isOpen == false)
    }

    @Test func `above the limit the mailbox drops everything, closes, and says so once`() async {
        let overflows = Mutex(0)
        let mailbox = Mailbox<String>(capacity: 4, limit: 8, cost: \.utf8.count) { overflows.withLock { $0 += 1 } }
        mailbox.post("12345678")
        #expect(overflows.withLock(\.self) == 0)
        mailbox.post("9")
        mailbox.post("10")
        #expect(overflows.withLock(\.self) == 1)
        #expect(await mailbox.next() == nil)
    }

    @Test func `many tasks put in and nothing is lost, and each task's own order is kept`() async {
        let mailbox = Mailbox<(Int, Int)>(capacity: 50)
        let all = await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<250 { await mailbox.put((writer, number)) }
                }
            }
            var all: [(Int, Int)] = []
            while all.count < 2_000 { all += await mailbox.next() ?? [] }
            return all
        }
        for writer in 0..<8 {
            #expect(all.filter { $0.0 == writer }.map(\.1) == Array(0..<250))
        }
    }
}
