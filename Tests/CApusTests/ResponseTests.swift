import CApus
import CApusCore
import Glibc
import TestSupport
import Testing

/// How an answer leaves. No time is over while a test runs, so nothing but the answer itself ends a connection.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ResponseTests {
    private static let never: UInt32 = 3_600_000

    private static func onServer<T: Sendable>(
        _ behaviour: CoreServer.Behaviour, _ change: (inout apus_endpoint_config) -> Void = { _ in },
        _ body: @escaping @Sendable (CoreServer, Client) throws -> T
    ) async throws -> (result: T, events: [CoreServer.Event], statistics: apus_statistics) {
        let server = try CoreServer(
            { config in
                config.endpoint.handshake_timeout = never
                config.endpoint.keep_alive_timeout = never
                config.endpoint.body_timeout = never
                config.endpoint.close_timeout = never
                change(&config.endpoint)
            }, behaviour)
        return try await onThread {
            let client = try Client(port: server.port, receiveBuffer: 4096)
            let result = Result { try body(server, client) }
            client.close()
            let statistics = server.stop(deadline: 100)
            return (try result.get(), server.events, statistics)
        }
    }

    @Test func `an answer shorter than its Content-Length ends the connection at once`() async throws {
        let behaviour = CoreServer.Behaviour(onRequest: { connection, _, _ in
            connection.begin(200, 10)
            connection.write(Array("short".utf8))
            connection.end()
        })
        let (bytes, events, _) = try await Self.onServer(behaviour) { _, client in
            try client.sendRequest()
            do { return try client.readToEnd().count } catch Client.Failure.reset { return 0 }
        }
        #expect(bytes < 200, "the head and five bytes, or nothing")
        #expect(events.contains(.end(code: 1006, reason: "", error: APUS_EINVAL)))
    }

    /// RFC 9110 §15.3.6: a 205 has no content, whatever the application gives.
    @Test(arguments: [false, true])
    func `a 205 has no content`(isStreamed: Bool) async throws {
        let behaviour = CoreServer.Behaviour(onRequest: { connection, target, _ in
            guard target == "/205" else {
                connection.respond(200, Array("next".utf8))
                return
            }
            guard isStreamed else {
                connection.respond(205, Array("content".utf8))
                return
            }
            connection.begin(205, 7)
            connection.write(Array("content".utf8))
            connection.end()
        })
        let (answers, _, _) = try await Self.onServer(behaviour) { _, client in
            try client.sendRequest("GET", "/205")
            let first = try client.readAnswer()
            try client.sendRequest("GET", "/")
            return [first, try client.readAnswer()]
        }
        #expect(answers.map(\.status) == [205, 200])
        #expect(answers[0]["Content-Length"] == "0")
        #expect(answers[0]["Transfer-Encoding"] == nil)
        #expect(answers[1].text == "next")
    }

    private static let pieceSize = 64 << 10

    /// Answers with content that is written piece by piece as it is pulled, and notes the longest queue.
    private static func pulled(_ size: Int, _ longest: Box<Int>) -> CoreServer.Behaviour {
        CoreServer.Behaviour(
            onRequest: { connection, _, _ in
                connection.begin(200, UInt64(size))
                apus_connection_pull(connection.pointer)
            },
            onPull: { connection in
                let piece = [UInt8](repeating: 120, count: pieceSize)
                let written = connection.written
                if written == size {
                    connection.written = 0
                    connection.end()
                    return
                }
                connection.write(Array(piece.prefix(size - written)))
                connection.written = min(written + pieceSize, size)
                longest.put(apus_connection_outbound(connection.pointer))
            })
    }

    @Test(arguments: [true, false])
    func `content is pulled as the client takes it, and no more than one piece waits`(isFinished: Bool) async throws {
        let size = 16 << 20
        let lengths = Box<Int>()
        let (count, _, _) = try await Self.onServer(Self.pulled(size, lengths)) { _, client in
            try client.sendRequest()
            // The end of the requests is not the end of the answer.
            if isFinished { client.finish() }
            return try client.readAnswer().body.count
        }
        #expect(count == size)
        #expect(lengths.all.count == size / Self.pieceSize)
        #expect((lengths.all.max() ?? 0) <= Self.pieceSize)
    }

    @Test func `a client that takes nothing of what is pulled is dropped`() async throws {
        let lengths = Box<Int>()
        let (_, events, statistics) = try await Self.onServer(Self.pulled(1 << 30, lengths)) { config in
            config.body_timeout = 50
        } _: { server, client in
            try client.sendRequest()
            while !server.events.contains(.free) { sched_yield() }
        }
        #expect(events.contains(.end(code: 1006, reason: "", error: APUS_ETIMEDOUT)))
        #expect(statistics.content_timeouts == 1)
    }

    @Test(arguments: ["Connection: close", "X: y"])
    func `a client that has sent its last byte gets a large answer whole`(field: String) async throws {
        let size = 16 << 20
        let behaviour = CoreServer.Behaviour(onRequest: { connection, _, _ in
            connection.respond(200, [UInt8](repeating: 120, count: size))
        })
        let (count, _, _) = try await Self.onServer(behaviour) { server, client in
            try client.sendRequest("GET", "/", field)
            while server.events.isEmpty { sched_yield() }
            client.finish()
            // Once the server has read the end, which it tells nobody, the rest must come still.
            _ = server.counted()
            let count = try client.readAnswer().body.count
            try client.expectEnd()
            return count
        }
        #expect(count == size)
    }
}
