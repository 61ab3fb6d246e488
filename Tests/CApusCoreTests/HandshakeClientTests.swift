import CApusCore
import Testing

/// The key of RFC 6455 §1.3.
private let key = "dGhlIHNhbXBsZSBub25jZQ=="
private let keyCharacters = key.utf8.map(CChar.init)

/// What a client offers, and C's view of it.
private struct Offer {
    var host = "server.example.com"
    var target = "/chat"
    var protocols = ""
    var extensions = ""
    var fields: [(String, String)] = []

    func lend<Value>(_ body: (UnsafePointer<apus_handshake_offer>) -> Value) -> Value {
        withText(host) { host in
            withText(target) { target in
                withText(protocols) { protocols in
                    withText(extensions) { extensions in
                        lend(fields[...], []) { fields in
                            fields.withUnsafeBufferPointer { fields in
                                var offer = apus_handshake_offer(
                                    host: host, target: target, protocols: protocols, extensions: extensions,
                                    fields: fields.baseAddress, field_count: fields.count)
                                return body(&offer)
                            }
                        }
                    }
                }
            }
        }
    }

    private func lend<Value>(
        _ rest: ArraySlice<(String, String)>, _ done: [apus_field], _ body: ([apus_field]) -> Value
    ) -> Value {
        guard let first = rest.first else { return body(done) }
        return withText(first.0) { name in
            withText(first.1) { value in
                lend(rest.dropFirst(), done + [apus_field(name: name, value: value)], body)
            }
        }
    }

    /// The request, or the error.
    func write() throws -> String {
        try lend { offer in
            Result { try written { apus_handshake_write_request($0, offer, keyCharacters) } }
        }.get()
    }

    var error: apus_error? {
        do {
            _ = try write()
            return nil
        } catch {
            return (error as? CoreError)?.code
        }
    }

    /// What the answer is worth, and the subprotocol it chooses.
    func check(_ answer: String) throws -> (error: apus_error, subprotocol: String) {
        let response = try ParsedResponse(answer)
        return lend { offer in
            response.ask { response in
                withText("") { empty in
                    var subprotocol = empty
                    let error = apus_handshake_check_response(response, offer, keyCharacters, &subprotocol)
                    return (apus_error(rawValue: error), subprotocol.string)
                }
            }
        }
    }
}

/// An answer that accepts, with one field replaced, added or (nil) left out.
private func answer(
    _ name: String = "Upgrade", _ value: String? = "websocket", adding more: [String] = [],
    line: String = "HTTP/1.1 101 Switching Protocols"
) -> String {
    var fields = [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ]
    fields.removeAll { $0.0 == name }
    if let value { fields.append((name, value)) }
    return ([line] + fields.map { "\($0): \($1)" } + more + ["", ""]).joined(separator: "\r\n")
}

struct HandshakeClientTests {
    // MARK: The request (RFC 6455 §4.1)

    @Test func `a key is a nonce in base64`() {
        var characters = [CChar](repeating: 0, count: Int(APUS_KEY_SIZE))
        apus_handshake_make_key(bytes("the sample nonce"), &characters)
        #expect(String(decoding: characters.map(UInt8.init(bitPattern:)), as: UTF8.self) == key)
    }

    @Test func `the request has what the server asks for`() throws {
        let offer = Offer(
            protocols: "chat, superchat", extensions: "permessage-deflate", fields: [("Origin", "http://example.com")])
        let text = try offer.write()
        #expect(
            text.split(separator: "\r\n", omittingEmptySubsequences: false) == [
                "GET /chat HTTP/1.1", "Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)"[...],
                "Sec-WebSocket-Protocol: chat, superchat",
                "Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://example.com", "", "",
            ])
        let head = try ParsedHead(text)
        #expect(head.ask(apus_handshake_is_asked))
        #expect(apus_error(rawValue: head.ask(apus_handshake_check)) == APUS_OK)
    }

    @Test func `what is not offered is no field`() throws {
        let text = try Offer().write()
        #expect(!text.contains("Protocol"))
        #expect(!text.contains("Extensions"))
    }

    @Test(arguments: ["", "a b", "user@host", "[::1", "host:99999", "host/path", "h\r\nost"])
    func `a host that is none is refused`(host: String) {
        #expect(Offer(host: host).error == APUS_EHOST)
    }

    @Test(arguments: ["", "chat", "*", "/a b", "/a#b", "/\u{e4}", "/a\r\nX: y"])
    func `a target that is no path is refused`(target: String) {
        #expect(Offer(target: target).error == APUS_EHANDSHAKE)
    }

    @Test(arguments: ["a b", "chat, chat", ",", "cha\u{e4}t", "a\r\nb"])
    func `subprotocols are different tokens`(protocols: String) {
        #expect(Offer(protocols: protocols).error == APUS_EHANDSHAKE)
    }

    @Test(arguments: [
        ("Host", "a"), ("UPGRADE", "h2c"), ("connection", "close"), ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "8"), ("Sec-WebSocket-Accept", "a"), ("Sec-WebSocket-Protocol", "a"),
        ("Sec-WebSocket-Extensions", "a"), ("Content-Length", "1"), ("Transfer-Encoding", "chunked"), ("A b", "c"),
        ("A", "b\r\nC: d"), ("A", "b\nc"), ("", "a"), ("A", " b"),
    ])
    func `a field that is the handshake's own, or would end a line, is refused`(name: String, value: String) {
        #expect(Offer(fields: [("X", "y"), (name, value)]).error == APUS_EFIELD)
    }

    @Test func `a request that is refused, or finds no memory, writes nothing`() throws {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        #expect(apus_bytes_append_text(&out, "before") == 0)
        _ = Offer(fields: [("X", "y"), ("A", "\n")]).lend { apus_handshake_write_request(&out, $0, keyCharacters) }
        #expect(contents(of: out) == bytes("before"))
        let offer = Offer(protocols: "a", extensions: "b", fields: [("X", String(repeating: "y", count: 5000))])
        offer.lend { offer in
            failEachGrowth { apus_handshake_write_request($0, offer, keyCharacters) }
        }
    }

    // MARK: The answer (RFC 6455 §4.1, the list at the end)

    @Test func `the answer of RFC 6455 §1.2 opens`() throws {
        let checked = try Offer(protocols: "chat, superchat").check(
            answer(adding: ["Sec-WebSocket-Protocol: chat"]))
        #expect(checked == (APUS_OK, "chat"))
        #expect(try Offer().check(answer()) == (APUS_OK, ""))
        #expect(try Offer(protocols: "chat").check(answer()) == (APUS_OK, ""))
    }

    @Test func `capitals matter in neither Upgrade nor Connection, nor does what else Connection lists`() throws {
        #expect(try Offer().check(answer("Upgrade", "WebSocket")).error == APUS_OK)
        #expect(try Offer().check(answer("Connection", "keep-alive, UPGRADE")).error == APUS_OK)
    }

    @Test(arguments: ["HTTP/1.1 200 OK", "HTTP/1.1 301 Moved Permanently", "HTTP/1.1 404 ", "HTTP/1.1 100 Continue"])
    func `another status than 101 does not open`(line: String) throws {
        #expect(try Offer().check(answer(line: line)).error == APUS_ESTATUS)
    }

    @Test func `HTTP 1_0 cannot upgrade`() throws {
        #expect(try Offer().check(answer(line: "HTTP/1.0 101 Switching Protocols")).error == APUS_EHTTPVERSION)
    }

    @Test(arguments: [
        ("Upgrade", nil), ("Upgrade", ""), ("Upgrade", "h2c"), ("Upgrade", "websocket, h2c"), ("Upgrade", "websockets"),
        ("Connection", nil), ("Connection", "close"), ("Connection", "Upgraded"),
    ])
    func `Upgrade is exactly websocket, and Connection lists it`(name: String, value: String?) throws {
        #expect(try Offer().check(answer(name, value)).error == APUS_EUPGRADE)
    }

    @Test func `a second Upgrade is one too many`() throws {
        #expect(try Offer().check(answer(adding: ["Upgrade: websocket"])).error == APUS_EUPGRADE)
    }

    @Test(arguments: [
        nil, "", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, a",
        "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
    ])
    func `only the one right Sec-WebSocket-Accept opens`(value: String?) throws {
        #expect(try Offer().check(answer("Sec-WebSocket-Accept", value)).error == APUS_EACCEPT)
    }

    @Test func `a second Sec-WebSocket-Accept is one too many`() throws {
        let more = ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        #expect(try Offer().check(answer(adding: more)).error == APUS_EACCEPT)
    }

    @Test func `an extension that was not offered fails`() throws {
        let more = ["Sec-WebSocket-Extensions: permessage-deflate"]
        #expect(try Offer().check(answer(adding: more)).error == APUS_EEXTENSION)
        #expect(try Offer(extensions: "permessage-deflate").check(answer(adding: more)).error == APUS_OK)
    }

    @Test(arguments: [
        ("", ["chat"]), ("chat", ["superchat"]), ("chat", ["Chat"]), ("chat", [""]), ("chat, b", ["chat, b"]),
        ("chat, b", ["chat", "b"]), ("chat, b", ["chat", "chat"]),
    ])
    func `a subprotocol that was not offered, or more than one, fails`(protocols: String, chosen: [String]) throws {
        let more = chosen.map { "Sec-WebSocket-Protocol: \($0)" }
        #expect(try Offer(protocols: protocols).check(answer(adding: more)).error == APUS_ESUBPROTOCOL)
    }

    // MARK: CONNECT (RFC 9110 §9.3.6)

    private func connect(_ authority: String, _ fields: [(String, String)] = []) throws -> String {
        try Offer(fields: fields).lend { offer in
            withText(authority) { authority in
                Result {
                    try written {
                        apus_handshake_write_connect($0, authority, offer.pointee.fields, offer.pointee.field_count)
                    }
                }
            }
        }.get()
    }

    @Test func `a proxy is asked for host and port`() throws {
        let text = try connect("example.org:443", [("Proxy-Authorization", "Basic YTpi")])
        let lines = ["CONNECT example.org:443 HTTP/1.1", "Host: example.org:443", "Proxy-Authorization: Basic YTpi"]
        #expect(text == lines.map { $0 + "\r\n" }.joined() + "\r\n")
        #expect(try ParsedHead(text).target == "example.org:443")
    }

    @Test(arguments: ["", "example.org", "example.org:", "[::1]", "a b:80", "a\r\n:80"])
    func `a proxy is not asked for anything else`(authority: String) {
        #expect(throws: CoreError(code: APUS_EHOST)) { try connect(authority) }
    }

    @Test(arguments: ["Host", "Content-Length", "A\r\nB"])
    func `a field that is not the proxy's to read is refused`(name: String) {
        #expect(throws: CoreError(code: APUS_EFIELD)) { try connect("a:1", [(name, "1")]) }
    }
}
