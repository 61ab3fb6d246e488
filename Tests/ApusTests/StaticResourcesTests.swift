import Apus
import HTTPTypes
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct StaticResourcesTests {
    private static func makeFolder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("<h1>home</h1>", to: "index.html")
        try folder.write("body {}", to: "style.css")
        try folder.write("<h1>docs</h1>", to: "docs/index.html")
        try folder.write([0, 1, 2, 255], to: "docs/deep/data.bin")
        try folder.write("", to: "empty.txt")
        try folder.write("lines", to: "docs/a song für 100%.txt")
        try folder.write("secret", to: ".hidden")
        try folder.write("secret", to: ".git/config")
        return folder
    }

    private static func makeResources(
        index: String = "index.html", headerFields: HTTPFields = [:]
    ) throws -> StaticResources {
        let folder = try makeFolder()
        defer { folder.remove() }
        return try StaticResources(directory: folder.path, index: index, headerFields: headerFields)
    }

    private static func response(
        _ path: String, _ method: HTTPRequest.Method = .get, _ fields: HTTPFields = [:],
        in resources: StaticResources? = nil
    ) throws -> Response? {
        let resources = try resources ?? makeResources()
        let request = HTTPRequest(method: method, scheme: nil, authority: nil, path: path, headerFields: fields)
        return resources.response(to: request)
    }

    @Test(arguments: [
        ("/", "<h1>home</h1>", "text/html; charset=utf-8"),
        ("/index.html", "<h1>home</h1>", "text/html; charset=utf-8"),
        ("/style.css", "body {}", "text/css; charset=utf-8"),
        ("/style.css?v=2", "body {}", "text/css; charset=utf-8"),
        ("/?a=/b", "<h1>home</h1>", "text/html; charset=utf-8"),
        ("/docs/", "<h1>docs</h1>", "text/html; charset=utf-8"),
        ("/docs/index.html", "<h1>docs</h1>", "text/html; charset=utf-8"),
        ("/empty.txt", "", "text/plain; charset=utf-8"),
        ("/docs/a%20song%20f%C3%BCr%20100%25.txt", "lines", "text/plain; charset=utf-8"),
        ("/docs/%61%20song%20f%c3%bcr%20100%25.txt?x", "lines", "text/plain; charset=utf-8"),
        ("/style%2Ecss", "body {}", "text/css; charset=utf-8"),
    ])
    func `a file is served with its content type`(path: String, text: String, type: String) throws {
        let response = try #require(try Self.response(path))
        #expect(response.status == .ok)
        #expect(String(decoding: response.body, as: UTF8.self) == text)
        #expect(response.headerFields[.contentType] == type)
        #expect(response.headerFields[.xContentTypeOptions] == "nosniff")
        #expect(response.headerFields[.eTag]?.hasPrefix("\"") == true)
        #expect(response.headerFields[.cacheControl] == "no-cache")
    }

    @Test func `what is to be compressed is, for those who take gzip, under a tag of its own`() throws {
        var resources = StaticResources()
        let contents = [UInt8](repeating: 65, count: 10_000)
        resources.add(contents, at: "/script.js", isCompressed: true)
        let plain = try #require(try Self.response("/script.js", in: resources))
        #expect(plain.body == contents)
        #expect(plain.headerFields[.contentEncoding] == nil)
        #expect(plain.headerFields[.vary] == "Accept-Encoding")
        let packed = try #require(try Self.response("/script.js", .get, [.acceptEncoding: "gzip"], in: resources))
        #expect(packed.body.prefix(2) == [0x1F, 0x8B])
        #expect(packed.body.count < 1000)
        #expect(packed.headerFields[.contentEncoding] == "gzip")
        let tag = try #require(packed.headerFields[.eTag])
        #expect(tag != plain.headerFields[.eTag])
        let again = try Self.response(
            "/script.js", .get, [.acceptEncoding: "gzip", .ifNoneMatch: tag], in: resources)
        #expect(again?.status == .notModified)
    }

    @Test func `bytes are served as they are`() throws {
        let response = try #require(try Self.response("/docs/deep/data.bin"))
        #expect(response.body == [0, 1, 2, 255])
        #expect(response.headerFields[.contentType] == "application/octet-stream")
    }

    @Test(arguments: [
        "/missing", "/docs", "/docs/deep/", "/docs/deep", "/.hidden", "/.git/config", "", "*", "index.html", "//",
        "/../index.html", "/docs/../index.html", "/./index.html", "/docs/%2e%2e/index.html", "/%2e%2e/etc/passwd",
        "/../../../../etc/passwd", "//etc/passwd", "/index.html/", "/INDEX.HTML", "/index.html%00",
    ])
    func `what is not there is nothing, and no path leads out`(path: String) throws {
        #expect(try Self.response(path) == nil)
    }

    @Test func `HEAD gets what GET gets`() throws {
        let head = try #require(try Self.response("/style.css", .head))
        let get = try #require(try Self.response("/style.css"))
        #expect(head.status == .ok)
        #expect(head.headerFields == get.headerFields)
    }

    @Test(arguments: [HTTPRequest.Method.post, .put, .delete, .options, .patch])
    func `another method is not allowed`(method: HTTPRequest.Method) throws {
        let response = try #require(try Self.response("/style.css", method))
        #expect(response.status == .methodNotAllowed)
        #expect(response.headerFields[.allow] == "GET, HEAD")
        #expect(try Self.response("/missing", method) == nil)
    }

    @Test func `what the client has already is not sent again`() throws {
        let resources = try Self.makeResources()
        let tag = try #require(try Self.response("/style.css", in: resources)?.headerFields[.eTag])
        for list in [tag, "W/\(tag)", "\"other\", \(tag)", "*", " \(tag) "] {
            let response = try #require(try Self.response("/style.css", .get, [.ifNoneMatch: list], in: resources))
            #expect(response.status == .notModified)
            #expect(response.body.isEmpty)
            #expect(response.headerFields[.eTag] == tag)
            #expect(response.headerFields[.contentType] == nil)
        }
        for list in ["\"other\"", "", "\(tag.dropLast())", tag.uppercased() + "x"] {
            let response = try #require(try Self.response("/style.css", .get, [.ifNoneMatch: list], in: resources))
            #expect(response.status == .ok)
        }
        let other = try #require(try Self.response("/", in: resources)?.headerFields[.eTag])
        #expect(other != tag)
    }

    @Test func `conditions are evaluated over HTTP`() async throws {
        let folder = try Self.makeFolder()
        defer { folder.remove() }
        let resources = try StaticResources(directory: folder.path)
        try await withServer(http: { resources.response(to: $0) ?? .notFound }) { _, port in
            let answers = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/style.css")
                let first = try client.readAnswer()
                let tag = first["ETag"] ?? "", date = first["Last-Modified"] ?? ""
                let conditions = [
                    "If-Match: \(tag)", "If-Match: \"x\"", "If-Match: W/\(tag)", "If-Match: *",
                    "If-Unmodified-Since: \(date)", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
                    "If-Modified-Since: \(date)", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
                    "Range: bytes=0-1",
                ]
                return [first]
                    + (try conditions.map { condition in
                        try client.sendRequest("GET", "/style.css", condition)
                        return try client.readAnswer()
                    })
            }
            #expect(answers.map(\.status) == [200, 200, 412, 412, 200, 200, 412, 304, 200, 200])
            #expect(answers[0]["Last-Modified"]?.hasSuffix(" GMT") == true)
            #expect(answers[2]["ETag"] == answers[0]["ETag"])
            #expect(answers[2].body.isEmpty)
        }
    }

    @Test func `a method that is not allowed is told before any condition`() throws {
        let response = try #require(try Self.response("/style.css", .put, [.ifMatch: "\"x\""]))
        #expect(response.status == .methodNotAllowed)
        let lower = try #require(try Self.response("/style.css", HTTPRequest.Method("head") ?? .head))
        #expect(lower.status == .methodNotAllowed)
    }

    @Test func `further fields go with every response but a refusal`() throws {
        let resources = try Self.makeResources(
            index: "style.css", headerFields: [.contentSecurityPolicy: "default-src 'self'"])
        for path in ["/", "/docs/index.html"] {
            let response = try #require(try Self.response(path, in: resources))
            #expect(response.headerFields[.contentSecurityPolicy] == "default-src 'self'")
        }
        #expect(try Self.response("/", in: resources)?.headerFields[.contentType] == "text/css; charset=utf-8")
        #expect(try Self.response("/docs/", in: resources) == nil)
    }

    @Test func `a file that changes on disk is served as it was`() throws {
        let folder = try Self.makeFolder()
        defer { folder.remove() }
        let resources = try StaticResources(directory: folder.path)
        try folder.write("changed", to: "style.css")
        #expect(try Self.response("/style.css", in: resources)?.body == Array("body {}".utf8))
    }

    @Test func `a resource can be added by hand`() throws {
        var resources = StaticResources()
        resources.add(Array("{}".utf8), at: "/health", contentType: "application/json")
        resources.add(Array("User-agent: *".utf8), at: "/robots.txt")
        #expect(try Self.response("/health", in: resources)?.headerFields[.contentType] == "application/json")
        #expect(
            try Self.response("/robots.txt", in: resources)?.headerFields[.contentType] == "text/plain; charset=utf-8")
    }

    @Test func `a directory that cannot be read is named`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path(of: "missing")
        do {
            _ = try StaticResources(directory: path)
            Issue.record("it was read")
        } catch {
            #expect(error.code == .unreadableFile)
            #expect(error.message.contains(path))
            #expect(error.message.contains("No such file or directory"))
        }
    }

    @Test func `over HTTP it is the same`() async throws {
        let resources = try Self.makeResources()
        try await withServer(http: { resources.response(to: $0) ?? .notFound }) { _, port in
            let answers = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/style.css?v=1")
                let first = try client.readAnswer()
                try client.sendRequest("GET", "/style.css", "If-None-Match: \(first["ETag"] ?? "")")
                let second = try client.readAnswer()
                try client.sendRequest("HEAD", "/style.css")
                let third = try client.readAnswer(hasBody: false)
                try client.sendRequest("DELETE", "/style.css")
                let fourth = try client.readAnswer()
                try client.sendRequest("GET", "/../style.css")
                return [first, second, third, fourth, try client.readAnswer()]
            }
            #expect(answers.map(\.status) == [200, 304, 200, 405, 404])
            #expect(answers[0].text == "body {}")
            #expect(answers[1]["Content-Length"] == nil)
            #expect(answers[2]["Content-Length"] == "7")
            #expect(answers[3]["Allow"] == "GET, HEAD")
        }
    }
}
