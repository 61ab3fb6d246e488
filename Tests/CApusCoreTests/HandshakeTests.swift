import CApusCore
import Testing

/// A request that asks for the upgrade, with one field replaced, added or (nil) left out.
func upgrade(
    _ name: String = "Host", _ value: String? = "example.org", adding more: [String] = [],
    line: String = "GET /chat HTTP/1.1"
) -> String {
    var fields = [
        ("Host", "example.org"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
    ]
    fields.removeAll { $0.0 == name }
    if let value {
        fields.append((name, value))
    }
    return ([line] + fields.map { "\($0): \($1)" } + more + ["", ""]).joined(separator: "\r\n")
}

private func check(_ text: String) throws -> apus_error {
    apus_error(rawValue: try ParsedHead(text).ask(apus_handshake_check))
}

private func accept(_ key: String) -> String {
    var accept = [CChar](repeating: 0, count: Int(APUS_ACCEPT_SIZE))
    withText(key) { apus_handshake_accept($0, &accept) }
    return String(decoding: accept.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

struct HandshakeTests {
    @Test func `the example of RFC 6455 §1.2 passes`() throws {
        let example = request(
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Version: 13",
            host: "server.example.com")
        #expect(try check(example) == APUS_OK)
    }

    @Test(arguments: [
        ("websocket", true), ("WebSocket", true), ("h2c, websocket", true), ("websocket,h2c", true),
        ("websocket/13", false),
        ("websockets", false), ("h2c", false), ("", false), ("web socket", false),
    ])
    func `an upgrade is asked for where Upgrade lists websocket`(value: String, isAsked: Bool) throws {
        let text = upgrade("Upgrade", value)
        #expect(try ParsedHead(text).ask(apus_handshake_is_asked) == isAsked)
        #expect(try check(text) == (isAsked ? APUS_OK : APUS_EHANDSHAKE))
    }

    @Test func `a request without Upgrade asks for none`() throws {
        #expect(try !ParsedHead(request()).ask(apus_handshake_is_asked))
        #expect(try check(upgrade("Upgrade", nil)) == APUS_EHANDSHAKE)
    }

    @Test func `Upgrade and Connection may stand in several fields`() throws {
        #expect(try check(upgrade("Upgrade", "h2c", adding: ["upgrade: WEBSOCKET"])) == APUS_OK)
        #expect(try check(upgrade("Connection", "keep-alive", adding: ["connection: UPGRADE"])) == APUS_OK)
    }

    @Test(arguments: [
        ("Upgrade", true), ("upgrade", true), ("keep-alive, Upgrade", true), ("Upgrade,keep-alive", true),
        ("close", false),
        ("upgraded", false), ("keep-alive", false), ("", false), ("Upgrade keep-alive", false), (nil, false),
    ])
    func `Connection lists upgrade`(value: String?, isValid: Bool) throws {
        #expect(try check(upgrade("Connection", value)) == (isValid ? APUS_OK : APUS_EHANDSHAKE))
    }

    @Test(arguments: ["POST", "HEAD", "get", "OPTIONS", "PUT"])
    func `a method other than GET is refused`(method: String) throws {
        #expect(try check(upgrade(line: "\(method) /chat HTTP/1.1")) == APUS_EMETHOD)
    }

    /// RFC 9110 §7.8.
    @Test func `a request in HTTP/1.0 asks for no upgrade`() throws {
        #expect(try !ParsedHead(upgrade(line: "GET /chat HTTP/1.0")).ask(apus_handshake_is_asked))
        #expect(try ParsedHead(upgrade(line: "GET /chat HTTP/1.1")).ask(apus_handshake_is_asked))
    }

    @Test func `HTTP/1.0 is refused`() throws {
        #expect(try check(upgrade(line: "GET /chat HTTP/1.0")) == APUS_EHTTPVERSION)
    }

    @Test(arguments: ["12", "14", "8", "0", "013", "13.0", "13, 8", "8, 13", "1 3", "", "a", nil])
    func `a version other than 13 is refused, and so is none`(version: String?) throws {
        #expect(try check(upgrade("Sec-WebSocket-Version", version)) == APUS_EVERSION)
    }

    @Test(arguments: ["13", "8"]) func `a second version is refused, the same one too`(second: String) throws {
        #expect(try check(upgrade(adding: ["Sec-WebSocket-Version: \(second)"])) == APUS_EVERSION)
    }

    @Test(arguments: [
        nil, "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25jZSEh", "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j-Q==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "not base64 at all......",
        "\"dGhlIHNhbXBsZSBub25jZQ==\"",
    ])
    func `a key that is not 16 bytes in strict base64 is refused`(key: String?) throws {
        #expect(try check(upgrade("Sec-WebSocket-Key", key)) == APUS_EKEY)
    }

    @Test func `a second key is refused`() throws {
        #expect(try check(upgrade(adding: ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])) == APUS_EKEY)
    }

    @Test func `a version that is not ours is told before a key that another version lacks`() throws {
        let old = request("Upgrade: WebSocket", "Connection: Upgrade", "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5")
        #expect(try check(old) == APUS_EVERSION)
    }

    @Test(arguments: ["Content-Length: 1", "Transfer-Encoding: chunked"])
    func `content is refused`(field: String) throws {
        #expect(try check(upgrade(adding: [field])) == APUS_EBODY)
    }

    @Test func `a Content-Length of 0 is no content`() throws {
        #expect(try check(upgrade(adding: ["Content-Length: 0"])) == APUS_OK)
    }

    // MARK: The answer (RFC 6455 §4.2.2)

    @Test func `the key of RFC 6455 §1.3 is answered as it stands there`() {
        #expect(accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(arguments: [
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ("/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
    ])
    func `keys are answered as Python's hashlib and base64 do`(key: String, expected: String) {
        #expect(accept(key) == expected)
    }

    private let lines = """
        HTTP/1.1 101 Switching Protocols\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r

        """

    private func write(_ out: UnsafeMutablePointer<apus_bytes>, _ subprotocol: String) -> Int32 {
        withText("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") { accept in
            withText(subprotocol) { apus_handshake_write(out, accept.data, $0) }
        }
    }

    @Test func `the answer has the lines of RFC 6455 §4.2.2, and the subprotocol where one is spoken`() throws {
        #expect(try written { write($0, "") } == lines)
        #expect(try written { write($0, "chat") } == lines + "Sec-WebSocket-Protocol: chat\r\n")
    }

    @Test(arguments: ["a b", "a,b", "chat\r\nSet-Cookie: x", "chat\n", "\0", "\u{e9}", " chat", "a/b", "\"a\""])
    func `a subprotocol that is no token is refused, and nothing written`(subprotocol: String) {
        var out = apus_bytes()
        #expect(write(&out, subprotocol) == APUS_EFIELD.rawValue)
        #expect(out.len == 0)
        apus_bytes_deinit(&out)
    }

    @Test func `without memory nothing is written`() {
        failEachGrowth { write($0, "chat") }
    }

    @Test func `without memory at any later point nothing is written either`() {
        failEachAllocation {
            var out = apus_bytes()
            defer { apus_bytes_deinit(&out) }
            let result = write(&out, "chat")
            #expect(result == APUS_OK.rawValue || out.len == 0)
            return result
        }
    }
}
