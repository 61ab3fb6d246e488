import Apus
import ApusTesting
import Foundation
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WithServerTests {
    @Test func `a client talks to the server at the URL, and the result comes back`() async throws {
        let answer = try await withServer(handler: echo) { url in
            try await WebSocketClient.connect(url) { socket in
                try await socket.send("hello")
                var messages = socket.makeAsyncIterator()
                return try await messages.next()
            }
        }
        #expect(answer == "hello")
    }

    @Test func `a Unix socket works the same`() async throws {
        let path = "\(NSTemporaryDirectory())/apus-testing-\(UInt32.random(in: 0 ... .max)).sock"
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: path) } }
        try await withServer(configuration: .init(unixSocketPath: path), handler: echo) { url in
            #expect(url.hasPrefix("ws+unix://"))
            try await WebSocketClient.connect(url) { socket in
                try await socket.send("hello")
                var messages = socket.makeAsyncIterator()
                #expect(try await messages.next() == "hello")
            }
        }
    }

    @Test func `what the body throws is thrown, once the server has ended`() async throws {
        let ended = AsyncStream<Void>.makeStream()
        await #expect(throws: Boom.self) {
            try await withServer { socket in
                defer { ended.continuation.finish() }
                try await socket.send("here")
                for try await _ in socket {}
            } body: { url in
                try await WebSocketClient.connect(url) { socket in
                    var messages = socket.makeAsyncIterator()
                    _ = try await messages.next()
                    throw Boom()
                }
            }
        }
        for await _ in ended.stream {}
    }

    @Test func `what keeps the server from listening is thrown`() async throws {
        let configuration = WebSocketServer.Configuration(unixSocketPath: "/nowhere/at/all.sock")
        let error = await #expect(throws: WebSocketError.self) {
            try await withServer(configuration: configuration, handler: echo) { _ in
                Issue.record("nothing listens")
            }
        }
        #expect(error?.code == .cannotListen)
    }

    @Test func `the upgrade closure decides`() async throws {
        let error = await #expect(throws: WebSocketError.self) {
            try await withServer(upgrade: { _ in .reject(.notFound) }, handler: echo) { url in
                try await WebSocketClient.connect(url) { _ in }
            }
        }
        #expect(error?.code == .handshakeRefused)
    }
}
