@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TopicRegistryTests {
    @Test func `a topic that nobody holds is forgotten`() throws {
        let server = try makeServer()
        for number in 0..<10_000 { _ = try server.topic("\(number)") }
        #expect(server.topics.count == 0)
        let kept = try (0..<10).map { try server.topic("\($0)") }
        #expect(server.topics.count == 10)
        #expect(kept.map(\.name) == (0..<10).map { "\($0)" })
    }

    @Test func `a topic lives while somebody has subscribed to it`() async throws {
        let server = try makeServer()
        let identity = try await withPair(on: server) { socket in
            try await socket.subscribe(to: server.topic("lobby"))
            #expect(server.topics.count == 1)
            try await server.topic("lobby").publish("still there")
            return ObjectIdentifier(try server.topic("lobby"))
        } client: { socket in
            try await socket.expectNext("still there")
            while let message = try await socket.next() { Issue.record("unexpected: \(message)") }
        }
        #expect(identity != nil)
        #expect(server.topics.count == 0)
    }

    @Test func `unsubscribing lets a topic go`() async throws {
        let server = try makeServer()
        try await withPair(on: server) { socket in
            try await socket.subscribe(to: server.topic("lobby"))
            #expect(try server.topic("lobby").subscriberCount == 1)
            await socket.unsubscribe(from: try server.topic("lobby"))
            #expect(server.topics.count == 0)
        }
    }

    @Test func `a topic that many threads take and drop at once is always found`() async throws {
        let server = try makeServer()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<5000 {
                        guard let topic = try? server.topic("lobby"), let again = try? server.topic("lobby") else {
                            Issue.record("a topic was refused")
                            return
                        }
                        if topic !== again { Issue.record("two topics of one name") }
                    }
                }
            }
        }
        #expect(server.topics.count == 0)
    }

    @Test func `a topic that others take and drop while one of its name ends is forgotten once`() async throws {
        let server = try makeServer()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<50_000 { _ = try? server.topic("lobby") }
                }
            }
        }
        #expect(server.topics.count == 0)
    }

    @Test func `names are compared by their bytes`() throws {
        let server = try makeServer()
        let composed = try server.topic("caf\u{E9}")
        let decomposed = try server.topic("cafe\u{301}")
        #expect(composed !== decomposed)
        #expect(try server.topic("caf\u{E9}") === composed)
        #expect(try server.topic("cafe\u{301}") === decomposed)
    }

    @Test func `a name that is too long is refused, whatever is in it`() throws {
        let server = try makeServer()
        let longest = String(repeating: "x", count: Topic.maxNameBytes)
        #expect(try server.topic(longest).name == longest)
        let marks = String(repeating: "\u{301}\u{323}", count: 1 << 18)
        for name in [longest + "x", marks] {
            let error = #expect(throws: WebSocketError.self) { try server.topic(name) }
            #expect(error?.code == .invalidArgument)
        }
        #expect(server.topics.count == 0)
    }

    @Test func `a topic that was made is not found by its name`() throws {
        let server = try makeServer()
        let made = server.makeTopic("lobby")
        #expect(made.name == "lobby")
        #expect(try server.topic("lobby") !== made)
    }
}

/// Runs a connection of the server in memory, on its first event loop, with a client that waits for the end.
private func withPair<Value: Sendable>(
    on server: WebSocketServer, handler: @escaping @Sendable (WebSocket) async throws -> Value,
    client: @escaping @Sendable (WebSocket) async throws -> Void = { socket in for try await _ in socket {} }
) async throws -> Value? {
    let value = Box<Value>()
    try await WebSocketPair.run(
        on: server, clientConfiguration: .init(), handler: { value.put(try await handler($0)) }, client: client)
    value.close()
    return await value.take()
}
