import CApusCore
import Testing

struct ResponseHeadTests {
    private static let example = response(
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: chat")

    @Test func `the example of RFC 6455 §1.2 is read as it stands`() throws {
        let read = try ParsedResponse(Self.example)
        #expect(read.status == 101)
        #expect(read.reason == "Switching Protocols")
        #expect(read.version == 1)
        #expect(
            read.fields == [
                "Upgrade=websocket", "Connection=Upgrade", "Sec-WebSocket-Accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "Sec-WebSocket-Protocol=chat",
            ])
    }

    @Test func `a head is found whole, byte by byte and cut at every position`() {
        #expect(scanInEveryWay(Self.example) == .found(Self.example.utf8.count))
    }

    @Test func `nothing before or behind the head is read, and no part of a head is one`() throws {
        let all = bytes(Self.example)
        _ = try ParsedResponse(all, against: .start)
        for count in 0..<all.count {
            #expect(parseResponse(Array(all.prefix(count))) == APUS_ERESPONSE)
        }
        #expect(parseResponse(all + [0x61]) == APUS_ERESPONSE)
    }

    // MARK: Status line (RFC 9112 §4)

    @Test(arguments: [
        ("HTTP/1.1 200 OK", 200, "OK"), ("HTTP/1.0 404 Not Found", 404, "Not Found"), ("HTTP/1.1 100 ", 100, ""),
        ("HTTP/1.1 999  a\tb", 999, " a\tb"), ("HTTP/1.1 404 Nicht gefunden: \u{e4}", 404, "Nicht gefunden: \u{e4}"),
    ])
    func `a status line is a version, three digits and a reason that may be empty`(
        line: String, status: UInt32, reason: String
    ) throws {
        let read = try ParsedResponse(response(line))
        #expect(read.status == status)
        #expect(read.reason == reason)
    }

    @Test(arguments: [
        "", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 200", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 2x0 OK", "HTTP/1.1 099 OK", "HTTP/1.1 000 ", "HTTP 200 OK",
        "http/1.1 200 OK", "HTTP/1.1 -20 OK", "HTTP/1.1 200 O\u{7f}K", "HTTP/11 200 OK", "GET / HTTP/1.1", "ICY 200 OK",
        "HTTP/1.10 200 OK",
    ])
    func `what is no status line is no response`(line: String) {
        #expect(parseResponse(response(line)) == APUS_ERESPONSE)
    }

    @Test(arguments: ["HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.2 200 OK"])
    func `another version of HTTP is told from garbage`(line: String) {
        #expect(parseResponse(response(line)) == APUS_EHTTPVERSION)
    }

    // MARK: Fields and framing (RFC 9112 §5, §6)

    @Test(arguments: [
        "A : b", " A: b", "A", ": b", "Content-Length: x", "Content-Length: 1, 1", "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, chunked", "A: b\u{0}",
    ])
    func `a field that is malformed, or frames nothing that has an end, is refused`(field: String) {
        #expect(parseResponse(response("HTTP/1.1 200 OK", field)) == APUS_ERESPONSE)
    }

    @Test func `two opinions about the content's end are one too many`() {
        #expect(
            parseResponse(response("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 1")) == APUS_ERESPONSE)
        #expect(
            parseResponse(response("HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"))
                == APUS_ERESPONSE)
    }

    @Test func `the content's framing is read`() throws {
        let sized = try ParsedResponse(response("HTTP/1.1 404 Not Found", "Content-Length: 12"))
        #expect(sized.hasContent && sized.contentLength == 12 && !sized.isChunked)
        let chunked = try ParsedResponse(response("HTTP/1.1 404 Not Found", "Transfer-Encoding: chunked"))
        #expect(chunked.hasContent && chunked.isChunked)
    }

    @Test func `a hundred fields are read, and no more`() {
        func head(_ count: Int) -> String {
            "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: count) + "\r\n"
        }
        #expect(parseResponse(head(100)) == APUS_OK)
        #expect(parseResponse(head(101)) == APUS_ERESPONSE)
    }
}
