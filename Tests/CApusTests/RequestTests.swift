import CApus
import CApusCore
import TestSupport
import Testing

/// How a request head is read from a connection (RFC 9110, RFC 9112).
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct RequestTests {
    private static func onServer<T: Sendable>(
        _ body: @escaping @Sendable (CoreServer, Client) throws -> T
    ) async throws -> (result: T, events: [CoreServer.Event], statistics: apus_statistics) {
        try await onThread {
            let server = try CoreServer()
            let client = try Client(port: server.port)
            let result = Result { try body(server, client) }
            client.close()
            let statistics = server.stop()
            return (try result.get(), server.events, statistics)
        }
    }

    @Test(arguments: ["hEAD", "head", "Head", "HEAd"])
    func `a method in another case is another method, and its answer has content`(method: String) async throws {
        let (answers, _, _) = try await Self.onServer { _, client in
            try client.sendRequest(method, "/one")
            let first = try client.readAnswer()
            try client.sendRequest("HEAD", "/two")
            let second = try client.readAnswer(hasBody: false)
            try client.sendRequest("GET", "/three")
            return [first, second, try client.readAnswer()]
        }
        #expect(answers.map(\.text) == ["/one", "", "/three"])
        #expect(answers.map { $0["Content-Length"] } == ["4", "4", "6"])
    }

    @Test func `an upgrade by a method in another case than GET is refused`() async throws {
        let (status, _, statistics) = try await Self.onServer { _, client in
            try client.sendRequest(
                "get", "/", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: \(Client.key)")
            return try client.readAnswer().status
        }
        #expect(status == 405)
        #expect(statistics.handshakes_refused == 1)
    }

    /// RFC 9112 §2.2.
    @Test(arguments: [false, true])
    func `one empty line before a request is ignored, wherever it is cut`(isByteByByte: Bool) async throws {
        let (texts, _, statistics) = try await Self.onServer { _, client in
            let requests = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            if isByteByByte {
                for byte in requests.utf8 { try client.send([byte]) }
            } else {
                try client.send(requests)
            }
            return [try client.readAnswer().text, try client.readAnswer().text]
        }
        #expect(texts == ["/1", "/2"])
        #expect(statistics.requests_refused == 0)
    }

    @Test(arguments: ["\r\n\r\n", "\r\n\n", "\n", "\r\n GET", "\rG"])
    func `anything else before a request is refused`(start: String) async throws {
        let (status, _, statistics) = try await Self.onServer { _, client in
            try client.send(start + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return try client.readAnswer().status
        }
        #expect(status == 400)
        #expect(statistics.requests_refused == 1)
        #expect(statistics.requests == 0)
    }

    /// RFC 9110 §7.8.
    @Test func `Upgrade is ignored in HTTP_1_0`() async throws {
        let (answer, events, statistics) = try await Self.onServer { _, client in
            try client.send(
                "GET /old HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(Client.key)\r\n\r\n")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.text == "/old")
        #expect(events.first == .request("/old", isUpgrade: false))
        #expect(statistics.handshakes_refused == 0)
    }
}
