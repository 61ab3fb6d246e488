@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct CompressionTests {
    private static let offer = ["Sec-WebSocket-Extensions: permessage-deflate"]

    @Test func `the defaults are off, level 1, and the largest windows`() {
        #expect(WebSocketServer.Configuration().compression == .off)
        let shared = Compression.shared()
        #expect(shared.level == 1)
        #expect(Compression.dedicated().level == 1)
        #expect(shared.threshold == 256)
        #expect(shared.serverMaxWindowBits == 15)
        #expect(shared.clientMaxWindowBits == 15)
        #expect(!shared.serverNoContextTakeover)
        #expect(!shared.clientNoContextTakeover)
        #expect(Compression.dedicated().threshold == 32)
        #expect(Compression.shared(level: 1, threshold: 0) != .shared())
    }

    @Test(arguments: [
        ("compression.level must be from 1 to 9, not 0", Compression.shared(level: 0)),
        ("compression.level must be from 1 to 9, not 10", .dedicated(level: 10)),
        ("compression.threshold must be from 0 to 9223372036854775807, not -1", .shared(threshold: -1)),
    ])
    func `what is out of its range is refused with words`(message: String, compression: Compression) {
        let error = #expect(throws: WebSocketError.self) {
            try makeServer(.with { $0.compression = compression })
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == message)
    }

    @Test(arguments: [\Compression.serverMaxWindowBits, \.clientMaxWindowBits], [8, 16])
    func `a window is from 9 to 15 bits`(window: WritableKeyPath<Compression, Int> & Sendable, bits: Int) {
        var compression = Compression.dedicated()
        compression[keyPath: window] = bits
        let error = #expect(throws: WebSocketError.self) {
            try makeServer(.with { $0.compression = compression })
        }
        #expect(error?.code == .invalidConfiguration)
    }

    /// A read may bring a hundred messages that are a thousand times larger than they come.
    @Test func `what nobody takes is not inflated, and comes when it is taken`() async throws {
        let (count, size) = (300, 1 << 20)
        let gate = Gate()
        let configuration = WebSocketServer.Configuration.with {
            $0.compression = .shared()
            $0.maxInboundBytes = 1 << 20
        }
        let kept = Box<Int>()
        let statistics = try await withServer(
            configuration,
            handler: { socket in
                await gate.pass()
                var sizes: [Int] = []
                for try await case .binary(let bytes) in socket { sizes.append(bytes.count) }
                #expect(sizes == Array(repeating: size, count: count))
                kept.put(sizes.count)
            }
        ) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.open("/", Self.offer)
                let deflater = Deflater(keepsContext: false)
                var frame = Frame.binary(deflater.message([UInt8](repeating: 1, count: size)))
                frame.reserved = 4
                for _ in 0..<count { try client.send(frame) }
                try client.send(.close())
                return client
            }
            try await until { server.statistics.readsPaused > 0 }
            #expect(server.statistics.messagesReceived < 10)
            gate.open()
            try await onThread {
                try client.readClose(answers: false)
                client.close()
            }
        }
        #expect(statistics.messagesReceived == count)
        #expect(await kept.take() == count)
    }

    @Test(arguments: [Compression.shared(threshold: 0), .dedicated(threshold: 0)], [true, false])
    func `a handler sees plain messages, and the peer compressed ones`(compression: Compression, borrows: Bool)
        async throws
    {
        let borrowed: WebSocketServer.Handler = { socket in try await socket.receive { socket.trySend($0) } }
        let handler = borrows ? borrowed : echo
        let statistics = try await withServer(.with { $0.compression = compression }, handler: handler) { _, port in
            try await onThread {
                let client = try Client(port: port)
                let answer = try client.open("/", Self.offer)
                let keepsContext = compression.mode == .dedicated
                let words = "; server_no_context_takeover; client_no_context_takeover"
                let expected = "permessage-deflate" + (keepsContext ? "" : words)
                #expect(answer["Sec-WebSocket-Extensions"] == expected)
                let (deflater, inflater) = (Deflater(keepsContext: keepsContext), Inflater(keepsContext: keepsContext))
                for count in [1, 10, 100, 5000] {
                    let text = Array(String(repeating: "\u{e9}t\u{e9} ", count: count).utf8)
                    try client.send(Frame(Frame.Opcode.text, deflater.message(text), reserved: 4))
                    let frame = try client.readFrame()
                    #expect(frame.opcode == Frame.Opcode.text)
                    #expect((frame.reserved == 4 ? inflater.message(frame.payload) : frame.payload) == text)
                }
                try client.closeNormally()
            }
        }
        #expect(statistics.messagesInflated == 4)
        #expect(statistics.messagesDeflated == 4)
        #expect(statistics.bytesInflated == 6 * 5111)
        #expect(statistics.bytesBeforeDeflating == 6 * 5111)
        #expect(statistics.bytesDeflated < statistics.bytesBeforeDeflating / 10)
    }

    @Test func `many tasks send on one connection with context, and the peer inflates all in each one's order`()
        async throws
    {
        let senders = 1000
        let messages = 5
        let handler: WebSocketServer.Handler = { socket in
            try await withThrowingTaskGroup { group in
                for sender in 0..<senders {
                    group.addTask {
                        for number in 0..<messages { try await socket.send("sender \(sender) message \(number)") }
                    }
                }
                try await group.waitForAll()
            }
        }
        let statistics = try await withServer(.with { $0.compression = .dedicated(threshold: 0) }, handler: handler) {
            _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.open("/", Self.offer)
                let inflater = Inflater()
                var next = [Int](repeating: 0, count: senders)
                for _ in 0..<senders * messages {
                    let frame = try client.readFrame()
                    let message = try #require(inflater.message(frame.payload))
                    let words = String(decoding: message, as: UTF8.self).split(separator: " ")
                    let sender = try #require(Int(words[1]))
                    #expect(words[3] == "\(next[sender])")
                    next[sender] += 1
                }
                #expect(next.allSatisfy { $0 == messages })
                try client.readClose()
            }
        }
        #expect(statistics.messagesDeflated == senders * messages)
    }

    @Test func `a broadcast over several loops is compressed once, whoever publishes`() async throws {
        let rounds = 50
        let server = try makeServer(
            .with {
                $0.threads = 4
                $0.compression = .dedicated()
            })
        let topic = try server.topic("all")
        let handler: WebSocketServer.Handler = { socket in
            try await socket.subscribe(to: topic)
            try await socket.send("in")
            for try await _ in socket {}
        }
        let text = String(repeating: "over the roofs ", count: 40)
        let statistics = try await withServer(server, handler: handler) { _, port in
            try await onThread {
                let clients = try (0..<16).map { _ in
                    let client = try Client(port: port)
                    try client.open("/", Self.offer)
                    #expect(try client.readText() == "in")
                    return client
                }
                for round in 0..<rounds { #expect(topic.tryPublish("\(round) \(text)") == .published) }
                for client in clients {
                    let inflater = Inflater()
                    for round in 0..<rounds {
                        let message = try #require(inflater.message(try client.readFrame().payload))
                        #expect(message == Array("\(round) \(text)".utf8))
                    }
                    try client.closeNormally()
                }
            }
        }
        #expect(statistics.messagesSent == 16 * (rounds + 1))
        #expect(statistics.messagesDeflated == rounds)
    }
}
