import CApus
import CApusCore
import Synchronization
import TestSupport
import Testing

/// permessage-deflate through a listener, with a peer that uses zlib by itself.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ServerCompressionTests {
    private static let offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]

    private static func with(
        _ mode: apus_compression_mode, threshold: Int = 32,
        _ change: @escaping (inout apus_listener_config) -> Void = { _ in }
    ) -> (inout apus_listener_config) -> Void {
        {
            $0.endpoint.compression.mode = mode
            $0.endpoint.compression.threshold = threshold
            change(&$0)
        }
    }

    /// A frame of a client, compressed.
    private static func compressed(_ opcode: UInt8, _ payload: [UInt8], with deflater: Deflater) -> Frame {
        Frame(opcode, deflater.message(payload), reserved: 4)
    }

    /// The next message, which must be compressed or not.
    private static func read(_ client: Client, _ inflater: Inflater, isCompressed: Bool) throws -> [UInt8] {
        let frame = try client.readFrame()
        #expect(frame.reserved == (isCompressed ? 4 : 0))
        return isCompressed ? try #require(inflater.message(frame.payload)) : frame.payload
    }

    private static func text(_ count: Int) -> [UInt8] {
        Array(String(repeating: "over the roofs ", count: count / 15 + 1).utf8.prefix(count))
    }

    @Test(arguments: [APUS_COMPRESSION_SHARED, APUS_COMPRESSION_DEDICATED])
    func `messages are compressed both ways, from the threshold on`(mode: apus_compression_mode) async throws {
        let answer = Mutex("")
        let statistics = Mutex(apus_statistics())
        try await onThread {
            let server = try CoreServer(Self.with(mode))
            let client = try Client(port: server.port)
            let extensions = try client.open("/", Self.offer)["Sec-WebSocket-Extensions"]
            answer.withLock { $0 = extensions ?? "" }
            let keepsContext = mode == APUS_COMPRESSION_DEDICATED
            let (deflater, inflater) = (Deflater(keepsContext: keepsContext), Inflater(keepsContext: keepsContext))
            for count in [31, 32, 125, 126, 1000, 200_000] {
                let payload = Self.text(count)
                try client.send(Self.compressed(Frame.Opcode.text, payload, with: deflater))
                #expect(try Self.read(client, inflater, isCompressed: count >= 32) == payload)
                try client.send(Frame(Frame.Opcode.binary, payload))
                #expect(try Self.read(client, inflater, isCompressed: count >= 32) == payload)
            }
            try client.closeNormally()
            client.close()
            let last = server.stop()
            statistics.withLock { $0 = last }
        }
        let takeover = "; server_no_context_takeover; client_no_context_takeover"
        let expected = "permessage-deflate" + (mode == APUS_COMPRESSION_SHARED ? takeover : "")
        #expect(answer.withLock { $0 } == expected)
        let counts = statistics.withLock { $0 }
        #expect(counts.messages_inflated == 6)
        #expect(counts.messages_deflated == 10)
        #expect(counts.bytes_inflated == 31 + 32 + 125 + 126 + 1000 + 200_000)
        #expect(counts.bytes_before_deflating == 2 * (32 + 125 + 126 + 1000 + 200_000))
        #expect(counts.bytes_deflated < counts.bytes_before_deflating / 10)
        #expect(counts.bytes_before_inflating < counts.bytes_inflated / 10)
    }

    @Test(arguments: [APUS_COMPRESSION_OFF, APUS_COMPRESSION_SHARED])
    func `without an agreement nothing is compressed, and RSV1 is an error`(mode: apus_compression_mode) async throws {
        try await onThread {
            let server = try CoreServer(Self.with(mode))
            // Off: what is offered is not accepted. On: nothing, or something else, is offered.
            let lines =
                mode == APUS_COMPRESSION_OFF
                ? Self.offer : ["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8"]
            let client = try Client(port: server.port)
            #expect(try client.open("/", lines)["Sec-WebSocket-Extensions"] == nil)
            let payload = Self.text(1000)
            try client.send(Frame(Frame.Opcode.text, payload))
            #expect(try Self.read(client, Inflater(), isCompressed: false) == payload)
            try client.send(Self.compressed(Frame.Opcode.text, payload, with: Deflater()))
            #expect(try client.readClose() == 1002)
            client.close()
            server.stop()
        }
    }

    @Test func `extensions that break the grammar are refused with 400`() async throws {
        try await onThread {
            let server = try CoreServer(Self.with(APUS_COMPRESSION_SHARED))
            let client = try Client(port: server.port)
            try client.sendHandshake("/", ["Sec-WebSocket-Extensions: permessage-deflate; =8"])
            #expect(try client.readAnswer().status == 400)
            client.close()
            server.stop()
        }
    }

    @Test func `what would not shrink goes as it is, without context`() async throws {
        try await onThread {
            let server = try CoreServer(Self.with(APUS_COMPRESSION_SHARED))
            let client = try Client(port: server.port)
            try client.open("/", Self.offer)
            var generator = SeededGenerator(seed: 5)
            let noise = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try client.send(.binary(noise))
            #expect(try Self.read(client, Inflater(), isCompressed: false) == noise)
            try client.closeNormally()
            client.close()
            server.stop()
        }
    }

    @Test func `42 KiB that stand for 40 MiB are refused with 1009`() async throws {
        let statistics = Mutex(apus_statistics())
        try await onThread {
            let server = try CoreServer(Self.with(APUS_COMPRESSION_DEDICATED))
            let client = try Client(port: server.port)
            try client.open("/", Self.offer)
            let payload = Deflater(level: 9).message([UInt8](repeating: 0, count: 40 << 20))
            #expect(payload.count < 42 << 10)
            try client.send(Frame(Frame.Opcode.binary, payload, reserved: 4))
            #expect(try client.readClose() == 1009)
            client.close()
            let last = server.stop()
            statistics.withLock { $0 = last }
        }
        #expect(statistics.withLock { $0.size_errors } == 1)
    }

    @Test func `what does not inflate is refused with 1007, and counted`() async throws {
        let statistics = Mutex(apus_statistics())
        try await onThread {
            let server = try CoreServer(Self.with(APUS_COMPRESSION_SHARED))
            let client = try Client(port: server.port)
            try client.open("/", Self.offer)
            try client.send(Frame(Frame.Opcode.binary, [0xff, 0xff], reserved: 4))
            #expect(try client.readClose() == 1007)
            client.close()
            let last = server.stop()
            statistics.withLock { $0 = last }
        }
        #expect(statistics.withLock { $0.inflate_errors } == 1)
    }

    @Test func `a broadcast is compressed once for each size of window, whoever keeps its context`() async throws {
        let statistics = Mutex(apus_statistics())
        try await onThread {
            let topics = Mutex<[CoreTopic]>([])
            var behaviour = CoreServer.Behaviour.subscribing { topics.withLock { $0 } }
            behaviour.onMessage = { connection, opcode, bytes in
                // Each sender gets an answer of its own, from its own context, then all get the broadcast.
                connection.send(opcode, bytes)
                for topic in topics.withLock({ $0 }) {
                    #expect(apus_topic_publish(topic.pointer, opcode, bytes, bytes.count, 0) == 0)
                }
            }
            let server = try CoreServer(Self.with(APUS_COMPRESSION_DEDICATED), behaviour)
            let topic = try CoreTopic(server.loop)
            topics.withLock { $0.append(topic) }
            let offers = [
                "", "; server_max_window_bits=10", "; server_no_context_takeover",
                "; server_max_window_bits=10; server_no_context_takeover",
            ]
            let peers = try (0..<12).map { index in
                let client = try Client(port: server.port)
                let offer = "permessage-deflate" + offers[index % 4]
                try client.open("/", ["Sec-WebSocket-Extensions: " + offer])
                return (client, Inflater(keepsContext: index % 4 < 2))
            }
            let plain = try Client.webSocket(port: server.port)
            for round in 0..<5 {
                let payload = Array("round \(round) ".utf8) + Self.text(300)
                // Those that keep their context send more than once: theirs is to begin again after a broadcast.
                let sender = peers[round % 2]
                try sender.0.send(.binary(payload))
                #expect(try Self.read(sender.0, sender.1, isCompressed: true) == payload)
                for (client, inflater) in peers {
                    #expect(try Self.read(client, inflater, isCompressed: true) == payload)
                }
                #expect(try Self.read(plain, Inflater(), isCompressed: false) == payload)
            }
            for client in peers.map(\.0) + [plain] {
                try client.closeNormally()
                client.close()
            }
            let last = server.stop()
            statistics.withLock { $0 = last }
            apus_topic_release(topic.pointer)
        }
        // Five answers, and five broadcasts with windows of two sizes.
        #expect(statistics.withLock { $0.messages_deflated } == 5 + 5 * 2)
    }

    @Test(arguments: [APUS_COMPRESSION_SHARED, APUS_COMPRESSION_DEDICATED])
    func `a broadcast that would not shrink goes as it is`(mode: apus_compression_mode) async throws {
        try await onThread {
            let topics = Mutex<[CoreTopic]>([])
            var behaviour = CoreServer.Behaviour.subscribing { topics.withLock { $0 } }
            behaviour.onMessage = { _, opcode, bytes in
                for topic in topics.withLock({ $0 }) {
                    #expect(apus_topic_publish(topic.pointer, opcode, bytes, bytes.count, 0) == 0)
                }
            }
            let server = try CoreServer(Self.with(mode), behaviour)
            let topic = try CoreTopic(server.loop)
            topics.withLock { $0.append(topic) }
            let client = try Client(port: server.port)
            try client.open("/", Self.offer)
            let inflater = Inflater(keepsContext: mode == APUS_COMPRESSION_DEDICATED)
            var generator = SeededGenerator(seed: 6)
            let noise = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }
            for (payload, shrinks) in [(noise, false), (Self.text(500), true), (noise, false), (Self.text(500), true)] {
                try client.send(.binary(payload))
                #expect(try Self.read(client, inflater, isCompressed: shrinks) == payload)
            }
            try client.closeNormally()
            client.close()
            server.stop()
            apus_topic_release(topic.pointer)
        }
    }

    @Test func `a listener with a level or a window out of its range does not open`() throws {
        let loop = try #require(apus_loop_new())
        var descriptor: CInt = -1
        #expect(apus_socket_listen_tcp("127.0.0.1", 0, 1, &descriptor, 1) == 0)
        var config = apus_listener_config()
        apus_listener_config_init(&config)
        config.endpoint.compression.level = 10
        var admission = apus_admission()
        var listener: OpaquePointer?
        let error = apus_listener_open(&listener, loop, descriptor, &config, &admission, nil)
        #expect(error == APUS_EINVAL.rawValue)
        apus_socket_close(descriptor)
        apus_loop_free(loop)
    }
}
