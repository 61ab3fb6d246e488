@testable import Apus
import Testing

struct EntityTagTests {
    @Test func `a tag tells contents apart`() {
        let contents: [[UInt8]] = [[], [0], [0, 0], [1], Array("a".utf8), Array("b".utf8), Array("ab".utf8)]
        let tags = contents.map(EntityTag.strong(for:))
        #expect(Set(tags).count == contents.count)
        #expect(tags == contents.map(EntityTag.strong(for:)))
    }

    /// The hash of FNV-1a's own test vectors (draft-eastlake-fnv, appendix C).
    @Test(arguments: [("", "cbf29ce484222325-0"), ("a", "af63dc4c8601ec8c-1"), ("foobar", "85944171f73967e8-6")])
    func `a tag is the FNV-1a hash and the length, in quotes`(text: String, tag: String) {
        #expect(EntityTag.strong(for: Array(text.utf8)) == "\"\(tag)\"")
    }

    @Test(arguments: ["\"x\"", "W/\"x\"", " \"x\"\t", "\"a\", \"x\"", "\"a\",W/\"x\" ,\"b\"", "*", " * "])
    func `a list that names the tag matches`(list: String) {
        #expect(EntityTag.list(list, matches: "\"x\""))
    }

    @Test(arguments: ["", " ", ",", "x", "\"y\"", "\"x", "x\"", "\"xx\"", "w/\"x\"", "**", "\"X\""])
    func `one that does not, does not`(list: String) {
        #expect(!EntityTag.list(list, matches: "\"x\""))
    }
}
