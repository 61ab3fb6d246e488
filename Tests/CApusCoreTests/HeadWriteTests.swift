import CApusCore
import Glibc
import TestSupport
import Testing

/// Writes a field behind `before`; nil, with nothing written, where it is refused.
private func writeField(_ name: [UInt8], _ value: [UInt8]) -> [UInt8]? {
    let before = bytes("before\r\n")
    var out = apus_bytes()
    defer { apus_bytes_deinit(&out) }
    #expect(apus_bytes_append(&out, before, before.count) == APUS_OK.rawValue)
    let result = withText(name) { name in withText(value) { apus_head_write_field(&out, name, $0) } }
    let contents = contents(of: out)
    #expect(contents.starts(with: before))
    guard result != APUS_OK.rawValue else { return Array(contents.dropFirst(before.count)) }
    #expect(result == APUS_EFIELD.rawValue)
    #expect(contents.count == before.count)
    return nil
}

private func writeField(_ name: String, _ value: String) -> String? {
    writeField(bytes(name), bytes(value)).map { String(decoding: $0, as: UTF8.self) }
}

@Suite(.computing) struct HeadWriteTests {
    /// IANA's HTTP Status Code Registry, without the entries that are temporary or unused.
    private static let registered: [UInt32: String] = [
        100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 200: "OK", 201: "Created",
        202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content",
        206: "Partial Content", 207: "Multi-Status", 208: "Already Reported", 226: "IM Used", 300: "Multiple Choices",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 305: "Use Proxy",
        307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
        402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
        407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed",
        421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked", 424: "Failed Dependency",
        425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
        431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error",
        501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
        505: "HTTP Version Not Supported", 506: "Variant Also Negotiates", 507: "Insufficient Storage",
        508: "Loop Detected", 510: "Not Extended", 511: "Network Authentication Required",
    ]

    /// The first is RFC 9110 §5.6.7's own. The process's locale has other names for these.
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
    ])
    func `a date has one form`(seconds: Int64, text: String) throws {
        let line = try written { apus_head_write_date($0, seconds) }
        #expect(line == "Date: \(text)\r\n")
    }

    @Test func `a date is the one that the system's calendar gives, through 800 years`() throws {
        for day in stride(from: -146_097, through: 146_097, by: 5) {
            var seconds = day * 86_400 + 86_399
            var utc = tm()
            gmtime_r(&seconds, &utc)
            let line = try written { apus_head_write_date($0, Int64(seconds)) }
            let words = line.split { " ,:\r\n".contains($0) }
            #expect(["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][Int(utc.tm_wday)] == words[1])
            #expect(Int32(words[2]) == utc.tm_mday)
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            #expect(months[Int(utc.tm_mon)] == words[3])
            #expect(Int32(words[4]) == utc.tm_year + 1900)
        }
    }

    @Test(arguments: [253_402_300_800, -62_135_596_801, Int64.max, .min])
    func `a date beyond four digits of a year is none`(seconds: Int64) {
        var out = apus_bytes()
        #expect(apus_head_write_date(&out, seconds) == APUS_EFIELD.rawValue)
        #expect(out.len == 0)
    }

    @Test func `a status line has the registered phrase, or an empty one after its space`() throws {
        for status in 100...999 as ClosedRange<UInt32> {
            let line = try written { apus_head_write_status($0, status) }
            #expect(line == "HTTP/1.1 \(status) \(Self.registered[status] ?? "")\r\n")
        }
    }

    @Test(arguments: [0, 1, 99, 1000, UInt32.max])
    func `a status that is not of three digits is refused, and nothing written`(status: UInt32) {
        var out = apus_bytes()
        #expect(apus_head_write_status(&out, status) == APUS_EFIELD.rawValue)
        #expect(out.len == 0)
    }

    @Test(arguments: [
        ("A", "b"), ("X-Empty", ""), ("X", "a b\tc"), ("!#$%&'*+-.^_`|~09azAZ", "\"(),/:;<=>?@[\\]{}"), ("X", "\u{e9}"),
    ])
    func `a field is its name, a colon, a space and its value`(name: String, value: String) {
        #expect(writeField(name, value) == "\(name): \(value)\r\n")
    }

    @Test(arguments: ["\r\nSet-Cookie: x", "a\r\nb", "a\nb", "a\rb", "\n", "\r", "a\0b", "\0", "a\u{7f}", "\u{1b}[0m"])
    func `a value cannot inject a line or a control character`(value: String) {
        #expect(writeField("X", value) == nil)
    }

    @Test(arguments: [
        "", "X\r\nSet-Cookie", "X:", "X ", " X", "X\t", "X\0", "X\n", "\u{e9}", "a b", "a(b)", "a\"", "a/b",
    ])
    func `a name that is no token is refused`(name: String) {
        #expect(writeField(name, "value") == nil)
    }

    @Test(arguments: [" a", "a ", "\ta", "a\t", " ", "\t"])
    func `white space at a value's ends is refused, as nobody would read it`(value: String) {
        #expect(writeField("X", value) == nil)
    }

    @Test func `what is written is read back as it was, byte for byte`() throws {
        for byte in (0...255).map({ UInt8($0) }) {
            let value = bytes("a") + [byte] + bytes("z")
            guard let line = writeField(bytes("X"), value) else {
                #expect(byte < 0x20 && byte != 0x09 || byte == 0x7f)
                continue
            }
            let head = try ParsedHead(bytes("GET / HTTP/1.1\r\nHost: a\r\n") + line + bytes("\r\n"))
            #expect(head.fields.last?.value == value)
        }
    }

    @Test func `without memory nothing is written`() {
        failEachGrowth { apus_head_write_status($0, 511) }
        failEachGrowth { apus_head_write_date($0, 0) }
        failEachGrowth { out in
            withText("Name") { name in withText("value") { apus_head_write_field(out, name, $0) } }
        }
    }
}
