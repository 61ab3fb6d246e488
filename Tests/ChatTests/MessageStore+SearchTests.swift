import Testing

@testable import Chat

@Suite struct MessageStoreSearchTests {
    @Test func `words of three characters and more go to the index, shorter ones do not`() {
        let query = SearchQuery("  hello 你好 世界你好\ta \n")
        #expect(query.indexed == ["hello", "世界你好"])
        #expect(query.short == ["你好", "a"])
        #expect(!query.isEmpty)
        #expect(SearchQuery(" \n").isEmpty)
    }

    @Test func `words become string literals of FTS5 and escaped patterns of LIKE`() {
        #expect(SearchQuery(#"say "hi" NEAR("#).match == #""say" """hi""" "NEAR(""#)
        #expect(SearchQuery(#"% _ \ a%"#).patterns == [#"%\%%"#, #"%\_%"#, #"%\\%"#, #"%a\%%"#])
    }

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
        ("hello zzz", []), ("zzz", []), ("\"\"\"", []), ("***", []), ("", []), ("  ", []),
    ])
    func `what is typed is found as it stands, newest first`(query: String, found: [String]) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add(Self.texts)
        #expect(try await temporary.store.search(SearchQuery(query)).map(\.text) == found)
    }

    @Test(arguments: ["green tea", "t"])
    func `a search may be confined to one room`(query: String) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee")
        try await temporary.add("green tea")
        try await temporary.add("more green tea", room: temporary.rooms[1])
        let one = try await temporary.store.search(SearchQuery(query), room: temporary.rooms[1])
        #expect(one.map(\.room) == ["Tee"])
        let all = try await temporary.store.search(SearchQuery(query))
        #expect(all.map(\.room) == ["Tee", "Tea"])
    }

    @Test(arguments: ["number", "n"])
    func `the newest 50 are found, newest first`(query: String) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let ids = try await temporary.add((1...60).map { "number \($0)" })
        let found = try await temporary.store.search(SearchQuery(query))
        #expect(found.map(\.id) == ids.suffix(50).reversed())
    }

    @Test func `the longest query of the shortest words is answered`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let text = Array(repeating: "a", count: 100).joined(separator: " ")
        try await temporary.add(text)
        #expect(try await temporary.store.search(SearchQuery(text)).count == 1)
    }
}
