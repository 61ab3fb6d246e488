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
}
