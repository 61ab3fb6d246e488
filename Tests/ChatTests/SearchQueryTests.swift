import Testing

@testable import Chat

@Suite struct SearchQueryTests {
    @Test func `words of three characters and more go to the index, shorter ones do not`() {
        #expect(SearchQuery("  hel 你好 世界你好\ta \n").trigrams == ["世界你", "界你好", "hel"])
        #expect(SearchQuery("你好 a").match == nil)
        #expect(SearchQuery(" \n").isEmpty)
    }

    @Test func `a query is looked up by at most eight trigrams, however long it is`() {
        let long = String((0..<200).compactMap { Unicode.Scalar(0x4E00 + $0) }.map(Character.init))
        #expect(SearchQuery(long).trigrams.count == 5)
        let words = (0..<50).map { "w\($0)x" }.joined(separator: " ")
        #expect(SearchQuery(words).trigrams.count == 8)
    }

    @Test func `trigrams become string literals of FTS5, whatever mark follows a quotation mark`() {
        #expect(SearchQuery(#"a"b"#).match == #""a""b""#)
        #expect(SearchQuery("\"\u{301}\"").match == "\"\"\"\u{301}\"\"\"")
    }

    @Test(arguments: [
        ("hello", "Say HELLO", true), ("ÜBER", "über", true), ("ab", "aab", true), ("aab", "aaaab", true),
        ("abcabd", "abcabcabd", true), ("abcabd", "abcabcab", false), ("a b", "ba", true), ("a c", "ba", false),
        ("%", "100", false), ("é", "e", false), ("x", "", false),
    ])
    func `every word must occur, in either case`(query: String, text: String, matches: Bool) {
        var budget = 1_000
        #expect(SearchQuery(query).matches(text, budget: &budget) == matches)
    }

    @Test(arguments: ["a", "aaaab", "\u{301}"])
    func `a match costs a few looks at each character, whatever repeats`(letters: String) {
        let word = String(repeating: letters, count: 180 / letters.unicodeScalars.count) + "c"
        let text = String(repeating: letters, count: 4_000 / letters.unicodeScalars.count)
        var budget = 0
        _ = SearchQuery(word).matches(text, budget: &budget)
        #expect(-budget <= 3 * text.unicodeScalars.count)
    }
}
