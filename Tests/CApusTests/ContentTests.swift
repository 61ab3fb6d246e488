import CApus
import CApusCore
import TestSupport
import Testing

/// What a request's content may cost where nobody asked for it. No time is over while a test runs.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ContentTests {
    private static let never: UInt32 = 3_600_000

    private static func onServer<T: Sendable>(
        _ behaviour: CoreServer.Behaviour = .init(), _ body: @escaping @Sendable (CoreServer, Client) throws -> T
    ) async throws -> (result: T, statistics: apus_statistics) {
        let server = try CoreServer(
            { config in
                config.endpoint.handshake_timeout = never
                config.endpoint.keep_alive_timeout = never
                config.endpoint.body_timeout = never
                // What comes behind the end is read and forgotten, for so long.
                config.endpoint.close_timeout = 50
            }, behaviour)
        return try await onThread {
            let client = try Client(port: server.port)
            let result = Result { try body(server, client) }
            client.close()
            let statistics = server.stop(deadline: 100)
            return (try result.get(), statistics)
        }
    }

    /// Chunks say no length in advance; what is skipped of them has a limit, too.
    @Test(arguments: [1, 100, 4096])
    func `content in chunks that nobody read has a limit, and the connection ends`(size: Int) async throws {
        let chunk = "\(String(size, radix: 16))\r\n" + String(repeating: "x", count: size) + "\r\n"
        let block = Array(String(repeating: chunk, count: max(1, 4096 / size)).utf8)
        let (sent, statistics) = try await Self.onServer { _, client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            _ = try client.readAnswer()
            var sent = 0
            do {
                while sent < 1 << 30 {
                    try client.send(block)
                    sent += block.count
                }
            } catch Client.Failure.reset {}
            return sent
        }
        #expect(sent < 1 << 30)
        #expect(statistics.content_size_errors == 1)
        #expect(statistics.requests == 1)
    }

    @Test func `content in chunks up to the limit is skipped, and the next request is read`() async throws {
        let (text, statistics) = try await Self.onServer { _, client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            _ = try client.readAnswer()
            let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
            for _ in 0..<4 { try client.send(chunk) }
            try client.send("0\r\nTrailer: x\r\n\r\n")
            try client.sendRequest("GET", "/next")
            return try client.readAnswer().text
        }
        #expect(text == "/next")
        #expect(statistics.content_size_errors == 0)
    }

    /// Nothing of them is kept, but they are read, and none of them is content that a limit would count.
    @Test(arguments: ["0\r\nA", "0\r\nA: ", "5;"], [false, true])
    func `names and values of trailers, and extensions, have a limit`(start: String, isRead: Bool) async throws {
        let behaviour =
            isRead
            ? CoreServer.Behaviour(
                onRequest: { connection, _, _ in connection.demandBody() },
                onBodyEnd: { connection, error in connection.respond(error == APUS_OK ? 200 : 400) })
            : CoreServer.Behaviour()
        let (sent, statistics) = try await Self.onServer(behaviour) { _, client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send(start)
            var sent = 0
            do {
                while sent < 1 << 30 {
                    try client.send([UInt8](repeating: UInt8(ascii: "b"), count: 4096))
                    sent += 4096
                }
            } catch Client.Failure.reset {}
            return sent
        }
        #expect(sent < 1 << 30)
        #expect(statistics.content_errors == 1)
    }

    @Test func `each of many trailers counts`() async throws {
        let (sent, statistics) = try await Self.onServer { _, client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            _ = try client.readAnswer()
            try client.send("0\r\n")
            var sent = 0
            do {
                while sent < 1 << 30 {
                    try client.send(String(repeating: "A:\r\n", count: 1000))
                    sent += 5000
                }
            } catch Client.Failure.reset {}
            return sent
        }
        #expect(sent < 1 << 30)
        #expect(statistics.content_errors == 1)
    }
}
