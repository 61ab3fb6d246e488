import Testing

@testable import Chat

@Suite struct LimitsTests {
    @Test(arguments: [
        ("Ann", "Ann"), (" \t Ann \n", "Ann"), ("a", "a"), ("茶 馆", "茶 馆"), ("👩‍👩‍👧", "👩‍👩‍👧"),
        (String(repeating: "x", count: 40), String(repeating: "x", count: 40)),
    ])
    func `a name of 1 to 40 characters is trimmed and taken`(raw: String, name: String) {
        #expect(Limits.name(raw) == name)
    }

    @Test(arguments: ["", "   ", "a\u{0}b", "a\nb", "a\u{7F}", "a\u{2028}b", String(repeating: "x", count: 41)])
    func `a name that is empty, too long or has control characters is not taken`(raw: String) {
        #expect(Limits.name(raw) == nil)
    }

    @Test func `a name is the same bytes however its accents were typed`() throws {
        let composed = try #require(Limits.name("Ren\u{E9}"))
        let decomposed = try #require(Limits.name("Rene\u{301}"))
        #expect(Array(composed.utf8) == Array(decomposed.utf8))
    }

    @Test func `a name is measured in Unicode scalars, so that one grapheme cluster cannot be endless`() {
        #expect(Limits.name("a" + String(repeating: "\u{301}", count: 60)) == nil)
    }

    @Test(arguments: ["x", " ", "<script>", "\n", String(repeating: "你", count: 4_000)])
    func `a text of 1 to 4,000 characters is taken as it is`(text: String) throws {
        try Limits.check(text: text)
    }

    @Test func `a text may not be empty, too long or hold U+0000`() {
        #expect(refusal { try Limits.check(text: "") } == .badRequest)
        #expect(refusal { try Limits.check(text: String(repeating: "x", count: 4_001)) } == .tooLong)
        #expect(refusal { try Limits.check(text: "a\u{0}b") } == .badRequest)
    }

    @Test func `a key has 1 to 64 characters`() throws {
        try Limits.check(key: "8c0ce3d8-0f4c-4f0a-9d0b-6a2f5c1f9f11")
        #expect(refusal { try Limits.check(key: "") } == .badRequest)
        #expect(refusal { try Limits.check(key: String(repeating: "k", count: 65)) } == .badRequest)
        #expect(refusal { try Limits.check(key: "a\u{0}") } == .badRequest)
    }

    @Test func `a search query may be empty but not longer than 200 characters`() throws {
        try Limits.check(query: "")
        #expect(refusal { try Limits.check(query: String(repeating: "q", count: 201)) } == .tooLong)
    }

    private func refusal(_ body: () throws -> Void) -> Refusal.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? Refusal)?.code
        }
    }
}
