import CApusCore
import Testing

struct HeadTests {
    private let head: ParsedHead

    init() throws {
        head = try ParsedHead(request("X-One: 1", "x-two: first", "X-TWO: second", "X-Empty:", "X_One: other"))
    }

    @Test(arguments: [("host", "example.org"), ("x-one", "1"), ("x-two", "first"), ("x-empty", "")])
    func `the first field of a name is found in any case`(name: String, value: String) {
        #expect(head.ask { apus_head_find($0, name)?.pointee.value.string } == value)
    }

    @Test(arguments: ["", "x", "x-on", "x-one-", "x-three", "one", "x_on"])
    func `a name that no field has is not found`(name: String) {
        #expect(head.ask { apus_head_find($0, name) } == nil)
        #expect(head.ask { apus_head_count($0, name) } == 0)
    }

    @Test(arguments: [("x-one", 1), ("x-two", 2), ("x-empty", 1), ("x_one", 1)])
    func `fields of a name are counted in any case`(name: String, count: Int) {
        #expect(head.ask { apus_head_count($0, name) } == count)
    }

    @Test(arguments: [
        (["A: token"], true), (["A: TOKEN"], true), (["A: b, Token"], true), (["A: token,b"], true),
        (["A: b,token,c"], true),
        (["A: ,, \t token\t ,"], true), (["A: b", "A: c, token"], true), (["A:", "a: token"], true),
        (["A: tokens"], false),
        (["A: toke"], false), (["A: token b"], false), (["A: a token"], false), (["A:"], false), (["A: ,"], false),
        (["B: token"], false), (["A: token;q=1"], false), (["A: \"token\""], false), (["A: b", "B: token"], false),
        (["A: tok", "A: en"], false),
    ])
    func `a list holds a token, in any case, wherever its elements stand`(fields: [String], isThere: Bool) throws {
        let lines = (["GET / HTTP/1.1", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n")
        #expect(try ParsedHead(lines).ask { apus_head_has_token($0, "a", "token") } == isThere)
    }

    @Test(arguments: [
        ("", "", true), ("a", "a", true), ("A", "a", true), ("aB-1", "ab-1", true), ("a", "", false), ("", "a", false),
        ("a", "ab", false), ("ab", "a", false), ("[", "{", false), ("@", "`", false), ("\u{e9}", "\u{c9}", false),
    ])
    func `texts are equal but for the case of ASCII letters`(text: String, lower: String, areEqual: Bool) {
        #expect(withText(text) { apus_text_equals($0, lower) } == areEqual)
    }

    @Test func `a text that holds a NUL equals none`() {
        #expect(!withText("a\0") { apus_text_equals($0, "a") })
        #expect(!withText("\0") { apus_text_equals($0, "") })
    }
}
