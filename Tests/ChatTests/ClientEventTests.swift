import TestSupport
import Testing

@testable import Chat

@Suite(.computing) struct ClientEventTests {
    @Test(arguments: [
        (#"{"type":"hello","name":"Ann"}"#, ClientEvent.hello(name: "Ann", changes: false)),
        (#"{"type":"hello","name":null}"#, .hello(name: nil, changes: false)),
        (#"{"type":"hello"}"#, .hello(name: nil, changes: false)),
        (#"{"type":"hello","changes":true}"#, .hello(name: nil, changes: true)),
        (#"{"typ\u0065":"name","name":"\u8336\uD83D\uDE00\/\t"}"#, .name("茶😀/\t")),
        (" { \"type\" : \"leave\" ,\n\"room\":\"Tea\" } ", .leave(room: "Tea")),
        (#"{"name":"Bo","type":"name"}"#, .name("Bo")),
        (#"{"type":"create","room":"Tea"}"#, .create(room: "Tea")),
        (#"{"type":"join","room":"Tea","after":null}"#, .join(room: "Tea", after: nil)),
        (#"{"type":"join","room":"Tea","after":9007199254740991}"#, .join(room: "Tea", after: 9_007_199_254_740_991)),
        (#"{"type":"leave","room":"茶"}"#, .leave(room: "茶")),
        (#"{"type":"send","room":"Tea","key":"k","text":"<b>\"\n"}"#, .send(room: "Tea", key: "k", text: "<b>\"\n")),
        (#"{"type":"typing","room":"Tea"}"#, .typing(room: "Tea")),
        (#"{"type":"history","room":"Tea","before":7,"limit":50}"#, .history(room: "Tea", before: 7, limit: 50)),
        (#"{"type":"search","query":"你好","room":null}"#, .search(query: "你好", room: nil)),
        (#"{"type":"search","query":"","room":"Tea"}"#, .search(query: "", room: "Tea")),
    ])
    func `every type of the protocol decodes`(json: String, event: ClientEvent) throws {
        #expect(try ClientEvent(json: json) == event)
    }

    @Test(arguments: [
        "", "hello", "null", "42", "[]", #""hello""#, "{", "{}", #"{"type":1}"#, #"{"type":null}"#,
        "{\"type\":\"hello\"", #"{"type":"hello"} x"#, #"{"type":"hello",}"#, #"{"type":"hello","name":nul}"#,
        #"{"type":"name","name":"\uD83D"}"#, #"{"type":"name","name":"\uD83D\u0041"}"#, #"{"type":"name","name":"\x"}"#,
        "{\"type\":\"name\",\"name\":\"a\nb\"}", #"{"type":"join","after":01}"#, #"{"type":"join","after":-}"#,
        #"{"type":"name","name":"\u00g0"}"#, #"{"type":"name","name":{"a":[}"#, #"{"type":"hello","name":"#,
        String(repeating: "[", count: 10_000),
    ])
    func `what is no JSON object with a type is refused in words`(json: String) {
        #expect(throws: Refusal(.badRequest, "a message must be a JSON object with a `type`")) {
            try ClientEvent(json: json)
        }
    }

    @Test(arguments: [
        (#"{"type":"shout"}"#, "there is no message of type 'shout'"),
        (#"{"type":"hello","nmae":"Ann"}"#, "`hello` has no member `nmae`"),
        (#"{"type":"hello","name":7}"#, "`name` of `hello` must be a string"),
        (#"{"type":"name"}"#, "`name` needs `name`, a string"),
        (#"{"type":"name","name":null}"#, "`name` needs `name`, a string"),
        (#"{"type":"create"}"#, "`create` needs `room`, a string"),
        (#"{"type":"join","room":["Tea"]}"#, "`room` of `join` must be a string"),
        (#"{"type":"join","room":"Tea","after":"7"}"#, "`after` of `join` must be a whole number"),
        (#"{"type":"join","room":"Tea","after":7.5}"#, "`after` of `join` must be a whole number"),
        (#"{"type":"join","room":"Tea","after":9223372036854775808}"#, "`after` of `join` must be a whole number"),
        (#"{"type":"leave","room":true}"#, "`room` of `leave` must be a string"),
        (#"{"type":"typing","room":"Tea","member":3}"#, "`typing` has no member `member`"),
        (#"{"type":"history","room":"Tea","limit":5}"#, "`history` needs `before`, a whole number"),
        (#"{"type":"history","room":"Tea","before":5,"limit":"all"}"#, "`limit` of `history` must be a whole number"),
        (#"{"type":"hello","changes":1}"#, "`changes` of `hello` must be true or false"),
        (#"{"type":"name","name":{"a":["]"]}}"#, "`name` of `name` must be a string"),
        (#"{"type":"name","name":"a","name":"b"}"#, "`name` has the member `name` twice"),
        (#"{"type":"search","room":"Tea"}"#, "`search` needs `query`, a string"),
    ])
    func `an unknown type, an unknown member, a missing one or one of the wrong type is named`(
        json: String, words: String
    ) {
        #expect(throws: Refusal(.badRequest, words)) { try ClientEvent(json: json) }
    }

    @Test func `a send that is refused is answered with its key`() {
        #expect(throws: Refusal(.badRequest, "`send` needs `text`, a string", key: "k1")) {
            try ClientEvent(json: #"{"type":"send","room":"Tea","key":"k1"}"#)
        }
    }

    @Test func `a send whose key is no string is answered without one`() {
        #expect(throws: Refusal(.badRequest, "`key` of `send` must be a string")) {
            try ClientEvent(json: #"{"type":"send","room":"Tea","key":5,"text":"x"}"#)
        }
    }

    /// The places of an event where a peer's text stands: a member's value, or its name, or the type.
    private static let places = [
        #"{"type":"hello","name":"#, #"{"type":"name","name":"#, #"{"type":"create","room":"#,
        #"{"type":"join","room":"#, #"{"type":"leave","room":"#, #"{"type":"typing","room":"#,
        #"{"type":"send","room":"Tea","key":"k","text":"#, #"{"type":"send","room":"Tea","text":"x","key":"#,
        #"{"type":"send","key":"k","text":"x","room":"#, #"{"type":"history","before":1,"limit":1,"room":"#,
        #"{"type":"search","query":"#, #"{"type":"search","query":"x","room":"#, #"{"type":"#,
        #"{"type":"hello","nmae":"#, #"{"type":"hello","name":["#,
    ]

    @Test(arguments: places)
    func `a megabyte of combining marks costs a few looks at each byte, and yields a short text`(place: String) throws {
        let marks = alternatingMarks(bytes: 1 << 20)
        let end = place.hasSuffix("[") ? "\"]}" : "\"}"
        let json = place + "\"" + marks + end
        var members = try Members(json)
        let (longest, words) = Self.longestText { () throws(Refusal) in try ClientEvent(&members) }
        #expect(members.work < 3 * json.utf8.count)
        #expect(longest <= Limits.text + 1)
        #expect(words <= 400)
    }

    @Test func `a member whose name is a megabyte of combining marks is refused in few words`() throws {
        let json = #"{"type":"hello",""# + alternatingMarks(bytes: 1 << 20) + #"":1}"#
        var members = try Members(json)
        let (_, words) = Self.longestText { () throws(Refusal) in try ClientEvent(&members) }
        #expect((1...400).contains(words))
        #expect(members.work < 3 * json.utf8.count)
    }

    /// The scalars of an event's longest text, and of the words it is refused with.
    private static func longestText(_ body: () throws(Refusal) -> ClientEvent) -> (event: Int, words: Int) {
        do {
            let texts: [String] =
                switch try body() {
                case .hello(let name, _): [name ?? ""]
                case .name(let text), .create(let text), .join(let text, _), .leave(let text), .typing(let text),
                    .history(let text, _, _):
                    [text]
                case .send(let room, let key, let text): [room, key, text]
                case .search(let query, let room): [query, room ?? ""]
                }
            return (texts.map(\.unicodeScalars.count).max() ?? 0, 0)
        } catch {
            return (error.key?.unicodeScalars.count ?? 0, error.words.unicodeScalars.count)
        }
    }

    @Test func `what is cut is still too long for its place`() throws {
        let long = String(repeating: "x", count: 5_000)
        guard
            case .send(_, let key, let text) = try ClientEvent(
                json: #"{"type":"send","room":"Tea","key":"\#(long)","text":"\#(long)"}"#)
        else { return #expect(Bool(false), "no send") }
        #expect(throws: Refusal.self) { try Limits.check(key: key) }
        #expect(throws: Refusal.self) { try Limits.check(text: text) }
        guard case .name(let name) = try ClientEvent(json: #"{"type":"name","name":"\#(long)"}"#),
            case .search(let query, _) = try ClientEvent(json: #"{"type":"search","query":"\#(long)"}"#)
        else { return #expect(Bool(false), "no name") }
        #expect(Limits.name(name) == nil)
        #expect(throws: Refusal.self) { try Limits.check(query: query) }
    }

    @Test func `an object of more members than any event has is not read to its end`() {
        let members = (0..<10_000).map { #""m\#($0)":1"# }.joined(separator: ",")
        #expect(throws: Refusal.self) { try ClientEvent(json: "{\(members)}") }
    }
}
