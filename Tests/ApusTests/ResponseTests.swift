import Apus
import HTTPTypes
import TestSupport
import Testing

/// Responses too large to be copied at once.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ResponseTests {
    private static let content = (0..<(5 << 20) + 3).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }

    @discardableResult
    private static func onServer<T: Sendable>(
        _ configuration: WebSocketServer.Configuration = .with(), _ script: @escaping @Sendable (Client) throws -> T
    ) async throws -> (T, WebSocketServer.Statistics) {
        let results = Box<T>()
        let content = Self.content  // made here, since it takes a debug build a second
        let respond: @Sendable (Request) -> Response = { request in
            switch request.path {
            case "/large": Response(status: .ok, body: content)
            case "/204": Response(status: .noContent, body: content)
            case "/edge": Response(status: .ok, body: Array(content.prefix(64 << 10)))
            case "/past": Response(status: .ok, body: Array(content.prefix((64 << 10) + 1)))
            default: .text(request.path ?? "")
            }
        }
        let statistics = try await withServer(configuration, http: { respond($0) }) { _, port in
            results.put(try await onThread { try script(Client(port: port, receiveBuffer: 4096)) })
            try await expectEcho(port: port)
        }
        return (try #require(await results.take()), statistics)
    }

    @Test(arguments: [("/edge", 64 << 10), ("/past", (64 << 10) + 1), ("/large", (5 << 20) + 3)])
    func `a response of any size arrives whole`(path: String, count: Int) async throws {
        let (body, _) = try await Self.onServer { client in
            try client.sendRequest("GET", path)
            return try client.readAnswer().body
        }
        #expect(body.count == count)
        #expect(body == Array(Self.content.prefix(count)))
    }

    @Test func `requests that come behind one with a large response are answered in order`() async throws {
        let (answers, _) = try await Self.onServer { client in
            for path in ["/1", "/large", "/2", "/large", "/3"] { try client.sendRequest("GET", path) }
            return try (0..<5).map { _ in try client.readAnswer().body.count }
        }
        #expect(answers == [2, Self.content.count, 2, Self.content.count, 2])
    }

    @Test(arguments: [("HEAD", "/large"), ("GET", "/204")])
    func `where there is no content none is sent`(method: String, path: String) async throws {
        let (answers, _) = try await Self.onServer { client in
            try client.sendRequest(method, path)
            let first = try client.readAnswer(hasBody: false)
            try client.sendRequest("GET", "/next")
            return [first, try client.readAnswer()]
        }
        #expect(answers[0]["Content-Length"] == (method == "HEAD" ? "\(Self.content.count)" : nil))
        #expect(answers[1].text == "/next")
    }

    @Test(arguments: ["GET /large HTTP/1.0\r\n\r\n", "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"])
    func `the last response of a connection arrives whole, though the client has ended its direction`(request: String)
        async throws
    {
        let (count, _) = try await Self.onServer { client in
            try client.send(request)
            client.finish()
            let count = try client.readAnswer().body.count
            try client.expectEnd()
            return count
        }
        #expect(count == Self.content.count)
    }

    @Test func `a client that expects 100, and whose content nobody wants, gets a large response without it`()
        async throws
    {
        let (answer, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/large", "Content-Length: 5", "Expect: 100-continue")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 200)
        #expect(answer.body.count == Self.content.count)
    }

    @Test func `a client that goes in the middle of a large response does no harm`() async throws {
        let (_, statistics) = try await Self.onServer { client in
            try client.sendRequest("GET", "/large")
            _ = try client.read(100_000)
            try client.reset()
        }
        #expect(statistics.connectionsNow == 0)
    }
}
