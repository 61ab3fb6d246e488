import CApusCore
import Testing

private func isSameOrigin(
    _ origins: String..., host: String? = "example.org", line: String = "GET / HTTP/1.1"
) throws -> Bool {
    let hosts = host.map { ["Host: \($0)"] } ?? []
    let lines = [line] + hosts + origins.map { "Origin: \($0)" } + ["", ""]
    return try ParsedHead(lines.joined(separator: "\r\n")).ask(apus_handshake_is_same_origin)
}

struct OriginTests {
    @Test func `a request without Origin comes from no browser and passes`() throws {
        #expect(try isSameOrigin())
        #expect(try isSameOrigin(host: ""))
        #expect(try isSameOrigin(host: nil, line: "GET / HTTP/1.0"))
    }

    @Test(arguments: [
        ("http://example.org", "example.org"), ("https://example.org", "example.org"),
        ("HTTP://EXAMPLE.org", "Example.ORG"),
        ("http://example.org:80", "example.org"), ("http://example.org", "example.org:80"),
        ("https://example.org:443", "example.org"), ("https://example.org", "example.org:443"),
        ("http://example.org:8080", "example.org:8080"), ("http://localhost:0", "localhost:0"),
        ("http://example.org:", "example.org:"), ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"), ("https://[2001:DB8::1]", "[2001:db8::1]:443"),
    ])
    func `an origin whose host and port are those of Host is the same`(origin: String, host: String) throws {
        #expect(try isSameOrigin(origin, host: host))
    }

    @Test(arguments: [
        ("http://example.com", "example.org"), ("http://example.org.evil.com", "example.org"),
        ("http://evilexample.org", "example.org"), ("http://www.example.org", "example.org"),
        ("http://example.org", "www.example.org"), ("http://example.org.", "example.org"),
        ("http://example.org:8080", "example.org"), ("http://example.org", "example.org:8080"),
        ("http://example.org:443", "example.org"), ("https://example.org:80", "example.org"),
        ("https://example.org", "example.org:80"), ("http://example.org", "example.org:443"),
        ("http://[::1]", "[::2]"), ("http://127.0.0.1", "localhost"),
        ("http://example.org:65536", "example.org"), ("http://example.org:0", "example.org:80"),
    ])
    func `an origin of another host or port is another`(origin: String, host: String) throws {
        #expect(try !isSameOrigin(origin, host: host))
    }

    @Test(arguments: [
        "null", "", "*", "example.org", "//example.org", "http:example.org", "http:/example.org", "http://",
        "http://example.org/", "http://example.org/a", "http://example.org?a", "http://example.org#a",
        "http://example.org http://example.org", "http://example.org, http://example.org", "http://example.org\t.",
        "http://user@example.org", "http://example.org@evil.com", "http://evil.com@example.org",
        "http://example.org:80:80",
        "http://example.org:80a", "http://[::1", "ftp://example.org", "file://", "ws://example.org",
        "httpss://example.org",
        "chrome-extension://example.org", "://example.org", "http ://example.org", "http://http://example.org",
    ])
    func `an origin that does not parse, or is of no web page, is another`(origin: String) throws {
        #expect(try !isSameOrigin(origin))
    }

    @Test func `obs-text in an origin makes it another`() throws {
        let head = try ParsedHead(
            bytes("GET / HTTP/1.1\r\nHost: example.org\r\nOrigin: http://example.org") + [0xff] + bytes("\r\n\r\n"))
        #expect(!head.ask(apus_handshake_is_same_origin))
    }

    @Test func `two origins are no origin, even where both are the same`() throws {
        #expect(try !isSameOrigin("http://example.org", "http://example.org"))
        #expect(try !isSameOrigin("http://example.org", "http://example.com"))
    }

    @Test func `without a host to compare with every origin is another`() throws {
        #expect(try !isSameOrigin("http://example.org", host: ""))
        #expect(try !isSameOrigin("http://example.org", host: nil, line: "GET / HTTP/1.0"))
    }

    @Test func `the authority of an absolute target overrides Host (RFC 9112 §3.2.2)`() throws {
        let line = "GET http://other.example/ HTTP/1.1"
        #expect(try isSameOrigin("http://other.example", line: line))
        #expect(try !isSameOrigin("http://example.org", line: line))
    }
}
