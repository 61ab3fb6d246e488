import CApusCore
import Testing

struct HeadParseTests {
    @Test func `the example of RFC 6455 §1.2 is read as it stands`() throws {
        let head = try ParsedHead(
            request(
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Version: 13",
                host: "server.example.com"))
        #expect(head.method == "GET")
        #expect(head.target == "/chat")
        #expect(head.version == 1)
        #expect(
            head.fields.map { "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))" } == [
                "Host=server.example.com", "Upgrade=websocket", "Connection=Upgrade",
                "Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==", "Origin=http://example.com",
                "Sec-WebSocket-Protocol=chat, superchat", "Sec-WebSocket-Version=13",
            ])
    }

    @Test func `everything that was read lies within the head`() throws {
        let head = try ParsedHead(request("A:", "B: \t ", "C: d", line: "GET / HTTP/1.1"))
        #expect(head.fields.count == 4)
        #expect(head.pointsIntoItsInputOnly)
    }

    @Test func `nothing before or behind the head is read, and no part of a head is one`() throws {
        let all = bytes(request("Connection: close", "Content-Length: 0"))
        _ = try ParsedHead(all, against: .start)
        for count in 0..<all.count {
            #expect(parse(Array(all.prefix(count))) != APUS_OK)
        }
        #expect(parse(all + [0x61]) == APUS_EHEAD)
        #expect(parse(all + bytes("\r\n")) == APUS_EHEAD)
    }

    // MARK: Request line (RFC 9112 §3)

    @Test(arguments: ["", "GET ", "GET / "]) func `fields in place of a request line are none`(beginning: String) {
        #expect(parse(bytes("\(beginning)Host:a\r\n\r\n")) == APUS_EHEAD)
    }

    @Test(arguments: ["GET", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09azAZ"])
    func `a method is any token, and keeps its case`(method: String) throws {
        #expect(try ParsedHead(request(line: "\(method) / HTTP/1.1")).method == method)
    }

    @Test(arguments: [
        "/", "/chat?room=a&b=%20", "//", "/?", "/~a!$&'()*+,;=:@[]{}|\\^`\"<>", "http://example.org",
        "https://example.org:8443/chat?x", "HTTP://[::1]:80/", "http://example.org?q", "ws://a/", "a+b-c.1://a",
    ])
    func `a target is in origin-form or absolute-form`(target: String) throws {
        #expect(try ParsedHead(request(line: "GET \(target) HTTP/1.1")).target == target)
    }

    @Test(arguments: [
        "", "chat", "*", "/a#b", "/#", "http:/a", "http://", "http:///a", "http://user@example.org/",
        "http://example.org:65536/", "http://[::1/", "http://a#b", "1http://a/", "://a", ":", "example.org:80",
        "mailto:a@b",
    ])
    func `a target in no form that goes with its method is refused`(target: String) {
        #expect(parse(request(line: "GET \(target) HTTP/1.1")) == APUS_EHEAD)
    }

    @Test(arguments: [
        ("OPTIONS * HTTP/1.1", true), ("options * HTTP/1.1", false), ("OPTIONS ** HTTP/1.1", false),
        ("OPTIONS / HTTP/1.1", true), ("CONNECT example.org:443 HTTP/1.1", true), ("CONNECT [::1]:1 HTTP/1.1", true),
        ("CONNECT example.org HTTP/1.1", false), ("CONNECT example.org: HTTP/1.1", false),
        ("CONNECT / HTTP/1.1", false), ("CONNECT :80 HTTP/1.1", false),
        ("CONNECT http://example.org:80 HTTP/1.1", false), ("connect example.org:443 HTTP/1.1", false),
    ])
    func `asterisk-form goes with OPTIONS only, authority-form with CONNECT only`(line: String, isRead: Bool) {
        #expect(parse(request(line: line)) == (isRead ? APUS_OK : APUS_EHEAD))
    }

    @Test func `a target is visible ASCII`() {
        for byte in (0...255).map({ UInt8($0) }) {
            let head = bytes("GET /a") + [byte] + bytes("b HTTP/1.1\r\nHost: a\r\n\r\n")
            let isVisible = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "#")
            #expect(parse(head) == (isVisible ? APUS_OK : APUS_EHEAD))
        }
    }

    @Test(arguments: [
        "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
        " GET / HTTP/1.1",
        "GET / ", "GET /", "GET", "GET ", "", "/ HTTP/1.1", "GET / HTTP/1.1 x", "GET HTTP/1.1", "GET / a HTTP/1.1",
        "G\u{e9}T / HTTP/1.1", "G@T / HTTP/1.1", "(GET) / HTTP/1.1",
    ])
    func `a request line is a method, a target and a version with one space between them`(line: String) {
        #expect(parse(request(line: line)) == APUS_EHEAD)
    }

    @Test(arguments: [
        "HTTP/1.2", "HTTP/1.9", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0", "HTTP/0.1",
    ])
    func `another version of HTTP is told from garbage`(version: String) {
        #expect(parse(request(line: "GET / \(version)")) == APUS_EHTTPVERSION)
    }

    @Test(arguments: [
        "HTTP/1", "HTTP/1.", "HTTP/11", "HTTP/1.10", "HTTP/01.1", "HTTP/1,1", "http/1.1", "HTTP 1.1", "HTTP/a.b",
        "HTTP/-1.1",
        "HTTPS/1.1", "HTTP/2", "X", "HTTP/1.1/", "HTTP/ 1.1", "HTTP/1.1\u{0}",
    ])
    func `what is no version at all is a malformed head`(version: String) {
        #expect(parse(request(line: "GET / \(version)")) == APUS_EHEAD)
    }

    // MARK: Fields (RFC 9112 §5)

    @Test func `a field name is a token that the colon follows directly`() {
        for byte in (0...255).map({ UInt8($0) }) {
            let isToken = bytes("!#$%&'*+-.^_`|~").contains(byte) || isAlphanumeric(byte)
            let isColon = byte == UInt8(ascii: ":")  // the name ends there, and the rest is the value
            let head = bytes("GET / HTTP/1.1\r\nHost: a\r\nA") + [byte] + bytes("b: c\r\n\r\n")
            #expect(parse(head) == (isToken || isColon ? APUS_OK : APUS_EHEAD))
        }
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
        Character(UnicodeScalar(byte)).isASCII
            && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
    }

    @Test(arguments: ["A : b", "A\t: b", ": b", ":", "A", " A: b", "A b: c", "", "\u{e9}: b"])
    func `a line that is no field is refused`(line: String) {
        #expect(parse(request(line, "C: d")) == APUS_EHEAD)
    }

    @Test(arguments: [
        ("A:b", "b"), ("A: b", "b"), ("A:\t b \t", "b"), ("A:", ""), ("A:  ", ""), ("A: \t \t", ""), ("A: b c", "b c"),
        ("A: b\tc", "b\tc"), ("A: :", ":"), ("A: b: c", "b: c"), ("A: \"b\"", "\"b\""),
    ])
    func `a value is what stands between the white space around it`(line: String, value: String) throws {
        #expect(try ParsedHead(request(line)).values("A") == [value])
    }

    @Test func `a value holds visible characters, spaces, tabs and obs-text`() {
        for byte in (0...255).map({ UInt8($0) }) {
            let head = bytes("GET / HTTP/1.1\r\nHost: a\r\nA: b") + [byte] + bytes("c\r\n\r\n")
            let isAllowed = byte >= 0x20 && byte != 0x7f || byte == 0x09
            #expect(parse(head) == (isAllowed ? APUS_OK : APUS_EHEAD))
        }
    }

    @Test func `obs-text is kept as it came`() throws {
        let head = try ParsedHead(bytes("GET / HTTP/1.1\r\nHost: a\r\nA: \u{e9}") + [0xff, 0x80] + bytes("\r\n\r\n"))
        #expect(head.fields.last?.value == [0xc3, 0xa9, 0xff, 0x80])
    }

    @Test(arguments: ["A: b\r\n c", "A: b\r\n\tc", "A: b\r\n "])
    func `obs-fold is refused`(field: String) {
        #expect(parse(request(field)) == APUS_EHEAD)
    }

    @Test(arguments: ["A: b\nC: d", "A: b\rC: d", "A: b\r\r\nC: d", "A: b\n\r\nC: d"])
    func `a line that ends otherwise than with CRLF is refused`(fields: String) {
        #expect(parse(request(fields)) == APUS_EHEAD)
    }

    @Test func `a hundred fields are read, one more is refused`() throws {
        let fields = (1..<100).map { "A\($0): \($0)\r\n" }.joined()
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        let head = try ParsedHead(start + fields + "\r\n")
        #expect(head.fields.count == Int(APUS_HEAD_MOST_FIELDS))
        #expect(head.values("A99") == ["99"])
        #expect(parse(start + fields + "B: c\r\n\r\n") == APUS_EHEADCOUNT)
    }

    // MARK: Content (RFC 9112 §6)

    @Test func `a request without Content-Length and Transfer-Encoding has no content`() throws {
        let head = try ParsedHead(request(line: "POST / HTTP/1.1"))
        #expect(!head.hasContent && !head.isChunked && head.contentLength == 0)
    }

    @Test(arguments: [
        ("0", 0), ("00", 0), ("1", 1), ("007", 7), ("4294967296", 1 << 32), ("18446744073709551615", UInt64.max),
        ("0000000000000000000000000018446744073709551615", UInt64.max),
    ])
    func `a Content-Length is a number of 64 bits`(value: String, length: UInt64) throws {
        let head = try ParsedHead(request("Content-Length: \(value)"))
        #expect(head.contentLength == length)
        #expect(head.hasContent == (length > 0))
        #expect(!head.isChunked)
    }

    @Test(arguments: [
        "", "-1", "+1", "1 1", "1,1", "0x1", "1a", "a", "1.0", "\u{661}", "18446744073709551616",
        "18446744073709551620",
        "99999999999999999999", "184467440737095516150",
    ])
    func `a Content-Length that is no such number is refused`(value: String) {
        #expect(parse(request("Content-Length: \(value)")) == APUS_EHEAD)
    }

    @Test(arguments: ["1", "2", "0"]) func `a second Content-Length is refused, the same one too`(second: String) {
        #expect(parse(request("Content-Length: 1", "content-length: \(second)")) == APUS_EHEAD)
    }

    @Test(arguments: ["0", "1"])
    func `Content-Length together with Transfer-Encoding is refused`(length: String) {
        #expect(parse(request("Content-Length: \(length)", "Transfer-Encoding: chunked")) == APUS_EHEAD)
        #expect(parse(request("Transfer-Encoding: chunked", "Content-Length: \(length)")) == APUS_EHEAD)
    }

    @Test func `Transfer-Encoding in HTTP/1.0 is refused`() {
        #expect(parse(request("Transfer-Encoding: chunked", line: "POST / HTTP/1.0")) == APUS_EHEAD)
    }

    @Test(arguments: [
        ("chunked", true), ("Chunked", true), (" , chunked ,", true), ("gzip, chunked", false),
    ])
    func `a Transfer-Encoding that ends with chunked has content`(value: String, isChunked: Bool) throws {
        let head = try ParsedHead(request("Transfer-Encoding: \(value)"))
        #expect(head.hasContent && head.contentLength == 0)
        #expect(head.isChunked == isChunked)
    }

    @Test func `codings may stand in several fields`() throws {
        #expect(try !ParsedHead(request("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")).isChunked)
        #expect(parse(request("Transfer-Encoding: chunked", "Transfer-Encoding: gzip")) == APUS_EHEAD)
    }

    @Test(arguments: ["", ",", "gzip", "identity", "chunked, gzip", "chunked, chunked", "xchunked", "chunked;a=b"])
    func `a Transfer-Encoding whose end nobody could find is refused`(value: String) {
        #expect(parse(request("Transfer-Encoding: \(value)")) == APUS_EHEAD)
    }

    // MARK: Persistence (RFC 9112 §9.3)

    @Test(arguments: [
        ("HTTP/1.1", "A: b", true), ("HTTP/1.1", "Connection: close", false),
        ("HTTP/1.1", "connection: upgrade, CLOSE", false), ("HTTP/1.1", "Connection: closed", true),
        ("HTTP/1.1", "Connection: keep-alive, close", false), ("HTTP/1.0", "A: b", false),
        ("HTTP/1.0", "Connection: Keep-Alive", true), ("HTTP/1.0", "Connection: keep-alive, close", false),
        ("HTTP/1.0", "Connection: close", false),
    ])
    func `the version and Connection say whether another request may follow`(
        version: String, field: String, isKeptAlive: Bool
    ) throws {
        #expect(try ParsedHead(request(field, line: "GET / \(version)")).keepsAlive == isKeptAlive)
    }
}
