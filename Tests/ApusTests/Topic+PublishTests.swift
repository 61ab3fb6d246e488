@testable import Apus
import Synchronization
import TestSupport
import Testing

/// A connection of a server in memory, on the event loop with this index, that has subscribed and counts what comes.
private func withListener(
    _ server: WebSocketServer, on index: Int = 0, to topic: Topic, received: Log<Message>,
    body: @escaping @Sendable () async throws -> Void
) async throws {
    try await WebSocketPair.run(
        configuration: server.configuration, clientConfiguration: .init(), eventLoop: server.loops[index],
        server: { socket in
            try await socket.subscribe(to: topic)
            try await Task(executorPreference: globalConcurrentExecutor) { try await body() }.value
        },
        client: { socket in for try await message in socket { received.append(message) } })
}

/// What a publisher is held back by: the room of event loops.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TopicPublishTests {
    /// What waits in the inboxes of a server's event loops, in bytes.
    private static func pendingBytes(of server: WebSocketServer) -> Int {
        server.loops.map(\.handle.pendingBytes).max() ?? 0
    }

    /// Blocks the first event loop and publishes until its inbox is full; the blocker lets it go on.
    private static func fill(_ server: WebSocketServer, _ topic: Topic) -> Blocker {
        let blocker = Blocker()
        server.loops[0].post { blocker.wait() }
        while topic.tryPublish("early") == .published {}
        return blocker
    }

    @Test func `a publisher that is faster than the event loops is held back, and evicts nobody`() async throws {
        let (count, clients) = (20_000, 4)
        let server = try makeServer(
            .with {
                $0.maxPendingBytes = 64 << 10
                $0.maxOutboundBytes = 16 << 20  // it is not about readers
            })
        let topic = try server.topic("lobby")
        let subscribed = Box<Void>()
        let statistics = try await withServer(
            server,
            handler: { socket in
                try await socket.subscribe(to: topic)
                subscribed.put(())
                for try await _ in socket {}
            }
        ) { server, port in
            let peers = try await onThread { try (0..<clients).map { _ in try Client.webSocket(port: port) } }
            _ = await subscribed.take(clients)
            async let last = onThread {
                try peers.map { peer in
                    for _ in 1..<count { _ = try peer.readFrame() }
                    return try peer.readText()
                }
            }
            let text = String(repeating: "x", count: 90)
            var most = 0
            for number in 1...count {
                try await topic.publish("\(number) \(text)")
                most = max(most, Self.pendingBytes(of: server))
            }
            #expect(try await last == [String](repeating: "\(count) \(text)", count: clients))
            #expect(most > 0 && most <= 64 << 10)
        }
        #expect(statistics.publicationsDelayed > 0)
        #expect(statistics.publicationsRefused >= statistics.publicationsDelayed)
        #expect(statistics.slowConsumersClosed == 0)
        #expect(statistics.messagesSent == count * clients)
    }

    @Test func `two event loops that publish to each other at full speed make progress`() async throws {
        let count = 3000
        let server = try makeServer(
            .with {
                $0.maxPendingDeliveries = 8
                $0.maxDeliveriesPerTurn = 4
                $0.maxOutboundBytes = 16 << 20
            })
        let topic = try server.topic("lobby")
        let received = [Log<Message>(), Log<Message>()]
        let ready = [Gate(), Gate()]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<2 {
                group.addTask {
                    try await WebSocketPair.run(
                        configuration: server.configuration, clientConfiguration: .init(),
                        eventLoop: server.loops[index],
                        server: { socket in
                            try await socket.subscribe(to: topic)
                            ready[index].open()
                            await ready[1 - index].pass()
                            for number in 0..<count { try await topic.publish("\(index) \(number)") }
                            for try await _ in socket {}
                        },
                        client: { socket in
                            for _ in 0..<2 * count {
                                guard let message = try await socket.next() else { return }
                                received[index].append(message)
                            }
                        })
                }
            }
            try await group.waitForAll()
        }
        for log in received {
            for publisher in 0..<2 {
                let own = log.all.filter {
                    if case .text(let text) = $0 { text.hasPrefix("\(publisher) ") } else { false }
                }
                #expect(own == (0..<count).map { .text("\(publisher) \($0)") })
            }
        }
        #expect(server.loops.allSatisfy { $0.handle.delayedPublications > 0 })
        #expect(Self.pendingBytes(of: server) == 0)
    }

    @Test func `a publication goes to all event loops or to none`() async throws {
        let server = try makeServer(.with { $0.maxPendingDeliveries = 5 })
        let topic = try server.topic("lobby")
        let (first, second) = (Log<Message>(), Log<Message>())
        try await withListener(server, on: 0, to: topic, received: first) {
            try await withListener(server, on: 1, to: topic, received: second) {
                let blocker = Blocker()
                server.loops[1].post { blocker.wait() }
                // The first one's inbox is emptied all the time.
                var published = 0
                while topic.tryPublish("\(published)") == .published {
                    published += 1
                    await server.loops[0].run {}
                }
                #expect(published == 5)
                for _ in 0..<10 { #expect(topic.tryPublish("never") == .full) }
                blocker.release()
            }
        }
        let expected = (0..<5).map { Message.text("\($0)") }
        #expect(first.all == expected)
        #expect(second.all == expected)
    }

    @Test func `a task that is cancelled while it waits publishes nothing`() async throws {
        let server = try makeServer(.with { $0.maxPendingDeliveries = 3 })
        let topic = try server.topic("lobby")
        let received = Log<Message>()
        try await withListener(server, to: topic, received: received) {
            let blocker = Self.fill(server, topic)
            let waiting = Task { try await topic.publish("cancelled") }
            try await until { server.loops[0].handle.delayedPublications == 1 }
            let late = Task { try await topic.publish("late") }
            try await until { server.loops[0].handle.delayedPublications == 2 }
            waiting.cancel()
            let error = await #expect(throws: WebSocketError.self) { try await waiting.value }
            #expect(error?.code == .cancelled)
            blocker.release()
            try await late.value
        }
        #expect(received.all == ["early", "early", "early", "late"])
    }

    @Test func `a task that may publish and gives up lets the next one publish`() async throws {
        let server = try makeServer(.with { $0.maxPendingDeliveries = 1 })
        let topic = try server.topic("lobby")
        let received = Log<Message>()
        try await withListener(server, to: topic, received: received) {
            let blocker = Self.fill(server, topic)
            let other = Task {
                let (wait, publication) = (PublishWait(), Publication([.text("never")]))
                #expect(publication.tryPublish(on: topic, wait: wait) == .full)
                try await wait.waitForRoom(on: topic, for: publication)
                wait.giveUp()
            }
            try await until { server.loops[0].handle.delayedPublications == 1 }
            let late = Task { try await topic.publish("late") }
            try await until { server.loops[0].handle.delayedPublications == 2 }
            blocker.release()
            try await other.value
            try await late.value
        }
        #expect(received.all == ["early", "late"])
    }

    @Test func `a handler may publish only so much in one turn of its event loop, and goes on in the next`()
        async throws
    {
        let server = try makeServer(
            .with {
                $0.threads = 1
                $0.maxDeliveriesPerTurn = 10
            })
        let topic = try server.topic("lobby")
        let received = Log<Message>()
        try await WebSocketPair.run(
            on: server, clientConfiguration: .init(),
            handler: { socket in
                try await socket.subscribe(to: topic)
                for number in 0..<10 { #expect(topic.tryPublish("\(number)") == .published) }
                #expect(topic.tryPublish("refused") == .full)
                for number in 10..<100 { try await topic.publish("\(number)") }
            }, client: { socket in for try await message in socket { received.append(message) } })
        #expect(received.all == (0..<100).map { .text("\($0)") })
        #expect(server.loops[0].handle.delayedPublications >= 9)
    }

    @Test func `one message has room, whatever its size and the number of those who hear it`() async throws {
        let server = try makeServer(
            .with {
                ($0.maxPendingDeliveries, $0.maxPendingBytes) = (1, 1)
                ($0.maxDeliveriesPerTurn, $0.maxDeliveredBytesPerTurn) = (1, 1)
            })
        let topic = try server.topic("lobby")
        let large = [UInt8](repeating: 7, count: 100_000)
        let (first, second) = (Log<Message>(), Log<Message>())
        try await withListener(server, to: topic, received: first) {
            try await withListener(server, to: topic, received: second) {
                for _ in 0..<5 { try await topic.publish(large) }
                try await Task(executorPreference: server.loops[0]) {
                    for _ in 0..<5 { try await topic.publish(large) }
                }.value
            }
        }
        for log in [first, second] { #expect(log.all == [Message](repeating: .binary(large), count: 10)) }
    }

    @Test func `a message for all but one reaches the connections of other servers and clients`() async throws {
        let (server, other) = (try makeServer(), try makeServer())
        let ids = Log<UInt64>()
        for each in [server, other] {
            try await WebSocketPair.run(
                on: each, clientConfiguration: .init(), handler: { ids.append($0.id) }, client: { ids.append($0.id) })
            try await withServer(each, handler: { ids.append($0.id) }) { _, port in
                _ = try await connect(port: port) { ids.append($0.id) }
            }
        }
        #expect(ids.all.count == 8)
        #expect(Set(ids.all).count == 8)
    }

    @Test func `a connection of no server, or of another one, cannot subscribe`() async throws {
        let server = try makeServer()
        let topic = try server.topic("lobby")
        let subscribe: @Sendable (WebSocket) async throws -> Void = { socket in
            let error = await #expect(throws: WebSocketError.self) { try await socket.subscribe(to: topic) }
            #expect(error?.code == .invalidArgument)
        }
        try await WebSocketPair.run(
            configuration: .init(), clientConfiguration: .init(), eventLoop: nil, server: subscribe, client: subscribe)
        try await WebSocketPair.run(
            on: makeServer(), clientConfiguration: .init(), handler: subscribe, client: subscribe)
        // The client's end of a connection to the same server.
        try await WebSocketPair.run(on: server, clientConfiguration: .init(), handler: { _ in }, client: subscribe)
    }

    @Test func `a cancelled task does not wait to publish`() async throws {
        let server = try makeServer(.with { $0.maxPendingDeliveries = 1 })
        let topic = try server.topic("lobby")
        let received = Log<Message>()
        try await withListener(server, to: topic, received: received) {
            let blocker = Self.fill(server, topic)
            let waiting = Task {
                while !Task.isCancelled { await Task.yield() }
                try await topic.publish("cancelled")
            }
            waiting.cancel()
            let error = await #expect(throws: WebSocketError.self) { try await waiting.value }
            #expect(error?.code == .cancelled)
            blocker.release()
            try await until { !received.all.isEmpty }
        }
        #expect(received.all == ["early"])
    }
}
