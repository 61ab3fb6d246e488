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

    @Test(arguments: [
        "\u{200B}", "\u{2060}\u{200D}", "\u{FEFF}", "\u{AD}", "\u{3164}", "\u{FFA0}", "\u{115F}\u{1160}", "\u{2800}",
        "\u{E0041}", "\u{FE0F}", "\u{301}", "\u{200B} \u{200B}", "\u{200E}", "\u{E000}\u{202E}",
    ])
    func `a name that nobody could see is not taken`(raw: String) {
        #expect(Limits.name(raw) == nil)
    }

    @Test(arguments: (0x202A...0x202E).map { $0 } + (0x2066...0x2069).map { $0 })
    func `a name that turns the direction of the text around it is not taken`(value: Int) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(Limits.name("Ann\(scalar)nnA") == nil)
    }

    @Test(arguments: ["שלום", "مرحبا", "❤\u{FE0F}", "e\u{301}", "می\u{200C}خواهم", "🏴\u{E0067}\u{E0062}\u{E007F}"])
    func `a name in another direction, or with joiners and marks between what is seen, is taken`(raw: String) {
        #expect(Limits.name(raw) != nil)
    }

    @Test func `a name that its composed form makes longer than 40 characters is not taken`() {
        #expect(Limits.name(String(repeating: "\u{FB2C}", count: 14)) == nil)
        #expect(Limits.name(String(repeating: "\u{FB2C}", count: 13)) != nil)
    }

    @Test func `no more of a text is looked at than its limit asks for`() {
        let marks = alternatingMarks(bytes: 1 << 20)
        #expect(!Limits.hasAtMost(40, marks))
        #expect(Limits.hasAtMost(40, String(marks.unicodeScalars.prefix(40))))
        #expect(!Limits.hasAtMost(40, String(marks.unicodeScalars.prefix(41))))
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
        #expect(refusal { try Limits.check(query: "a\u{0}b") } == .badRequest)
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
