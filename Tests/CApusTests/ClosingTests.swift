import CApus
import CApusCore
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ClosingTests {
    /// A server that gives out a message only when it is asked for, while `script` talks to it. It has an hour for a
    /// closing handshake.
    private static func onServer(
        answersFirst: Bool = true, _ change: @escaping @Sendable (inout apus_listener_config) -> Void = { _ in },
        script: @escaping @Sendable (CoreServer, Client, Connection) throws -> Void
    ) async throws -> (events: [CoreServer.Event], statistics: apus_statistics) {
        try await onThread {
            let connections = Box<Connection>()
            let server = try CoreServer(
                {
                    $0.endpoint.answers_first = answersFirst
                    $0.endpoint.close_timeout = 3_600_000
                    change(&$0)
                }, .withoutDemand(connections))
            let client = try Client(port: server.port, receiveBuffer: 4096)
            try client.open()
            guard let connection = connections.take() else { throw Client.Failure.ended }
            try script(server, client, connection)
            client.close()
            let statistics = server.stop()
            return (server.events.filter { if case .request = $0 { false } else { true } }, statistics)
        }
    }

    private static let text = CoreServer.Event.message(APUS_OPCODE_TEXT, Array("a question".utf8))

    /// Sends a message and a Close, and returns once the server has seen both.
    private static func ask(_ server: CoreServer, _ client: Client) throws {
        try client.send(.text("a question"), .close(4000, "thanks"))
        while server.counted().messages_received == 0 {}
    }

    @Test func `the answer to a Close waits until the messages before it are taken, and another is asked for`()
        async throws
    {
        let (events, statistics) = try await Self.onServer { server, client, connection in
            try Self.ask(server, client)
            server.run {
                connection.demand(APUS_DEMAND_ONE)
                connection.send(APUS_OPCODE_TEXT, Array("an answer".utf8))
            }
            guard try client.readText() == "an answer" else { throw Client.Failure.ended }
            let seen = server.events
            #expect(seen.last == Self.text)
            server.run { connection.demand(APUS_DEMAND_ONE) }
            #expect(try client.readClose(answers: false) == 4000)
        }
        #expect(events == [Self.text, .end(code: 4000, reason: "thanks", error: APUS_OK), .free])
        #expect(statistics.close_timeouts == 0)
        #expect(statistics.messages_sent == 1)
    }

    @Test func `a Close of the application's own is the answer`() async throws {
        let (events, _) = try await Self.onServer { server, client, connection in
            try Self.ask(server, client)
            server.run {
                #expect(connection.close(1000) == 0)
                #expect(connection.close(1000) == APUS_ECLOSED.rawValue)
                #expect(connection.send(APUS_OPCODE_TEXT, []) == APUS_ECLOSED.rawValue)
            }
            #expect(try client.readClose(answers: false) == 4000)
        }
        #expect(events == [.end(code: 4000, reason: "thanks", error: APUS_OK), .free])
    }

    @Test func `a listener that stops answers the Close`() async throws {
        let (events, _) = try await Self.onServer { server, client, connection in
            try Self.ask(server, client)
            server.run { connection.stopListener() }
            #expect(try client.readClose(answers: false) == 4000)
        }
        #expect(events == [.end(code: 4000, reason: "thanks", error: APUS_OK), .free])
    }

    @Test func `a connection that is dropped while its answer waits has ended by the Close`() async throws {
        let (events, statistics) = try await Self.onServer { server, client, connection in
            try Self.ask(server, client)
            server.run { connection.abort() }
            try client.expectEnd()
        }
        #expect(events == [.end(code: 4000, reason: "thanks", error: APUS_OK), .free])
        #expect(statistics.connections_lost == 0)
    }

    @Test func `without messages, or where answers do not come first, nothing waits`() async throws {
        for answersFirst in [true, false] {
            let (events, _) = try await Self.onServer(answersFirst: answersFirst) { _, client, _ in
                if !answersFirst { try client.send(.text("a question")) }
                try client.send(.close(4000, "thanks"))
                #expect(try client.readClose(answers: false) == 4000)
            }
            #expect(events == [.end(code: 4000, reason: "thanks", error: APUS_OK), .free])
        }
    }

    @Test func `nobody waits longer than the close timeout`() async throws {
        let (events, statistics) = try await Self.onServer {
            $0.endpoint.close_timeout = 100
        } script: { server, client, _ in
            try Self.ask(server, client)
            #expect(try client.readClose(answers: false) == 4000)
        }
        #expect(events == [.end(code: 4000, reason: "thanks", error: APUS_OK), .free])
        #expect(statistics.close_timeouts == 1)
    }

    @Test(arguments: [false, true])
    func `a peer that ends its sending direction behind its Close gets all that was queued`(
        waits: Bool
    ) async throws {
        let message = [UInt8](repeating: 7, count: 1 << 20)
        let (_, statistics) = try await Self.onServer {
            $0.endpoint.outbound_limit = 64 << 20
        } script: { server, client, connection in
            if waits { try Self.ask(server, client) }
            server.run {
                if waits { connection.demand(APUS_DEMAND_ONE) }
                for _ in 0..<16 { connection.send(APUS_OPCODE_BINARY, message) }
            }
            if !waits { try client.send(.close(1000)) }
            client.finish()
            if waits { server.run { connection.demand(APUS_DEMAND_ONE) } }
            while !server.events.contains(where: { if case .end = $0 { true } else { false } }) {}
            server.run {}
            var bytes = 0
            var frame = try client.readFrame()
            while frame.opcode != Frame.Opcode.close {
                bytes += frame.payload.count
                frame = try client.readFrame()
            }
            #expect(bytes == 16 << 20)
            try client.expectEnd()
            // It has an hour for that, and has gone at once.
            while server.counted().connections_now != 0 {}
        }
        #expect(statistics.connections_lost == 0)
    }

    /// Of 16 MiB that are queued the socket takes a part; the Close comes behind all of it, or in its place.
    @Test(arguments: [true, false]) func `what is queued goes before the answer, if answers come first`(
        answersFirst: Bool
    ) async throws {
        let message = [UInt8](repeating: 7, count: 1 << 20)
        let (_, statistics) = try await Self.onServer(answersFirst: answersFirst) {
            $0.endpoint.outbound_limit = 64 << 20
        } script: { server, client, connection in
            server.run { for _ in 0..<16 { connection.send(APUS_OPCODE_BINARY, message) } }
            try client.send(.close(1000))
            if !answersFirst {
                // It is answered when it comes, so what was queued is dropped before we read.
                while !server.events.contains(.end(code: 1000, reason: "", error: APUS_OK)) {}
            }
            var bytes = 0
            var frame = try client.readFrame()
            while frame.opcode != Frame.Opcode.close {
                bytes += frame.payload.count
                frame = try client.readFrame()
            }
            #expect((bytes == 16 << 20) == answersFirst)
        }
        #expect(statistics.messages_sent == 16)
    }
}
