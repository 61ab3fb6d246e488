import Apus
import HTTPTypes
import Testing

struct UpgradeResponseTests {
    @Test(
        arguments: [
            ([], []), (["chat"], ["chat"]), (["a,b", "c"], ["a", "b", "c"]), ([" a ,\tb\t, c"], ["a", "b", "c"]),
            (["a,,b, ,"], ["a", "b"]), (["chat.v1, !#$%&'*+-.^_`|~Z9"], ["chat.v1", "!#$%&'*+-.^_`|~Z9"]),
            (["a\u{e4}, b, c/d, \"e\", f"], ["b", "f"]), (["a b, c\td, e"], ["e"]),
        ] as [([String], [String])])
    func `the subprotocols that a client offers are listed in its order`(values: [String], subprotocols: [String]) {
        var request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/")
        for value in values { request.headerFields.append(HTTPField(name: .secWebSocketProtocol, value: value)) }
        #expect(request.offeredSubprotocols == subprotocols)
    }

    /// To compare this once as text would take minutes.
    @Test(.timeLimit(.minutes(1))) func `a mebibyte of combining marks is no subprotocol, and soon seen to be none`() {
        let marks = String(repeating: "\u{301}\u{323}", count: 1 << 18)
        var request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/")
        request.headerFields.append(HTTPField(name: .secWebSocketProtocol, value: "a,\(marks),a\(marks)"))
        #expect(request.offeredSubprotocols == ["a"])
    }
}
