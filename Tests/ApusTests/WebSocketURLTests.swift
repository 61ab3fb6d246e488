@testable import Apus
import Testing

struct WebSocketURLTests {
    @Test(arguments: [
        ("ws://example.org", "example.org", 80, "example.org", "/"),
        ("WS://Example.org/", "Example.org", 80, "Example.org", "/"),
        ("wss://example.org/chat", "example.org", 443, "example.org", "/chat"),
        ("ws://example.org:8080/a?b=c", "example.org", 8080, "example.org:8080", "/a?b=c"),
        ("ws://example.org:80", "example.org", 80, "example.org", "/"),
        ("wss://example.org:443", "example.org", 443, "example.org", "/"),
        ("wss://example.org:80", "example.org", 80, "example.org:80", "/"),
        ("ws://example.org:/", "example.org", 80, "example.org", "/"),
        ("ws://[::1]:9000/a", "::1", 9000, "[::1]:9000", "/a"),
        ("ws://[2001:db8::1]", "2001:db8::1", 80, "[2001:db8::1]", "/"),
        ("ws://127.0.0.1?q", "127.0.0.1", 80, "127.0.0.1", "/?q"),
        ("ws://user:pass@host:1/@:?@", "host", 1, "host:1", "/@:?@"),
        ("ws://host//a%20b", "host", 80, "host", "//a%20b"),
    ])
    func `a URL is read (RFC 6455 §3)`(
        text: String, host: String, port: Int, authority: String, target: String
    ) throws {
        let url = try WebSocketURL(text)
        #expect(url.place == .tcp(host: host, port: port))
        #expect(url.authority == authority)
        #expect(url.target == target)
        #expect(url.isSecure == text.lowercased().hasPrefix("wss"))
    }

    @Test(arguments: [
        ("ws+unix:///run/a.sock", "/run/a.sock", "/"), ("ws+unix:/run/a.sock:/chat?x", "/run/a.sock", "/chat?x"),
        ("ws+unix:///run/a%20b%3A.sock:?x", "/run/a b:.sock", "/?x"), ("WS+UNIX:///a", "/a", "/"),
    ])
    func `a Unix socket's path comes first, the request's behind a colon`(text: String, path: String, target: String)
        throws
    {
        let url = try WebSocketURL(text)
        #expect(url.place == .unix(path: path))
        #expect(url.target == target)
        #expect(url.authority == "localhost")
    }

    @Test(arguments: [
        "", "example.org", "http://example.org", "ws:example.org", "ws:/example.org", "ws://", "ws:///a", "ws://?a",
        "ws://host#a", "ws://host/#", "ws://host/a b", "ws://host/\u{e4}", "ws://\u{e4}", "ws://host:0",
        "ws://host:65536",
        "ws://host:-1", "ws://host:+1", "ws://host:1x", "ws://host:99999999999999999999", "ws://[::1", "ws://[::1]x",
        "ws://[host]", "ws://::1", "ws://a@b@c", "ws://a%2@c", "ws://ho%73t", "ws://[fe80::1%25eth0]", "ws://host\r\n",
        "ws+unix://", "ws+unix:a", "ws+unix:///a%00", "ws+unix:///a%zz", ":", "//host", "ws://host:\u{663}",
    ])
    func `what is no WebSocket URL is refused with words`(text: String) {
        let error = #expect(throws: WebSocketError.self) { try WebSocketURL(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(text.contains("@") ? "…@" : text.debugDescription) == true)
    }

    @Test(arguments: [("ws://a:b@c", "a:b"), ("ws://a%3A:%40@c", "a::@"), ("ws://a@c", "a"), ("ws://c", nil)])
    func `user and password are decoded`(text: String, decoded: String?) throws {
        #expect(try WebSocketURL(text).userInfo == decoded.map { Array($0.utf8) })
    }

    @Test(arguments: [
        "ws://user:secret@host:port/", "http://user:secret@host/", "ws://user:sec@ret@host/", "wss://us%er:secret@host",
        "ws://user:secret@", "ws://user:secret@host/#a@b",
    ])
    func `what is no URL tells neither user nor password`(text: String) {
        do {
            _ = try WebSocketURL(text)
            Issue.record("it is one")
        } catch {
            #expect(!error.message.contains("sec"))
            #expect(!error.message.contains("us%er"))
            #expect(error.message.contains("://…@") || error.message.contains("//…@"))
        }
    }

    @Test(arguments: [
        ("ws:/user:secret@host", "ws:…@host"), ("user:secret@host", "…@host"),
        ("wss:\\\\user:secret@host", "wss:…@host"), ("ws:/user:secret@host//x", "ws:…@host//x"),
        ("user:sec//ret@host", "…@host"), ("//user://secret@host", "//…@host"), ("ws:/@", "ws:…@"),
        ("HTTPS:user:secret@host", "HTTPS:…@host"), ("user@host://x", "…@host://x"),
        ("ws+unix:user:secret@", "ws+unix:…@"),
    ])
    func `what is no URL for want of its slashes tells neither user nor password`(text: String, told: String) {
        let error = #expect(throws: WebSocketError.self) { try WebSocketURL(text) }
        #expect(error?.message.hasPrefix(told.debugDescription) == true)
    }

    @Test func `a description holds neither password nor query`() throws {
        #expect(try WebSocketURL("wss://user:secret@host:1/path?token=secret").description == "wss://host:1/path")
        #expect(try WebSocketURL("ws+unix:///a:/b?secret").description == "ws+unix:///a:/b")
    }

    @Test(arguments: [
        ("ws://other/x", "ws://other/x"), ("http://other:1/x?y", "ws://other:1/x?y"), ("https://other", "wss://other/"),
        ("HTTPS://other", "wss://other/"), ("//other/x", "ws://other/x"), ("/x?y", "ws://host:1/x?y"),
        ("x", "ws://host:1/a/x"),
        ("?y", "ws://host:1/a/b?y"), ("/x#fragment", "ws://host:1/x"),
    ])
    func `a redirect is followed from where it was met (RFC 9110 §10_2_2)`(location: String, target: String) throws {
        let next = try WebSocketURL("ws://host:1/a/b?c").following(location)
        #expect(try next == WebSocketURL(target))
    }

    /// To compare this once as text would take minutes. Of what a server sends, an error tells no more than a part.
    @Test(.timeLimit(.minutes(1)), arguments: ["", "/", "//", "http:", "#", "//a@", "a:"])
    func `a mebibyte of combining marks leads nowhere, and is soon seen to be none`(start: String) throws {
        let marks = String(repeating: "\u{301}\u{323}", count: 1 << 18)
        let url = try WebSocketURL("ws://host/a")
        if start == "#" {
            #expect(try url.following(start + marks) == WebSocketURL("ws://host/"))
            return
        }
        let error = #expect(throws: WebSocketError.self) { try url.following(start + marks) }
        #expect((error?.message.utf8.count ?? .max) < 4096)
    }

    @Test(arguments: ["ftp://host/", "ws+unix:///a", "http://", "mailto:a", "/\u{e4}"])
    func `a redirect elsewhere is refused`(location: String) throws {
        let url = try WebSocketURL("ws://host/")
        #expect(throws: WebSocketError.self) { try url.following(location) }
    }

    @Test(arguments: [
        ("ws://host/a", "ws://host:80/b?c", true), ("wss://host", "wss://user@host:443/", true),
        ("ws+unix:///a:/b", "ws+unix:///a:/c", true),
        // The scheme counts though host and port are the same (RFC 6454 §5).
        ("wss://host:8080/", "ws://host:8080/", false), ("ws://host:443/", "wss://host/", false),
        ("ws://host/", "ws://other/", false), ("ws://host:1/", "ws://host:2/", false),
        ("ws+unix:///a", "ws+unix:///b", false), ("ws+unix:///localhost", "ws://localhost/", false),
    ])
    func `two URLs are of one origin where scheme, host and port are the same`(
        one: String, other: String, isSame: Bool
    ) throws {
        let (first, second) = (try WebSocketURL(one), try WebSocketURL(other))
        #expect(first.isSameOrigin(as: second) == isSame)
        #expect(second.isSameOrigin(as: first) == isSame)
    }
}
