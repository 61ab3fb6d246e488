import CApus
import CApusCore
import TestSupport
import Testing

/// Large messages, which are read to where they are kept; all others have `ConnectionTests`.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ReceiveTests {
    private static let large = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    private static let text = Array(String(repeating: "größer als ein Lesepuffer: 大きい 🦊 ", count: 20_000).utf8)

    /// Runs a script with a WebSocket to a server that takes messages of any size, and gives what that was told.
    private func onSocket(
        _ behaviour: CoreServer.Behaviour = CoreServer.Behaviour(onMessage: { _, _, _ in }), inboundLimit: Int? = nil,
        _ script: @escaping @Sendable (CoreServer, Client) throws -> Void
    ) async throws -> (events: [CoreServer.Event], statistics: apus_statistics) {
        try await onThread {
            let server = try CoreServer(
                {
                    $0.endpoint.session.limits.size = .max
                    if let inboundLimit { $0.endpoint.inbound_limit = inboundLimit }
                }, behaviour)
            do {
                let client = try Client.webSocket(port: server.port)
                try script(server, client)
                client.close()
            } catch {
                server.stop(deadline: 1)
                throw error
            }
            let statistics = server.stop()
            return (server.events, statistics)
        }
    }

    /// Not compared within the macro: the difference would be too long.
    private func isSame(_ events: some Collection<CoreServer.Event>, _ expected: [CoreServer.Event]) -> Bool {
        events.elementsEqual(expected)
    }

    @Test(arguments: [1000, 70_000, 200_000, .max])
    func `large messages come whole, with what stands before, between and behind them`(piece: Int) async throws {
        let (events, statistics) = try await onSocket { _, client in
            let frames: [Frame] = [
                .text("before"), Frame(Frame.Opcode.text, Self.text), .binary([1]),
                .binary(Array(Self.large.prefix(300_000)), fin: false), Frame(Frame.Opcode.pong, [2]),
                .continuation(Self.large[300_000...], fin: true), .binary(Array(Self.large.prefix(65_536))),
                .text("behind"),
            ]
            var rest = frames.flatMap(\.bytes)[...]
            while !rest.isEmpty {
                try client.send(rest.prefix(piece))
                rest = rest.dropFirst(piece)
            }
            try client.closeNormally()
        }
        let expected: [CoreServer.Event] = [
            .message(APUS_OPCODE_TEXT, Array("before".utf8)), .message(APUS_OPCODE_TEXT, Self.text),
            .message(APUS_OPCODE_BINARY, [1]), .pong([2]), .message(APUS_OPCODE_BINARY, Self.large),
            .message(APUS_OPCODE_BINARY, Array(Self.large.prefix(65_536))),
            .message(APUS_OPCODE_TEXT, Array("behind".utf8)), .end(code: 1000, reason: "", error: APUS_OK), .free,
        ]
        #expect(isSame(events.dropFirst(), expected))
        #expect(statistics.messages_received == 6)
    }

    @Test func `a large message that reading has stopped within comes once there is room`() async throws {
        let connections = Box<Connection>()
        let behaviour = CoreServer.Behaviour.withoutDemand(connections)
        let (events, statistics) = try await onSocket(behaviour, inboundLimit: 100_000) { server, client in
            let first = Array(Self.large.prefix(150_000))
            let second = Frame.binary(Self.large).bytes
            try client.send(Frame.binary(first).bytes + second.prefix(100_000))
            guard let connection = connections.take() else { throw Client.Failure.ended }
            while server.counted().reads_paused == 0 {}
            server.run { connection.demand(APUS_DEMAND_ALL) }
            try client.send(second.dropFirst(100_000))
            try client.closeNormally()
        }
        let expected: [CoreServer.Event] = [
            .message(APUS_OPCODE_BINARY, Array(Self.large.prefix(150_000))), .message(APUS_OPCODE_BINARY, Self.large),
            .end(code: 1000, reason: "", error: APUS_OK), .free,
        ]
        #expect(isSame(events.dropFirst(), expected))
        #expect(statistics.reads_paused == 1)
    }

    @Test func `text that becomes wrong far within a large message ends the connection there`() async throws {
        var wrong = Self.text
        wrong[wrong.count - 200_000] = 0xff
        let sent = wrong
        let (events, statistics) = try await onSocket { _, client in
            try client.send(Frame(Frame.Opcode.text, sent).bytes.dropLast(10))
            #expect(try client.readClose(answers: false) == 1007)
        }
        #expect(events.dropFirst() == [.end(code: 1006, reason: "", error: APUS_EUTF8), .free])
        #expect(statistics.utf8_errors == 1)
    }

    @Test(arguments: [true, false])
    func `a connection that ends within a large message leaves nothing`(isAborted: Bool) async throws {
        let behaviour = CoreServer.Behaviour(
            onMessage: { _, _, _ in }, onPong: { if isAborted { $0.abort() } })
        let (events, _) = try await onSocket(behaviour) { server, client in
            try client.send(Frame.binary(Array(Self.large.prefix(300_000)), fin: false).bytes)
            try client.send(Frame(Frame.Opcode.pong, [1]))
            let more = Frame.continuation(Self.large, fin: true).bytes.prefix(500_000)
            if isAborted {
                try? client.send(more)  // which may find that it has been reset
            } else {
                try client.send(more)
                try client.reset()
            }
            _ = server.events(isAborted ? 4 : 3)
        }
        #expect(!events.contains { if case .message = $0 { true } else { false } })
        #expect(events.last == .free)
    }
}
