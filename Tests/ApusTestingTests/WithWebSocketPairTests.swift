import Apus
import ApusTesting
import HTTPTypes
import TestSupport
import Testing

/// Sends every message back.
let echo: WebSocketServer.Handler = { socket in
    for try await message in socket { try await socket.send(message) }
}

struct Boom: Error {}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WithWebSocketPairTests {
    @Test func `messages go both ways, and the client's result comes back`() async throws {
        let texts = try await withWebSocketPair(server: echo) { socket in
            var messages = socket.makeAsyncIterator()
            var texts: [Message?] = []
            for text in ["one", "", "drei 🐝"] {
                try await socket.send(text)
                texts.append(try await messages.next())
            }
            return texts
        }
        #expect(texts == ["one", "", "drei 🐝"])
    }

    /// Around what lies in memory between the ends, and much more.
    @Test(arguments: [125, 65_535, 65_536, 65_537, 200_000, 1 << 20])
    func `large messages come back whole`(count: Int) async throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try await withWebSocketPair(server: echo) { socket in
            var messages = socket.makeAsyncIterator()
            for _ in 0..<3 {
                try await socket.send(bytes)
                #expect(try await messages.next() == .binary(bytes))
            }
        }
    }

    @Test func `a sender waits for a peer that does not read, and nothing is lost`() async throws {
        let count = 500
        var configuration = WebSocketServer.Configuration()
        configuration.maxOutboundBytes = 50_000
        let started = AsyncStream<Void>.makeStream()
        try await withWebSocketPair(configuration: configuration) { socket in
            for number in 0..<count {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 10_000)
                guard case .sent = socket.trySend(bytes) else {
                    started.continuation.finish()
                    try await socket.send(bytes)
                    continue
                }
            }
        } client: { socket in
            for await _ in started.stream {}  // until the queue is full
            var number = 0
            for try await message in socket {
                #expect(message == .binary([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 10_000)))
                number += 1
            }
            #expect(number == count)
            #expect(socket.closeCode == .normalClosure)
        }
    }

    /// A client's frames are masked, and so larger by the key.
    @Test(arguments: [100, 10_000, 200_000]) func `a client's ping overtakes what it has queued, and cuts no frame`(
        size: Int
    ) async throws {
        let count = 2_000_000 / size
        let queued = AsyncStream<Void>.makeStream()
        try await withWebSocketPair { socket in
            for await _ in queued.stream {}
            var received = 0
            for try await message in socket {
                #expect(message == .binary([UInt8](repeating: UInt8(truncatingIfNeeded: received), count: size)))
                received += 1
                if received == count { break }
            }
        } client: { socket in
            var sent = 0
            while sent < count,
                socket.trySend([UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: size)) == .sent
            {
                sent += 1
            }
            async let answer = socket.ping()
            await Task.yield()
            queued.continuation.finish()
            _ = try await answer
            while sent < count {
                try await socket.send([UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: size))
                sent += 1
            }
            for try await _ in socket {}
        }
    }

    @Test func `a slow consumer is closed with 1013 where the policy says so`() async throws {
        var configuration = WebSocketServer.Configuration()
        configuration.maxOutboundBytes = 50_000
        configuration.slowConsumerPolicy = .close
        configuration.slowConsumerLag = .milliseconds(1)
        let isClosed = AsyncStream<Void>.makeStream()
        try await withWebSocketPair(configuration: configuration) { socket in
            defer { isClosed.continuation.finish() }
            let error = await #expect(throws: WebSocketError.self) {
                for _ in 0..<1000 { try await socket.send([UInt8](repeating: 1, count: 10_000)) }
            }
            #expect(error?.code == .slowConsumer)
        } client: { socket in
            for await _ in isClosed.stream {}
            for try await _ in socket {}
            #expect(socket.closeCode == CloseCode(rawValue: 1013))
        }
    }

    @Test func `close codes and reasons arrive, the server's`() async throws {
        try await withWebSocketPair { socket in
            try await socket.close(CloseCode(rawValue: 4001), reason: "enough")
        } client: { socket in
            for try await _ in socket {}
            #expect(socket.closeCode == CloseCode(rawValue: 4001))
            #expect(socket.closeReason == "enough")
        }
    }

    @Test func `close codes and reasons arrive, the client's`() async throws {
        try await withWebSocketPair { socket in
            for try await _ in socket {}
            #expect(socket.closeCode == CloseCode(rawValue: 4002))
            #expect(socket.closeReason == "bye")
        } client: { socket in
            try await socket.close(CloseCode(rawValue: 4002), reason: "bye")
        }
    }

    @Test func `a server's handler that throws closes with 1011, and the caller learns it`() async throws {
        await #expect(throws: Boom.self) {
            try await withWebSocketPair { _ in
                throw Boom()
            } client: { socket in
                for try await _ in socket {}
                #expect(socket.closeCode == .internalError)
            }
        }
    }

    @Test func `a client's handler that throws closes with 1011, and the caller learns it`() async throws {
        await #expect(throws: Boom.self) {
            try await withWebSocketPair { socket in
                for try await _ in socket {}
                #expect(socket.closeCode == .internalError)
            } client: { _ in
                throw Boom()
            }
        }
    }

    @Test func `a message past the server's limit closes with 1009`() async throws {
        var configuration = WebSocketServer.Configuration()
        configuration.maxMessageBytes = 1000
        try await withWebSocketPair(configuration: configuration, server: echo) { socket in
            try await socket.send([UInt8](repeating: 0, count: 1001))
            for try await _ in socket {}
            #expect(socket.closeCode == CloseCode(rawValue: 1009))
        }
    }

    @Test func `a client that goes without a word is lost to the server`() async throws {
        try await withWebSocketPair { socket in
            let error = await #expect(throws: WebSocketError.self) { for try await _ in socket {} }
            #expect(error?.code == .connectionLost)
            #expect(socket.closeCode == .abnormalClosure)
        } client: { socket in
            socket.abort()
        }
    }

    @Test(arguments: [Compression.shared(), .dedicated()])
    func `compression is agreed on as in an opening handshake`(compression: Compression) async throws {
        var (server, client) = (WebSocketServer.Configuration(), WebSocketClient.Configuration())
        server.compression = compression
        client.compression = compression
        let text = String(repeating: "again and ", count: 10_000)
        try await withWebSocketPair(configuration: server, clientConfiguration: client, server: echo) { socket in
            let extensions = try #require(HTTPField.Name("Sec-WebSocket-Extensions"))
            #expect(socket.response?.headerFields[extensions]?.hasPrefix("permessage-deflate") == true)
            var messages = socket.makeAsyncIterator()
            for _ in 0..<3 {
                try await socket.send(text)
                #expect(try await messages.next() == .text(text))
            }
        }
    }

    @Test func `both ends tell a plain request and nobody's address`() async throws {
        try await withWebSocketPair { socket in
            #expect(socket.request.path == "/")
            #expect(socket.response == nil)
            #expect(socket.remoteAddress.host.isEmpty)
            for try await _ in socket {}
        } client: { socket in
            #expect(socket.request.method == .get)
            #expect(socket.request.path == "/")
            #expect(socket.response?.status.code == 101)
            #expect(socket.subprotocol == nil)
        }
    }

    @Test func `a ping is answered`() async throws {
        try await withWebSocketPair { socket in
            for try await _ in socket {}
        } client: { socket in
            _ = try await socket.ping()
        }
    }

    @Test func `a cancelled task closes both ends with 1001`() async throws {
        let isOpen = AsyncStream<Void>.makeStream()
        let task = Task {
            try await withWebSocketPair { socket in
                for try await _ in socket {}
            } client: { socket in
                isOpen.continuation.finish()
                for try await _ in socket {}
                try await socket.close()
                return socket.closeCode
            }
        }
        for await _ in isOpen.stream {}
        task.cancel()
        #expect(try await task.value == .goingAway)
    }

    @Test func `limits that make no sense are refused`() async throws {
        var configuration = WebSocketServer.Configuration()
        configuration.maxMessageBytes = 0
        let error = await #expect(throws: WebSocketError.self) {
            try await withWebSocketPair(configuration: configuration, server: echo) { _ in }
        }
        #expect(error?.code == .invalidConfiguration)
    }
}
