import Testing

@testable import Chat

@Suite struct ClientEventTests {
    @Test(arguments: [
        (#"{"type":"hello","name":"Ann"}"#, ClientEvent.hello(name: "Ann")),
        (#"{"type":"hello","name":null}"#, .hello(name: nil)),
        (#"{"type":"hello"}"#, .hello(name: nil)),
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
        "{\"type\":\"hello\"",
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
}
