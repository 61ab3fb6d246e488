import CApus
import CApusCore
import Synchronization
import TestSupport
import Testing

/// Messages that are framed once, for whoever is to get them.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct PublicationTests {
    private struct Publication: @unchecked Sendable {
        let pointer: OpaquePointer

        /// A text and then bytes, of which nothing is kept.
        init?(_ payloads: [[UInt8]]) {
            let block = payloads.flatMap { $0 }
            let pointer = block.withUnsafeBufferPointer { block in
                var start = 0
                let messages = payloads.enumerated().map { index, payload in
                    defer { start += payload.count }
                    return apus_outgoing(
                        data: payload.isEmpty ? nil : block.baseAddress.map { $0 + start }, len: payload.count,
                        opcode: index == 0 ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY)
                }
                return apus_publication_new(messages, messages.count)
            }
            guard let pointer else { return nil }
            self.pointer = pointer
        }
    }

    private struct Topic: @unchecked Sendable { let pointer: OpaquePointer }

    /// Runs a server whose connections subscribe to a topic; `alone` is called before with one that asks for `/alone`.
    private static func withTopic(
        _ change: (inout apus_listener_config) -> Void = { _ in },
        alone: @escaping @Sendable (OpaquePointer) -> Void, _ body: (CoreServer, OpaquePointer) throws -> Void
    ) throws {
        let topics = Mutex<Topic?>(nil)
        var behaviour = CoreServer.Behaviour()
        let usual = behaviour.onRequest
        behaviour.onRequest = { connection, target, isUpgrade in
            usual(connection, target, isUpgrade)
            if target == "/alone" { alone(connection.pointer) }
            guard let topic = topics.withLock({ $0 }) else { return }
            #expect(apus_topic_subscribe(topic.pointer, connection.pointer) == 0)
        }
        let server = try CoreServer(change, behaviour)
        let topic = try #require(apus_topic_new([server.loop], 1))
        topics.withLock { $0 = Topic(pointer: topic) }
        try body(server, topic)
        server.stop()
        apus_topic_release(topic)
    }

    @Test(arguments: [[3], [0], [3, 0, 300_000, 1], [200_000, 70_000]])
    func `its messages arrive together, by a topic and alone`(sizes: [Int]) async throws {
        let payloads = sizes.enumerated().map { [UInt8](repeating: 0x61 + UInt8($0), count: $1) }
        try await onThread {
            let publication = try #require(Publication(payloads))
            try Self.withTopic(alone: { apus_publication_send(publication.pointer, $0) }) { server, topic in
                let subscriber = try Client.webSocket(port: server.port)
                let alone = try Client.webSocket(port: server.port, "/alone")
                for _ in 1...3 { #expect(apus_topic_share(topic, publication.pointer, 0, nil) == 0) }
                for payload in payloads + payloads + payloads {
                    #expect(try subscriber.readMessage().payload == payload)
                }
                for payload in payloads + payloads + payloads + payloads {
                    #expect(try alone.readMessage().payload == payload)
                }
                for client in [subscriber, alone] {
                    try client.closeNormally()
                    client.close()
                }
            }
            #expect(apus_publication_retain(publication.pointer) == publication.pointer)
            apus_publication_release(publication.pointer)
            apus_publication_release(publication.pointer)
        }
    }

    @Test func `where there is no room for all of its messages, none is sent, and the policy decides`() async throws {
        try await onThread {
            let filler = try #require(Publication([[UInt8](repeating: 0x61, count: 8 << 20)]))
            let half = [UInt8](repeating: 0x62, count: 600_000)
            let large = try #require(Publication([half, half]))
            let small = try #require(Publication([Array("small".utf8), [1]]))
            try Self.withTopic({
                $0.endpoint.outbound_limit = 1 << 20
                $0.endpoint.burst_limit = 1 << 20
                $0.endpoint.slow_consumer = APUS_SLOW_CONSUMER_DROP
            }) { connection in
                for publication in [filler, large] { apus_publication_send(publication.pointer, connection) }
            } _: { server, topic in
                let client = try Client.webSocket(port: server.port, "/alone", receiveBuffer: 256 << 10)
                server.run {}  // both are given to the connection before a byte is read
                #expect(try client.readMessage().payload.count == 8 << 20)
                #expect(apus_topic_share(topic, small.pointer, 0, nil) == 0)
                #expect(try client.readText() == "small")
                #expect(try client.readMessage().payload == [1])
                try client.closeNormally()
                client.close()
            }
            for publication in [filler, large, small] { apus_publication_release(publication.pointer) }
        }
    }

    @Test func `without memory there is none, and none is posted to another loop`() async throws {
        try await onThread {
            for nth in 1...3 as ClosedRange<UInt32> {
                apus_alloc_fail(nth)
                #expect(Publication([[1], [2]]) == nil)
                apus_alloc_fail(0)
            }
            let publication = try #require(Publication([Array("once".utf8), [2]]))
            try Self.withTopic(alone: { _ in }) { server, topic in
                let client = try Client.webSocket(port: server.port)
                apus_alloc_fail(1)
                #expect(apus_topic_share(topic, publication.pointer, 0, nil) == APUS_ENOMEM.rawValue)
                apus_alloc_fail(0)
                #expect(apus_topic_share(topic, publication.pointer, 0, nil) == 0)
                #expect(try client.readText() == "once")
                #expect(try client.readMessage().payload == [2])
                try client.closeNormally()
                client.close()
            }
            apus_publication_release(publication.pointer)
        }
    }
}
