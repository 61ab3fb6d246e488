import Apus
import HTTPTypes
import TestSupport
import Testing

/// The request as the application sees it.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct RequestHeadTests {
    private static func request(_ lines: String...) async throws -> HTTPRequest {
        let requests = Box<HTTPRequest>()
        try await withServer(
            http: { request in
                requests.put(request.head)
                return .notFound
            }
        ) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.send(lines.map { $0 + "\r\n" }.joined() + "\r\n")
                _ = try client.readAnswer()
            }
        }
        return try #require(await requests.take())
    }

    @Test func `it has method, path, authority and all fields in order`() async throws {
        let request = try await Self.request(
            "PROPFIND /a%20b?c=d&e HTTP/1.1", "HOST: example.org:8080", "Cookie: a=1", "X-Two:   2\t", "cookie: b=2",
            "X-Empty:")
        #expect(request.method == HTTPRequest.Method("PROPFIND"))
        #expect(request.path == "/a%20b?c=d&e")
        #expect(request.authority == "example.org:8080")
        #expect(request.scheme == "http")
        #expect(request.headerFields[values: .cookie] == ["a=1", "b=2"])
        #expect(request.headerFields.map(\.name.canonicalName) == ["host", "cookie", "x-two", "cookie", "x-empty"])
        #expect(request.headerFields.map(\.value) == ["example.org:8080", "a=1", "2", "b=2", ""])
    }

    @Test(arguments: [
        ("http://other.example/a?b", "http", "other.example", "/a?b"),
        ("https://other.example:8443", "https", "other.example:8443", "/"),
        ("http://other.example?b", "http", "other.example", "/?b"),
        ("/path/http://x", "http", "localhost", "/path/http://x"),
    ])
    func `a whole URL as target overrides Host`(
        target: String, scheme: String, authority: String, path: String
    ) async throws {
        let request = try await Self.request("GET \(target) HTTP/1.1", "Host: localhost")
        #expect(request.scheme == scheme)
        #expect(request.authority == authority)
        #expect(request.path == path)
    }

    @Test func `the asterisk of OPTIONS is its path`() async throws {
        let request = try await Self.request("OPTIONS * HTTP/1.1", "Host: localhost")
        #expect(request.method == .options)
        #expect(request.path == "*")
    }

    @Test func `HTTP/1.0 needs no Host`() async throws {
        let request = try await Self.request("GET / HTTP/1.0")
        #expect(request.authority == nil)
    }
}
