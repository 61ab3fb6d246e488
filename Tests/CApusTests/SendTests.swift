import CApus
import CApusCore
import CApusInternals
import TestSupport
import Testing

/// What a peer that reads slowly gets, and in which order.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SendTests {
    /// More than any kernel buffers for a client that asks for little.
    private static let large = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    private static let smallBuffer: Int32 = 4096

    /// Runs a script with a client that reads slowly; the server does `onText` for each text that it sends.
    private func withSlowClient(
        policy: apus_slow_consumer = APUS_SLOW_CONSUMER_SUSPEND, outboundLimit: Int = 256 << 20,
        onText: @escaping @Sendable (Connection, String) -> Void,
        _ script: @escaping @Sendable (Client) throws -> Void
    ) async throws -> apus_statistics {
        var behaviour = CoreServer.Behaviour()
        behaviour.onMessage = { onText($0, String(decoding: $2, as: UTF8.self)) }
        return try await onThread { [behaviour] in
            let server = try CoreServer(
                {
                    $0.endpoint.outbound_limit = outboundLimit
                    $0.endpoint.close_timeout = 60_000
                    $0.endpoint.slow_consumer = policy
                }, behaviour)
            do {
                let client = try Client.webSocket(port: server.port, receiveBuffer: Self.smallBuffer)
                try script(client)
                client.close()
            } catch {
                server.stop(deadline: 1)
                throw error
            }
            return server.stop()
        }
    }

    /// Reads the rest of a message of which `first` is the first frame; other frames go to `between`.
    private static func readMessage(_ client: Client, between: (Frame) throws -> Void = { _ in }) throws -> [UInt8] {
        var payload: [UInt8] = []
        while true {
            let frame = try client.readFrame()
            guard frame.opcode < Frame.Opcode.close else {
                try between(frame)
                continue
            }
            #expect(frame.opcode == (payload.isEmpty ? Frame.Opcode.binary : Frame.Opcode.continuation))
            payload += frame.payload
            if frame.fin { return payload }
        }
    }

    /// As many pings as no kernel holds the answers of for a client that reads none.
    @Test func `pings of a peer that does not read take no memory, and the last one is answered`() async throws {
        let count = 200_000
        _ = try await withSlowClient(onText: { _, _ in }) { client in
            let ping = Frame(Frame.Opcode.ping, [UInt8](repeating: 1, count: 100))
            let many = (0..<1000).flatMap { _ in ping.bytes }
            for _ in 0..<count / 1000 { try client.send(many) }
            try client.send(Frame(Frame.Opcode.ping, Array("the last".utf8)))
            var pongs = 0
            while try client.readFrame().payload != Array("the last".utf8) { pongs += 1 }
            #expect(pongs < count)
            try client.closeNormally()
        }
    }

    @Test func `a pong comes between the fragments of a large message`() async throws {
        _ = try await withSlowClient(onText: { connection, _ in connection.send(APUS_OPCODE_BINARY, Self.large) }) {
            client in
            try client.send(.text("go"), Frame(Frame.Opcode.ping, Array("still there?".utf8)))
            var pongs: [[UInt8]] = []
            let message = try Self.readMessage(client) { pongs.append($0.payload) }
            #expect(pongs == [Array("still there?".utf8)])
            #expect(message == Self.large)
            try client.closeNormally()
        }
    }

    @Test func `messages come in order, whole, whatever their size`() async throws {
        let sizes = [10, 3 << 20, 0, 125, 1 << 20, 131_072, 131_073, 70_000, 4 << 20, 1]
        _ = try await withSlowClient(onText: { connection, _ in
            for size in sizes { connection.send(APUS_OPCODE_BINARY, Array(Self.large.prefix(size))) }
        }) { client in
            try client.send(.text("go"))
            for size in sizes { #expect(try Self.readMessage(client) == Array(Self.large.prefix(size))) }
            try client.closeNormally()
        }
    }

    @Test func `a close waits for the messages that were sent before it`() async throws {
        _ = try await withSlowClient(onText: { connection, _ in
            connection.send(APUS_OPCODE_BINARY, Self.large)
            connection.close(4001)
            #expect(connection.send(APUS_OPCODE_BINARY, [1]) == APUS_ECLOSED.rawValue)
        }) { client in
            try client.send(.text("go"))
            #expect(try Self.readMessage(client) == Self.large)
            #expect(try client.readClose() == 4001)
        }
    }

    @Test func `the answer to a close does not wait for the rest of a message`() async throws {
        _ = try await withSlowClient(onText: { connection, _ in connection.send(APUS_OPCODE_BINARY, Self.large) }) {
            client in
            try client.send(.text("go"), .close(4002))
            var received = 0
            var frame = try client.readFrame()
            while frame.opcode != Frame.Opcode.close {
                received += frame.payload.count
                #expect(!frame.fin)
                frame = try client.readFrame()
            }
            #expect(frame.closeCode == 4002)
            #expect(received < Self.large.count)
            try client.expectEnd()
        }
    }

    @Test func `a drain is told once half of what waits has left`() async throws {
        let drained = Box<Int>()
        var behaviour = CoreServer.Behaviour()
        behaviour.onMessage = { connection, _, _ in
            connection.send(APUS_OPCODE_BINARY, Self.large)
            #expect(apus_connection_want_drain(connection.pointer))
        }
        behaviour.onDrain = { drained.put(apus_connection_outbound($0.pointer)) }
        try await onThread { [behaviour] in
            let server = try CoreServer({ $0.endpoint.outbound_limit = 8 << 20 }, behaviour)
            defer { server.stop(deadline: 1) }
            let client = try Client.webSocket(port: server.port, receiveBuffer: Self.smallBuffer)
            try client.send(.text("go"))
            #expect(try Self.readMessage(client) == Self.large)
            try client.closeNormally()
            client.close()
        }
        #expect(try #require(drained.take()) <= 4 << 20)
    }

    @Test(arguments: [131_072, 131_073, 262_144, 4 << 20])
    func `a topic's large message leaves room for control frames, too`(size: Int) async throws {
        let topics = Box<CoreTopic>()
        let payload = Array(Self.large.prefix(size))
        var behaviour = CoreServer.Behaviour()
        behaviour.onMessage = { connection, _, _ in
            guard let topic = topics.take() else { return connection.abort() }
            #expect(apus_topic_subscribe(topic.pointer, connection.pointer) == 0)
            #expect(apus_topic_publish(topic.pointer, APUS_OPCODE_BINARY, payload, payload.count, 0) == 0)
            #expect(apus_topic_publish(topic.pointer, APUS_OPCODE_BINARY, [7], 1, 0) == 0)
            apus_topic_release(topic.pointer)
        }
        try await onThread { [behaviour] in
            let server = try CoreServer({ $0.endpoint.outbound_limit = 64 << 20 }, behaviour)
            defer { server.stop(deadline: 1) }
            topics.put(try CoreTopic(server.loop))
            let client = try Client.webSocket(port: server.port, receiveBuffer: Self.smallBuffer)
            try client.send(.text("go"), Frame(Frame.Opcode.ping, [1]))
            var pongs = 0
            let isSame = try Self.readMessage(client) { _ in pongs += 1 } == payload
            #expect(isSame)
            #expect(pongs <= 1)
            if size > 1 << 20 { #expect(pongs == 1) }
            #expect(try Self.readMessage(client) { _ in pongs += 1 } == [7])
            try client.send(.close(1000))
            client.close()
        }
    }

    /// A turn sends 4 MiB. Nothing else wakes the loop for the rest: no timer runs, and no client says anything.
    @Test func `what a turn has had no time for is sent without any other event`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20)
            let clients = try (0..<120).map { _ in try fixture.open(receiveBuffer: nil).0 }
            let hasRested = Box<Bool>()
            while hasRested.all.last != true {
                fixture.server.run { hasRested.put(!apus__loop_is_ticking(fixture.server.loop)) }
            }
            let payload = [UInt8](repeating: 1, count: 100_000)
            fixture.server.run { [topic = fixture.topic] in
                #expect(apus_topic_publish(topic.pointer, APUS_OPCODE_BINARY, payload, payload.count, 0) == 0)
            }
            for client in clients {
                #expect(try client.readFrame().payload.count == payload.count)
                client.close()
            }
            fixture.end()
        }
    }
}
