import Apus
import ApusTesting
import TestSupport
import Testing

/// The README's program.
private func join(_ lobby: Topic, _ socket: WebSocket) async throws {
    try await socket.subscribe(to: lobby)
    for try await message in socket {
        try await lobby.publish(message)
    }
}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TopicTests {
    @Test func `a handler with a topic is tested in memory`() async throws {
        let server = try WebSocketServer(configuration: .testing)
        let lobby = try server.topic("lobby")
        try await withWebSocketPair(on: server, server: { try await join(lobby, $0) }) { socket in
            try await socket.send("hello")
            var messages = socket.makeAsyncIterator()
            #expect(try await messages.next() == "hello")
            #expect(lobby.subscriberCount == 1)
        }
        #expect(lobby.subscriberCount == 0)
    }

    @Test func `several pairs of one server hear one another`() async throws {
        var configuration = WebSocketServer.Configuration.testing
        configuration.threads = 2
        let server = try WebSocketServer(configuration: configuration)
        let lobby = try server.topic("lobby")
        let handler: WebSocketServer.Handler = { try await join(lobby, $0) }
        try await withWebSocketPair(on: server, server: handler) { first in
            try await withWebSocketPair(on: server, server: handler) { second in
                var (heardByFirst, heardBySecond) = (first.makeAsyncIterator(), second.makeAsyncIterator())
                // Its own message tells that it has joined.
                try await first.send("one")
                #expect(try await heardByFirst.next() == "one")
                try await second.send("two")
                #expect(try await heardByFirst.next() == "two")
                var messages = [try await heardBySecond.next()]
                if messages == ["one"] { messages = [try await heardBySecond.next()] }
                #expect(messages == ["two"])
            }
        }
    }

    @Test func `a server is set up before it listens, and its handler has its topics`() async throws {
        try await withServer(setUp: { server in
            let lobby = try server.topic("lobby")
            return { try await join(lobby, $0) }
        }) { url in
            try await WebSocketClient.connect(url) { socket in
                try await socket.send("hello")
                var messages = socket.makeAsyncIterator()
                #expect(try await messages.next() == "hello")
            }
        }
    }

    @Test func `what the set-up throws, the caller hears`() async throws {
        await #expect(throws: Boom.self) {
            try await withServer(setUp: { _ in throw Boom() }) { _ in }
        }
    }

    @Test func `a pair without a server has no topics, and says so`() async throws {
        let server = try WebSocketServer(configuration: .testing)
        let lobby = try server.topic("lobby")
        try await withWebSocketPair { socket in
            let error = await #expect(throws: WebSocketError.self) { try await socket.subscribe(to: lobby) }
            #expect(error?.code == .invalidArgument)
        } client: { _ in
        }
    }
}
