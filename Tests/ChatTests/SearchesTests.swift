import Synchronization
import Testing

@testable import Chat

@Suite struct SearchesTests {
    @Test func `a new question ends the search before it, and answers come in the order of the questions`()
        async throws
    {
        let ears = Ears()
        var searches = Searches(outbox: ears.outbox, logger: quiet)
        let (ends, end) = AsyncStream<Void>.makeStream()
        await searches.begin("first") {
            for await _ in ends {}
            try Task.checkCancellation()
            return SearchResult()
        }
        await searches.begin("second") { SearchResult() }
        end.finish()
        await searches.finish()
        let heard = try await ears.all()
        #expect(heard.map(\.query) == ["first", "second"])
        #expect(heard.map(\.complete) == [false, true])
    }

    @Test func `a search is cancelled when its visitor leaves`() async throws {
        let ears = Ears()
        var searches = Searches(outbox: ears.outbox, logger: quiet)
        await searches.begin("first") {
            try await Task.sleep(for: .seconds(3_600))
            return SearchResult()
        }
        searches.cancel()
        await searches.finish()
        #expect(try await ears.all().map(\.complete) == [false])
    }

    @Test func `a search that fails is answered in words`() async throws {
        let ears = Ears()
        var searches = Searches(outbox: ears.outbox, logger: quiet)
        await searches.begin("first") { throw StoreError("no") }
        await searches.finish()
        #expect(try await ears.all().map(\.code) == ["unavailable"])
    }

    @Test func `no more than 16 questions are without an answer`() async throws {
        let ears = Ears()
        var searches = Searches(outbox: ears.outbox, logger: quiet)
        for number in 1...100 { await searches.begin("\(number)") { SearchResult() } }
        await searches.finish()
        #expect(try await ears.all().map(\.query) == (1...100).map(String.init))
    }

    @Test func `who asks a seventeenth question waits for the answers`() async throws {
        let begun = Mutex(0)
        let held = Mutex<CheckedContinuation<Void, Never>?>(nil)
        let asking = Task {
            var searches = Searches(outbox: Outbox(), logger: quiet)
            for number in 1...17 {
                await searches.begin("\(number)") {
                    if number == 1 { await withCheckedContinuation { one in held.withLock { $0 = one } } }
                    return SearchResult()
                }
                while number == 1, held.withLock({ $0 == nil }) { await Task.yield() }
                begun.withLock { $0 += 1 }
            }
            await searches.finish()
        }
        while begun.withLock(\.self) < 16 { await Task.yield() }
        for _ in 0..<1000 { await Task.yield() }
        #expect(begun.withLock(\.self) == 16)
        held.withLock { $0.take() }?.resume()
        await asking.value
        #expect(begun.withLock(\.self) == 17)
    }
}
