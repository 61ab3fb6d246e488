import CApus
import CApusCore
import CApusInternals
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

    /// Lets the socket take all it has room for; how many bytes that were.
    private static func settle(_ server: CoreServer) -> Int {
        var (last, rounds) = (0, 0)
        while rounds < 10 {
            server.run {}
            let count = Int(server.counted().bytes_sent)
            rounds = count == last ? rounds + 1 : 0
            last = count
        }
        return last
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

    /// Of its socket's buffer a good part must be empty before there is room for more, and that may take long.
    @Test func `a client that acknowledges what it is sent is not dropped, though no more fits into its socket`()
        async throws
    {
        let (lengths, connections) = (Box<Int>(), Box<Connection>())
        var behaviour = Self.pulled(1 << 30, lengths)
        let usual = behaviour.onRequest
        behaviour.onRequest = { connection, target, isUpgrade in
            connections.put(connection)
            usual(connection, target, isUpgrade)
        }
        let (_, _, statistics) = try await Self.onServer(behaviour) { config in
            config.least_rate = 0
        } _: { server, client in
            func acknowledged() -> UInt64 {
                let counts = Box<UInt64>()
                server.run { counts.put(apus__connection_acknowledged(connections.all[0].pointer)) }
                return counts.take() ?? 0
            }
            try client.sendRequest()
            while connections.all.isEmpty { sched_yield() }
            _ = Self.settle(server)
            for _ in 0..<3 {
                let before = acknowledged()
                while acknowledged() < before + 16 << 10 { _ = try client.read(8 << 10) }
                server.skip(UInt64(Self.never) + 1000)
                #expect(server.counted().content_timeouts == 0)
            }
            // What was acknowledged since may count once more.
            server.skip(UInt64(Self.never) + 1000)
            server.skip(UInt64(Self.never) + 1000)
            while !server.events.contains(.free) { sched_yield() }
        }
        #expect(statistics.content_timeouts == 1)
    }

    /// One event makes room for the last piece, which then stands in the cork, and brings the client's end.
    @Test(arguments: ["Connection: close", "X: y"])
    func `the last piece of an answer arrives, though the client's end comes with the room for it`(
        field: String
    ) async throws {
        let (isLast, connections) = (Box<Bool>(), Box<Connection>())
        let behaviour = CoreServer.Behaviour(
            onRequest: { connection, _, _ in
                connections.put(connection)
                connection.begin(200)
                apus_connection_pull(connection.pointer)
            },
            onPull: { connection in
                guard isLast.all.isEmpty else {
                    connection.write(Array("the end".utf8))
                    connection.end()
                    return
                }
                connection.write([UInt8](repeating: 120, count: Self.pieceSize))
            })
        let (text, events, _) = try await Self.onServer(behaviour) { server, client in
            try client.sendRequest("GET", "/", field)
            while connections.all.isEmpty { sched_yield() }
            let (sent, results) = (Self.settle(server), Box<Bool>())
            server.run {
                isLast.put(true)
                results.put((try? client.read(sent)) != nil)
                client.finish()
            }
            #expect(results.all == [true])
            return String(decoding: try client.readToEnd().suffix(17), as: UTF8.self)
        }
        #expect(text == "7\r\nthe end\r\n0\r\n\r\n".suffix(17))
        #expect(events.filter { if case .end = $0 { true } else { false } }.count == 1)
    }
}
