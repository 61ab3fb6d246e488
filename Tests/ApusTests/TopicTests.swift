@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TopicTests {
    /// Subscribes, and does what the peer says: it leaves, joins again, says when it is there, or publishes.
    private static func member(of topic: Topic) -> WebSocketServer.Handler {
        { socket in
            try await socket.subscribe(to: topic)
            try await socket.send("ready")
            for try await message in socket {
                switch message {
                case "leave":
                    await socket.unsubscribe(from: topic)
                    try await socket.send("left")
                case "join": try await socket.subscribe(to: topic)
                case "mark": try await socket.send("mark")
                case .text(let text) where text.hasPrefix("others "): try await topic.publish(message, except: socket)
                default: try await topic.publish(message)
                }
            }
        }
    }

    /// Opens connections that are subscribed when this returns.
    private static func open(_ count: Int, port: Int, receiveBuffer: Int32? = nil) async throws -> [Client] {
        try await onThread {
            try (0..<count).map { _ in
                let client = try Client.webSocket(port: port, receiveBuffer: receiveBuffer)
                guard try client.readText() == "ready" else { throw Client.Failure.malformed("not ready") }
                return client
            }
        }
    }

    private static func withTopic(
        _ configuration: WebSocketServer.Configuration = .with(),
        _ body: (WebSocketServer, Topic, Int) async throws -> Void
    ) async throws -> WebSocketServer.Statistics {
        let server = try makeServer(configuration)
        let topic = try server.topic("lobby")
        let statistics = try await withServer(server, handler: member(of: topic)) { server, port in
            try await body(server, topic, port)
        }
        #expect(topic.subscriberCount == 0)
        topic.tryPublish("to nobody")
        return statistics
    }

    /// Its Close is found only then, behind messages that nobody has read: it is the first of the subscribers, and goes
    /// while they are served.
    @Test func `a slow subscriber that has closed already costs no other one a message`() async throws {
        let size = 50_000
        let server = try makeServer(
            .with {
                $0.threads = 1
                $0.maxInboundBytes = 1000
                $0.maxOutboundBytes = 100_000
                $0.slowConsumerLag = .milliseconds(1)
                $0.answersBeforeClosing = false
            })
        let topic = try server.topic("lobby")
        let (gate, subscribed) = (Gate(), Box<Void>())
        try await withServer(
            server,
            handler: { socket in
                try await socket.subscribe(to: topic)
                subscribed.put(())
                await gate.pass()
            }
        ) { server, port in
            let slow = try await onThread {
                let client = try Client.webSocket(port: port, receiveBuffer: 4096)
                let message = Frame.binary([UInt8](repeating: 1, count: 2000))
                try client.send(message, message, message, .close(1000))
                return client
            }
            await subscribed.take()
            try await until { server.statistics.readsPaused == 1 }
            let others = try await onThread { try (0..<3).map { _ in try Client.webSocket(port: port) } }
            for _ in others { await subscribed.take() }
            var count = 0
            while server.statistics.slowConsumersClosed == 0 {
                topic.tryPublish([UInt8](repeating: UInt8(truncatingIfNeeded: count), count: size))
                count += 1
                // The others take it at once, so that they are not slow.
                try await onThread { for client in others { _ = try client.readMessage() } }
            }
            try await until { topic.subscriberCount == 3 }
            gate.open()
            let codes = try await onThread { try others.map { try $0.readClose() } }
            #expect(codes == [1000, 1000, 1000])
            slow.close()
        }
    }

    @Test func `the same name is the same topic`() throws {
        let server = try makeServer()
        let lobby = try server.topic("lobby")
        #expect(try server.topic("lobby") === lobby)
        #expect(try server.topic("hall") !== lobby)
        #expect(lobby.name == "lobby")
    }

    @Test func `what is published reaches every subscriber, whatever loop it is on`() async throws {
        let count = 40
        let server = try makeServer(.with { $0.threads = 4 })
        let topic = try server.topic("lobby")
        let loops = Box<ObjectIdentifier>()
        let statistics = try await withServer(
            server,
            handler: { socket in
                loops.put(ObjectIdentifier(socket.eventLoop))
                try await Self.member(of: topic)(socket)
            }
        ) { _, port in
            let clients = try await Self.open(count, port: port)
            #expect(Set(await loops.take(count)).count > 1)
            #expect(topic.subscriberCount == count)
            #expect(topic.tryPublish("from outside") == .published)
            #expect(topic.tryPublish([1, 2, 3]) == .published)
            #expect(topic.tryPublish(.text("")) == .published)
            let received = try await onThread {
                try clients.map { client in try (1...3).map { _ in try client.readFrame().payload } }
            }
            #expect(received.allSatisfy { $0 == [Array("from outside".utf8), [1, 2, 3], []] })
            // From a connection's own loop.
            let texts = try await onThread {
                try clients[0].send(.text("from within"))
                return try clients.map { try $0.readText() }
            }
            #expect(texts.allSatisfy { $0 == "from within" })
        }
        #expect(statistics.messagesSent == count * 5)
    }

    @Test func `an exception does not get the message, and all others do`() async throws {
        _ = try await Self.withTopic(.with { $0.threads = 4 }) { _, _, port in
            let clients = try await Self.open(12, port: port)
            let received = try await onThread {
                for client in clients { try client.send(.text("others \(try client.localPort)")) }
                return try clients.map { client in
                    var texts: Set<String> = []
                    for _ in 1..<clients.count { texts.insert(try client.readText()) }
                    try client.send(.text("mark"))
                    guard try client.readText() == "mark" else { throw Client.Failure.malformed("one too many") }
                    return (try client.localPort, texts)
                }
            }
            let all = Set(received.map { "others \($0.0)" })
            for (port, texts) in received { #expect(texts == all.subtracting(["others \(port)"])) }
        }
    }

    @Test func `after unsubscribing nothing arrives, and after subscribing again all does`() async throws {
        _ = try await Self.withTopic { _, topic, port in
            let clients = try await Self.open(4, port: port)
            let texts = try await onThread {
                try clients[0].send(.text("leave"))
                guard try clients[0].readText() == "left" else { throw Client.Failure.ended }
                #expect(topic.subscriberCount == 3)
                try clients[1].send(.text("missed"))
                for client in clients.dropFirst() { _ = try client.readText() }
                // Neither leaving twice nor joining twice makes a difference.
                try clients[0].send(.text("leave"), .text("mark"), .text("join"), .text("join"), .text("mark"))
                let texts = try (1...3).map { _ in try clients[0].readText() }
                #expect(topic.subscriberCount == 4)
                try clients[1].send(.text("not missed"), .text("mark"))
                try clients[0].send(.text("mark"))
                return texts + [try clients[0].readText(), try clients[0].readText()]
            }
            #expect(texts.prefix(3) == ["left", "mark", "mark"])
            #expect(texts.suffix(2).sorted() == ["mark", "not missed"])
        }
    }

    @Test func `what one task publishes arrives in its order`() async throws {
        let count = 500
        _ = try await Self.withTopic(.with { $0.threads = 3 }) { _, topic, port in
            let clients = try await Self.open(9, port: port)
            async let publishing: Void = withThrowingTaskGroup(of: Void.self) { group in
                for publisher in 0..<4 {
                    group.addTask {
                        for number in 0..<count { try await topic.publish("\(publisher) \(number)") }
                    }
                }
                try await group.waitForAll()
            }
            let received = try await onThread {
                try clients.map { client in try (0..<4 * count).map { _ in try client.readText() } }
            }
            try await publishing
            for texts in received {
                for publisher in 0..<4 {
                    let own = texts.filter { $0.hasPrefix("\(publisher) ") }
                    #expect(own == (0..<count).map { "\(publisher) \($0)" })
                }
            }
        }
    }

    @Test func `what is sent and what is published on one loop keep their order`() async throws {
        let server = try makeServer(.with { $0.threads = 1 })
        let topic = try server.topic("lobby")
        try await withServer(
            server,
            handler: { socket in
                try await socket.subscribe(to: topic)
                for number in 0..<300 {
                    try await socket.send("\(number) sent " + String(repeating: "x", count: number * 20))
                    try await topic.publish("\(number) published")
                }
            }
        ) { _, port in
            let words = try await onThread {
                let client = try Client.webSocket(port: port)
                return try (0..<600).map { _ in try client.readText().split(separator: " ").prefix(2) }
            }
            #expect(words == (0..<600).map { ["\($0 / 2)", $0.isMultiple(of: 2) ? "sent" : "published"] })
        }
    }

    @Test func `subscribers may end while others publish`() async throws {
        _ = try await Self.withTopic(.with { $0.threads = 3 }) { _, topic, port in
            let clients = try await Self.open(60, port: port)
            let isOver = Gate()
            async let publishing: Void = {
                for number in 0..<2000 { try await topic.publish("\(number)") }
                isOver.open()
            }()
            let received = try await onThread {
                for (index, client) in clients.enumerated() {
                    switch index % 4 {
                    case 0: try client.reset()
                    case 1: client.close()
                    case 2: try client.send(.close(1000))
                    default: continue
                    }
                }
                return try stride(from: 3, to: clients.count, by: 4).map { index in
                    try (0..<2000).map { _ in try clients[index].readText() }
                }
            }
            try await publishing
            await isOver.pass()
            let all = (0..<2000).map { "\($0)" }
            #expect(received.allSatisfy { $0 == all })
            try await until { topic.subscriberCount == 15 }
        }
    }

    @Test func `a subscriber that reads too slowly is closed with 1013, and others get all`() async throws {
        let message = [UInt8](repeating: 7, count: 100_000)
        let statistics = try await Self.withTopic(
            .with {
                $0.maxOutboundBytes = 300_000
                $0.slowConsumerLag = .milliseconds(1)
            }
        ) { server, topic, port in
            let slow = try await Self.open(1, port: port, receiveBuffer: 4096)[0]
            let quick = try await Self.open(1, port: port)[0]
            var published = 0
            while server.statistics.slowConsumersClosed == 0 {
                try await topic.publish(message)
                published += 1
                let frame = try await onThread { try quick.readFrame() }
                #expect(frame.payload == message)
            }
            let (count, code) = try await onThread {
                var count = 0
                while true {
                    let frame = try slow.readFrame()
                    if let code = frame.closeCode { return (count, code) }
                    count += 1
                }
            }
            #expect(code == 1013)
            // Besides: two greetings, and everything to the quick one. What still waited was dropped.
            #expect(count <= server.statistics.messagesSent - 2 - published)
        }
        #expect(statistics.slowConsumersClosed == 1)
        #expect(statistics.messagesDropped == 0)
    }

    @Test func `by the policy dropMessage a slow subscriber misses what does not fit`() async throws {
        let message = [UInt8](repeating: 7, count: 100_000)
        let statistics = try await Self.withTopic(
            .with {
                $0.maxOutboundBytes = 300_000
                $0.slowConsumerPolicy = .dropMessage
            }
        ) { server, topic, port in
            let slow = try await Self.open(1, port: port, receiveBuffer: 4096)[0]
            var published = 0
            while server.statistics.messagesDropped < 10 {
                try await topic.publish(message)
                published += 1
                await Task.yield()
            }
            try await until { server.statistics.messagesDropped + server.statistics.messagesSent == published + 1 }
            let expected = published - server.statistics.messagesDropped
            let last = try await onThread {
                for _ in 0..<expected { _ = try slow.readFrame() }
                try slow.send(.text("mark"))
                return try slow.readText()
            }
            #expect(last == "mark")
            #expect(topic.subscriberCount == 1)
        }
        #expect(statistics.slowConsumersClosed == 0)
    }

    @Test func `a message that came in is published as it is`() async throws {
        let server = try makeServer()
        let topic = try server.topic("lobby")
        try await withServer(
            server,
            handler: { socket in
                try await socket.subscribe(to: topic)
                try await socket.receive { topic.tryPublish($0) }
            }
        ) { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("héllo"), .binary([0, 1]))
                return [try client.readFrame(), try client.readFrame()]
            }
            #expect(frames.map(\.opcode) == [Frame.Opcode.text, Frame.Opcode.binary])
            #expect(frames.map(\.payload) == [Array("héllo".utf8), [0, 1]])
        }
    }

    @Test func `subscribing works from any thread, and does nothing once the connection is closed`() async throws {
        let server = try makeServer()
        let topics = try (0..<8).map { try server.topic("\($0)") }
        let counts = Box<[Int]>()
        try await withServer(
            server,
            handler: { socket in
                try await Task.detached { for topic in topics { try await socket.subscribe(to: topic) } }.value
                await Task.detached { await socket.unsubscribe(from: topics[3]) }.value
                counts.put(topics.map(\.subscriberCount))
                try await socket.send("ready")
                for try await _ in socket {}
                counts.put(topics.map(\.subscriberCount))
                try await socket.subscribe(to: topics[0])
                try await Task.detached { try await socket.subscribe(to: topics[1]) }.value
                await socket.unsubscribe(from: topics[1])
                counts.put(topics.map(\.subscriberCount))
            }
        ) { _, port in
            let client = try await Self.open(1, port: port)[0]
            _ = try await onThread { try client.closeNormally() }
            let nobody = [Int](repeating: 0, count: 8)
            let taken = await counts.take(3)
            #expect(taken == [[1, 1, 1, 0, 1, 1, 1, 1], nobody, nobody])
        }
    }
}
