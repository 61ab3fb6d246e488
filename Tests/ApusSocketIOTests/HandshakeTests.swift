import TestSupport
import Testing

@testable import ApusSocketIO

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct HandshakeTests {
    @Test func `a query's values are found, decoded, by the bytes of their names`() {
        let query = Query("/x?a=1&b=%C3%A9+%2&a=2&c&%64=5&=e&e%CC%81=6&=&x=y=z")
        #expect(query["a"] == "2" && query["b"] == "\u{E9} %2" && query["c"] == "" && query["d"] == "5")
        #expect(query["x"] == "y=z" && query[""] == "" && query["y"] == nil)
        #expect(query["e\u{301}"] == "6" && query["\u{E9}"] == nil)
        #expect(query.items.count == 9 && query.items[1].name == "b")
        #expect(query.has("a", "2") && !query.has("a", "1") && !query.has("y", ""))
        #expect(Query("/x").items.isEmpty && Query("/x?").items.isEmpty && Query("").items.isEmpty)
    }

    @Test func `names and values of combining marks are compared with nothing but their bytes`() {
        let long = marks(1 << 20)
        let query = Query("/x?\(long)=\(long)&transport=\(long)&EIO=\(long)&sid=\(long)")
        #expect(Transport(in: query) == nil)
        #expect(!query.has("EIO", "4"))
        #expect(query[long]?.utf8.count == 1 << 20 && query["x"] == nil)
    }

    @Test func `a probe is told by its bytes`() {
        var machine = SessionMachine(transport: .polling, limits: .init(), now: .now)
        #expect(machine.probeCame(now: .now) == true)
        machine.probeSent(.text("2" + marks(1 << 20)))
        #expect(machine.takeActions() == [.closeProbe])
    }
}
