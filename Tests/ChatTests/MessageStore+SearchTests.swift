import Dispatch
import TestSupport
import Testing

@testable import Chat

@Suite(.computing) struct MessageStoreSearchTests {
    private static let texts = [
        "hello world", "Hello again", "你好，世界", "今天天气很好", "<b>bold</b> & \"quoted\" 'single'", "100% sure",
        "100 sure", "snake_case", "snakeXcase", "a AND b OR c NOT d NEAR(e) text:f g* ^h", "C:\\temp\\x",
        "Ünïcödé 😀 smile", "col1-col2",
    ]

    @Test(arguments: [
        ("hello", ["Hello again", "hello world"]),
        ("HELLO", ["Hello again", "hello world"]),
        ("world hello", ["hello world"]),
        ("ell", ["Hello again", "hello world"]),
        ("你好，世", ["你好，世界"]),
        ("天天气", ["今天天气很好"]),
        ("世界", ["你好，世界"]),
        ("好", ["今天天气很好", "你好，世界"]),
        ("<b>", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("</b> &", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("\"quoted\"", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("'single'", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("\"", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("'", ["<b>bold</b> & \"quoted\" 'single'"]),
        ("%", ["100% sure"]),
        ("0%", ["100% sure"]),
        ("100%", ["100% sure"]),
        ("_", ["snake_case"]),
        ("e_", ["snake_case"]),
        ("snake_case", ["snake_case"]),
        ("\\", ["C:\\temp\\x"]),
        ("AND", ["a AND b OR c NOT d NEAR(e) text:f g* ^h"]),
        ("OR NOT", ["a AND b OR c NOT d NEAR(e) text:f g* ^h"]),
        ("NEAR(e)", ["a AND b OR c NOT d NEAR(e) text:f g* ^h"]),
        ("text:f", ["a AND b OR c NOT d NEAR(e) text:f g* ^h"]),
        ("g* ^h", ["a AND b OR c NOT d NEAR(e) text:f g* ^h"]),
        ("col1-col2", ["col1-col2"]),
        ("ünïcödé", ["Ünïcödé 😀 smile"]),
        ("😀", ["Ünïcödé 😀 smile"]),
        ("ÜN", ["Ünïcödé 😀 smile"]),
        ("hello zzz", []), ("\"\u{301}", []), ("%\u{301}", []), ("ab\"\u{301}cd", []), ("helloworld", []), ("zzz", []),
        ("\"\"\"", []), ("***", []), ("", []), ("  ", []),
    ])
    func `what is typed is found as it stands, newest first`(query: String, found: [String]) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add(Self.texts)
        #expect(try await temporary.store.search(SearchQuery(query)).messages.map(\.text) == found)
    }

    @Test(arguments: ["green tea", "t"])
    func `a search may be confined to one room`(query: String) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee")
        try await temporary.add("green tea")
        try await temporary.add("more green tea", room: temporary.rooms[1])
        let one = try await temporary.store.search(SearchQuery(query), room: temporary.rooms[1]).messages
        #expect(one.map(\.room) == ["Tee"])
        let all = try await temporary.store.search(SearchQuery(query)).messages
        #expect(all.map(\.room) == ["Tee", "Tea"])
    }

    @Test(arguments: ["number", "n"])
    func `the newest 50 are found, newest first`(query: String) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let ids = try await temporary.add((1...60).map { "number \($0)" })
        let found = try await temporary.store.search(SearchQuery(query)).messages
        #expect(found.map(\.id) == ids.suffix(50).reversed())
    }

    @Test func `the longest query of the shortest words is answered`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let text = Array(repeating: "a", count: 100).joined(separator: " ")
        try await temporary.add(text)
        #expect(try await temporary.store.search(SearchQuery(text)).messages.count == 1)
    }

    @Test func `a search that costs more than its budget ends there, and says that it is not complete`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        // Each text holds every trigram of the query, and none the query.
        try await temporary.add(Array(repeating: "abb" + String(repeating: "ab", count: 1_990), count: 100))
        let query = SearchQuery(String(repeating: "ab", count: 98) + "abb")
        let result = try await temporary.store.search(query, budget: 100_000)
        #expect(result.messages.isEmpty)
        #expect(!result.isComplete)
        #expect(try await temporary.store.search(query).isComplete)
        let partial = try await temporary.store.search(SearchQuery("aba ba"), limit: 1_000, budget: 100_000)
        #expect(!partial.isComplete)
        #expect((1..<100).contains(partial.messages.count))
    }

    @Test func `a message costs a search more than its characters`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add(Array(repeating: "a", count: 500))
        // The first window costs 1,000.
        let result = try await temporary.store.search(SearchQuery("b"), budget: 11_000)
        #expect(!result.isComplete)
        #expect(try await temporary.store.search(SearchQuery("b"), budget: 41_000).isComplete)
    }

    @Test func `a search looks no further back than its budget, and finds what is nearer`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add("needle")
        try await temporary.add(Array(repeating: "some hay", count: 3_000))
        try await temporary.add("needle again")
        for word in ["ne", "needle"] {
            let near = try await temporary.store.search(SearchQuery(word), budget: 2_000)
            #expect(near.messages.map(\.text) == ["needle again"])
            #expect(!near.isComplete)
            let all = try await temporary.store.search(SearchQuery(word))
            #expect(all.messages.map(\.text) == ["needle again", "needle"])
            #expect(all.isComplete)
        }
    }

    @Test func `a gap in the ids costs nothing`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add("needle")
        try await temporary.store.pool.write { db in
            try db.execute(sql: "UPDATE sqlite_sequence SET seq = 9007199254740000 WHERE name = 'messages'")
        }
        try await temporary.add("needle")
        let result = try await temporary.store.search(SearchQuery("needle"))
        #expect(result.messages.count == 2)
        #expect(result.isComplete)
    }

    @Test func `a search whose task was cancelled ends with a cancellation`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let store = temporary.store
        try await temporary.add("needle")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.search(SearchQuery("needle"))
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `reading and writing do not wait for a search`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let store = temporary.store
        let (held, hold) = AsyncStream<Void>.makeStream()
        let free = DispatchSemaphore(value: 0)
        let searching = Task {
            try await store.searcher.read { _ in
                hold.yield()
                free.wait()
            }
        }
        for await _ in held { break }
        try await temporary.add("a")
        try await store.check()
        #expect(try await store.page(room: 1, after: 0, through: .max).messages.count == 1)
        free.signal()
        try await searching.value
    }
}
