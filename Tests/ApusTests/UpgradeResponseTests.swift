import Apus
import HTTPTypes
import Testing

struct UpgradeResponseTests {
    @Test(
        arguments: [
            ([], []), (["chat"], ["chat"]), (["a,b", "c"], ["a", "b", "c"]), ([" a ,\tb\t, c"], ["a", "b", "c"]),
            (["a,,b, ,"], ["a", "b"]),
        ] as [([String], [String])])
    func `the subprotocols that a client offers are listed in its order`(values: [String], subprotocols: [String]) {
        var request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/")
        for value in values { request.headerFields.append(HTTPField(name: .secWebSocketProtocol, value: value)) }
        #expect(request.offeredSubprotocols == subprotocols)
    }
}
