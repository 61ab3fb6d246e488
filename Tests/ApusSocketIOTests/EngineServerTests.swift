import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// Requests to an endpoint, in the order in which nobody sends them.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct EngineServerTests {
    private static let opening = "/socket.io/?EIO=4&transport=polling"

    private static func fetch(
        _ target: String, port: Int, _ method: String = "GET", _ lines: String...
    ) throws -> Answer {
        let client = try TestSupport.Client(port: port)
        defer { client.close() }
        try client.send((["\(method) \(target) HTTP/1.1", "Host: x"] + lines).map { $0 + "\r\n" }.joined() + "\r\n")
        return try client.readAnswer()
    }

    @Test func `queries and identities of combining marks are refused as unknown`() async throws {
        let marks = String(repeating: "%CC%81%CC%A3", count: 1000)
        try await withSocketIO { _, port in
            try await onThread {
                let sid = try Self.fetch(Self.opening + "&sid=\(marks)", port: port)
                #expect(sid.status == 400 && sid.text == #"{"code":1,"message":"Session ID unknown"}"#)
                let transport = try Self.fetch("/socket.io/?EIO=4&transport=\(marks)", port: port)
                #expect(transport.text == #"{"code":0,"message":"Transport unknown"}"#)
                let version = try Self.fetch("/socket.io/?EIO=\(marks)&transport=polling", port: port)
                #expect(version.text == #"{"code":5,"message":"Unsupported protocol version"}"#)
                #expect(try Self.fetch("/socket.io/\(marks)", port: port).status == 404)
                #expect(try Self.fetch("/socket.io?EIO=4&transport=polling&t=\(marks)", port: port).status == 200)
            }
        }
    }

    @Test func `sessions are limited, those that poll too, and counted`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxSessions = 3
        try await withSocketIO(configuration) { io, port in
            let pollers = try await onThread { try (0..<2).map { _ in try Poller(port: port) } }
            let client = try await onThread { try joined(port: port) }
            #expect(io.statistics.sessionsNow == 3 && io.statistics.sessionsRefused == 0)
            try await onThread {
                let answer = try Self.fetch(Self.opening, port: port)
                #expect(answer.status == 503 && answer.text == #"{"code":4,"message":"Too many sessions"}"#)
                let other = try TestSupport.Client(port: port)
                try other.sendHandshake("/socket.io/?EIO=4&transport=websocket")
                let refusal = try other.readAnswer()
                #expect(refusal.status == 503)
                other.close()
                #expect(io.statistics.sessionsRefused == 2)
                #expect(try pollers[0].post("1").status == 200)
            }
            try await until { io.statistics.sessionsNow == 2 }
            #expect(try await onThread { try Self.fetch(Self.opening, port: port).status } == 200)
            client.close()
        }
    }

    @Test func `sessions that have joined nothing have a limit of their own`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxPendingSessions = 2
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.of("/slow").use { _ in await gate.pass() }
            let first = try await onThread { try Poller(port: port, namespace: nil) }
            let second = try await onThread { try joined(port: port, nil) }
            #expect(io.statistics.pendingSessionsNow == 2)
            #expect(try await onThread { try Self.fetch(Self.opening, port: port).status } == 503)
            // Asking is not joining.
            try await onThread { try second.send(.text("40/slow,")) }
            try await until { gate.waiting == 1 }
            #expect(try await onThread { try Self.fetch(Self.opening, port: port).status } == 503)
            gate.open()
            try await until { io.statistics.pendingSessionsNow == 1 }
            #expect(try await onThread { try Self.fetch(Self.opening, port: port).status } == 200)
            #expect(io.statistics.pendingSessionsNow == 2 && io.statistics.sessionsNow == 3)
            #expect(io.statistics.sessionsRefused == 2)
            for client in [first.connection, second] { client.close() }
        }
    }

    /// The session of the only client, when it is as `condition` says.
    private static func session(
        _ io: SocketIOServer, _ condition: (EngineSession.State) -> Bool
    ) async throws -> EngineSession {
        let session = try #require(io.root.sockets.values.first).client.session
        try await until { session.state.withLock { condition($0) } }
        return session
    }

    @Test func `a second POST at once ends the session`() async throws {
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let poller = try await onThread { try Poller(port: port) }
            let unfinished = try await onThread { () -> TestSupport.Client in
                try poller.startPoll()
                return try poller.startPost()
            }
            _ = try await Self.session(io) { $0.isPosting && $0.poll != nil }
            try await onThread {
                let answer = try poller.post(#"42["x"]"#)
                #expect(answer.status == 400 && answer.text == #"{"code":3,"message":"Bad request"}"#)
                #expect(try poller.finishPoll() == ["1"])
                #expect(try poller.pollForAnswer().text == #"{"code":1,"message":"Session ID unknown"}"#)
                unfinished.close()
            }
            try await until { reasons.all == [.transportError] }
        }
    }

    @Test func `a goodbye by POST ends the poll with a noop, and the session`() async throws {
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let poller = try await onThread { try Poller(port: port) }
            try await onThread { try poller.startPoll() }
            _ = try await Self.session(io) { $0.poll != nil }
            try await onThread {
                let answer = try poller.post("1")
                #expect(answer.text == "ok")
                #expect(try poller.finishPoll() == ["6"])
                #expect(try poller.pollForAnswer().status == 400)
            }
            try await until { reasons.all == [.transportClose] }
        }
    }

    @Test func `a goodbye by WebSocket closes it normally`() async throws {
        let reasons = Reasons()
        try await withSocketIO { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            try await onThread {
                try client.send(.text("1"))
                #expect(try client.readClose() == 1000)
            }
            try await until { reasons.all == [.transportClose] }
        }
    }

    @Test func `a payload has its limit by POST and by WebSocket, to the byte`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxPayloadBytes = 1000
        let text = "42[\"" + String(repeating: "x", count: 200) + "\",\""
        let whole = text + String(repeating: "y", count: 1000 - text.utf8.count - 2) + "\"]"
        try await withSocketIO(configuration) { _, port in
            try await onThread {
                let poller = try Poller(port: port)
                #expect(try poller.post(whole).status == 200)
                #expect(try poller.post(whole + " ").status == 413)
                #expect(try poller.post(#"42["x"]"#).status == 200)
                let client = try joined(port: port)
                try client.send(.text(whole))
                try client.send(.text(#"42["x"]"#), .text(whole + " "))
                #expect(try client.readClose() == 1009)
                let binary = try joined(port: port)
                try binary.send(.text(#"451-["x"]"#), .binary(Array(repeating: 1, count: 1001)))
                #expect(try binary.readClose() == 1009)
            }
        }
    }

    @Test func `content that is bytes ends the session`() async throws {
        try await withSocketIO { _, port in
            try await onThread {
                let other = try Poller(port: port)
                let answer = try Self.fetch(
                    Self.opening + "&sid=\(other.sid)", port: port, "POST", "Content-Type: application/octet-stream",
                    "Content-Length: 1")
                #expect(answer.status == 400)
                #expect(try other.pollForAnswer().text == #"{"code":1,"message":"Session ID unknown"}"#)
            }
        }
    }

    @Test func `a session that opens when all were closed ends at once, by either transport`() async throws {
        try await withSocketIO { io, port in
            io.core.engine.close(.serverShuttingDown)
            try await onThread {
                let poller = try Poller(port: port, namespace: nil)
                #expect(try poller.poll() == ["1"])
                #expect(try joined(port: port, nil).readClose() == 1000)
            }
            try await until { io.clientCount == 0 }
        }
    }

    @Test func `a session that ends before it was accepted makes room for another one`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxPendingSessions = 1
        try await withSocketIO(configuration) { io, port in
            try await onThread { try joined(port: port, nil).reset() }
            try await until { io.statistics.sessionsNow == 0 }
            #expect(io.statistics.pendingSessionsNow == 0)
            let client = try await onThread { try joined(port: port) }
            client.close()
        }
    }

    @Test func `of those who ask for the last place at once one gets it`() async throws {
        let gate = Gate()
        var configuration = SocketIOServer.Configuration()
        configuration.maxSessions = 1
        configuration.allowRequest = { _ in await gate.pass() }
        try await withSocketIO(configuration) { io, port in
            async let polling = onThread { try Self.fetch(Self.opening, port: port).status }
            async let opening = onThread { () -> (TestSupport.Client, Frame) in
                let client = try TestSupport.Client.webSocket(port: port, "/socket.io/?EIO=4&transport=websocket")
                return (client, try client.readFrame())
            }
            try await until { gate.waiting == 2 }
            gate.open()
            let (status, (client, frame)) = try await (polling, opening)
            let code = frame.opcode == Frame.Opcode.close ? frame.closeCode : nil
            #expect((status == 200 && code == 1013) || (status == 503 && code == nil), "\(status), \(code ?? 0)")
            #expect(io.statistics.sessionsRefused == 1)
            client.close()
        }
    }

    @Test func `a payload is compressed from the threshold on, to the byte`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.compressionThreshold = 500
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let session = try await Self.session(io) { _ in true }
            for (size, encoding) in [(499, nil), (500, "gzip")] as [(Int, String?)] {
                session.post([.text("4" + String(repeating: "x", count: size - 1))])
                let answer = try await onThread {
                    try Self.fetch(Self.opening + "&sid=\(poller.sid)", port: port, "GET", "Accept-Encoding: gzip")
                }
                #expect(answer["Content-Encoding"] == encoding && answer.status == 200)
            }
            poller.connection.close()
        }
    }

    @Test func `where upgrades are not allowed none is offered, and one that comes is refused`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.allowsUpgrades = false
        try await withSocketIO(configuration) { io, port in
            try await onThread {
                #expect(try Self.fetch(Self.opening, port: port).text.contains(#""upgrades":[]"#))
                let poller = try Poller(port: port)
                let probe = try TestSupport.Client(port: port)
                try probe.sendHandshake("/socket.io/?EIO=4&transport=websocket&sid=\(poller.sid)")
                let answer = try probe.readAnswer()
                #expect(answer.status == 400 && answer.text == #"{"code":3,"message":"Bad request"}"#)
                let client = try joined(port: port)
                client.close()
            }
        }
    }
}
