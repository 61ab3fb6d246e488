import Testing

@testable import ApusSocketIO

struct JSONTests {
    private static func parse(_ text: String) throws -> JSON { try JSONParser.parse(Array(text.utf8)) }

    private static func fails(_ bytes: [UInt8]) -> Bool {
        do {
            _ = try JSONParser.parse(bytes)
            return false
        } catch {
            return true
        }
    }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1.0", "1e5", "1E+05", "-1.50e-3", "12345678901234567890123", "\"\"",
        #""a\"\\\b\f\n\r\t\u0001é😀/""#, "[]", "{}", "[1,[2,[]],{}]", #"{"z":1,"a":{"b":null},"z":2}"#,
    ])
    func `what is compact already is written as it was read`(text: String) throws {
        #expect("\(try Self.parse(text))" == text)
    }

    @Test func `space and needless escapes go`() throws {
        #expect("\(try Self.parse(" [ 1 ,\n\t{ \"a\" : \"\\u0041\\/\" } ]\r\n"))" == #"[1,{"a":"A/"}]"#)
    }

    @Test func `a pair of surrogates is one character, and half of one is none`() throws {
        #expect(try Self.parse(#""\ud83d\ude00""#) == "😀")
        #expect(try Self.parse(#""\ud83dx""#) == "\u{FFFD}x")
        #expect(try Self.parse(#""\ude00""#) == "\u{FFFD}")
        #expect(try Self.parse(#""\ud83d\u0041""#) == "\u{FFFD}A")
        #expect(try Self.parse(#""\ud83d\n""#) == "\u{FFFD}\n")
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1", "NaN", "\"", "\"\u{1}\"",
        #""\x""#, #""\u12""#, #""\u12g4""#, #""\ud83d\u12""#, "'a'", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{",
        "{a:1}",
        #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1"#, "1 1", "[]]", "//", "\u{FEFF}1",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(Self.fails(Array(text.utf8)))
    }

    @Test func `a text that is cut anywhere is refused`() {
        let text = Array(#"{"a":[1.5e3,"b\u00e9\n",null,true,false],"c":{}}"#.utf8)
        for end in 0..<text.count { #expect(Self.fails(Array(text[..<end])), "cut at \(end)") }
    }

    @Test func `it nests so deep and no deeper`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect("\(try Self.parse(nested(JSONParser.maxDepth + 1)))".count == 2 * (JSONParser.maxDepth + 1))
        #expect(Self.fails(Array(nested(JSONParser.maxDepth + 2).utf8)))
        #expect(Self.fails(Array(String(repeating: "[", count: 1_000_000).utf8)))
    }

    @Test func `members are found, set and removed in their places`() throws {
        var object = try #require(try Self.parse(#"{"a":1,"b":2,"a":3}"#).object)
        #expect(object["a"] == 3)
        object["b"] = "two"
        object["c"] = [nil]
        object["a"] = nil
        #expect("\(JSON.object(object))" == #"{"b":"two","c":[null]}"#)
        #expect(JSON.object(object)["c"]?[0] == .null)
        #expect(JSON.object(object)["c"]?[1] == nil)
    }

    @Test func `bytes are written as placeholders, in order`() {
        var writer = JSONWriter()
        writer.write([["x": .binary([1])], .binary([2, 3])])
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(text == #"[{"x":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#)
        #expect(writer.attachments == [[1], [2, 3]])
    }
}
