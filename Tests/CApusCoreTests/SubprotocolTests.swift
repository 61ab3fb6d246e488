import CApusCore
import Testing

/// A request that offers these values of Sec-WebSocket-Protocol, one field each.
private func offer(_ values: [String]) throws -> ParsedHead {
    try ParsedHead(upgrade(adding: values.map { "Sec-WebSocket-Protocol: \($0)" }))
}

private func choose(_ offered: [String], from supported: [String]) throws -> String {
    let head = try offer(offered)
    let inputs = supported.map { GuardedInput(bytes($0)) }
    let texts = inputs.map { apus_text(data: $0.characters, len: $0.count) }
    return withExtendedLifetime(inputs) {
        head.ask { apus_handshake_choose_subprotocol($0, texts, texts.count).string }
    }
}

struct SubprotocolTests {
    private static let most = Int(APUS_HANDSHAKE_MOST_SUBPROTOCOLS)

    @Test(arguments: [
        [], ["chat"], ["chat, superchat"], ["chat", "superchat"], ["chat,superchat", "v1.example.org"], ["Chat, chat"],
        [", chat ,, b ,"], ["!#$%&'*+-.^_`|~"], ["", "chat"],
    ])
    func `an offer is a list of unique tokens, over one field or several`(values: [String]) throws {
        #expect(try offer(values).ask(apus_handshake_check) == APUS_OK.rawValue)
    }

    @Test(arguments: [
        ["chat, chat"], ["chat", "chat"], ["a, b, a"], ["a b"], ["chat;q=1"], ["\"chat\""], ["a/b"], ["a@b"],
        ["\u{e9}"],
        ["chat, a b"], ["a", "b", "a"], [""], [","], ["", " ,\t"],
    ])
    func `an offer that is empty, or holds one subprotocol twice, or what is no token, is refused`(values: [String])
        throws
    {
        #expect(try offer(values).ask(apus_handshake_check) == APUS_EHANDSHAKE.rawValue)
    }

    @Test func `an offer of more than the limit is refused`() throws {
        let names = (0...Self.most).map { "p\($0)" }
        let enough = [names.dropLast().joined(separator: ",")]
        #expect(try offer(enough).ask(apus_handshake_check) == APUS_OK.rawValue)
        #expect(try offer([names.joined(separator: ",")]).ask(apus_handshake_check) == APUS_EHANDSHAKE.rawValue)
    }

    @Test(arguments: [
        (["a, b"], ["a", "b"], "a"), (["a, b"], ["b", "a"], "a"), (["b, a"], ["a", "b"], "b"),
        (["x, b"], ["a", "b"], "b"),
        (["x", "y, a"], ["a"], "a"), (["x"], ["a"], ""), ([], ["a"], ""), (["a"], [], ""), (["A"], ["a"], ""),
        (["ab"], ["a"], ""), (["a"], ["ab"], ""),
    ])
    func `the first of the client's that is supported is chosen, in its case`(
        offered: [String], supported: [String], chosen: String
    ) throws {
        #expect(try choose(offered, from: supported) == chosen)
    }

    @Test func `nothing supported may be no pointer at all`() throws {
        #expect(try offer(["a"]).ask { apus_handshake_choose_subprotocol($0, nil, 0).len } == 0)
    }

    @Test(arguments: [("a", true), ("b", true), ("c", true), ("A", false), ("", false), ("a, b", false), ("x", false)])
    func `a subprotocol was offered, or was not`(subprotocol: String, wasOffered: Bool) throws {
        let head = try offer(["a, b", "c"])
        #expect(
            head.ask { head in withText(subprotocol) { apus_handshake_offers_subprotocol(head, $0) } } == wasOffered)
    }
}
