@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketSendAllTests {
    @Test func `publications wait while more than so much is queued, all arrive, and nobody is judged slow`()
        async throws
    {
        let (limit, size, count) = (100_000, 20_000, 1_000)
        let publications = (0..<count).map { number in
            Publication([.text("\(number) ".padded(to: size))])
        }
        let sockets = Box<WebSocket>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = limit
                $0.slowConsumerPolicy = .close
                $0.threads = 1
            }
        ) { socket in
            sockets.put(socket)
            for publication in publications { try await socket.send(publication, atMost: limit / 2) }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let socket = try #require(await sockets.take())
            try await until { socket.status.isFull }
            let queued = await socket.eventLoop.run { socket.queuedBytes }
            // The system may have taken all of it meanwhile.
            #expect((0...limit / 2 + size + 14).contains(queued))
            let numbers = try await onThread {
                try (0..<count).map { _ in
                    let text = String(decoding: try client.readMessage().payload, as: UTF8.self)
                    return text.split(separator: " ")[0]
                }
            }
            #expect(numbers == (0..<count).map { Substring("\($0)") })
            client.finish()
        }
    }

    @Test func `a publication that waits for a full queue is given up when the connection begins to close`()
        async throws
    {
        let publication = Publication([.text("".padded(to: 20_000))])
        let (sockets, errors) = (Box<WebSocket>(), Box<Bool>())
        try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
                $0.closeTimeout = .milliseconds(100)
                $0.threads = 1
            }
        ) { socket in
            sockets.put(socket)
            let code = await errorCode {
                while true { try await socket.send(publication, atMost: 50_000) }
            }
            errors.put(code == .connectionClosed)
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let socket = try #require(await sockets.take())
            try await until { socket.status.isFull }
            socket.beginClosing(.tryAgainLater)
            #expect(await errors.take() == true)
            client.finish()
        }
    }

    @Test func `a publication for a connection that is closing is refused, though nothing is queued`() async throws {
        let errors = Box<Bool>()
        try await withServer(.with { $0.threads = 1 }) { socket in
            socket.beginClosing(.goingAway)
            let code = await errorCode { try await socket.send(Publication([.text("late")]), atMost: 1_000_000) }
            errors.put(code == .connectionClosed)
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose() }
            #expect(code == 1001)
            #expect(await errors.take() == true)
        }
    }

    @Test func `a publication for a connection that has ended is an error`() async throws {
        let errors = Box<Bool>()
        try await withServer(.with { $0.threads = 1 }) { socket in
            for try await _ in socket {}
            let code = await errorCode { try await socket.send(Publication([.text("late")]), atMost: 1_000_000) }
            errors.put(code == .connectionClosed)
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            try await onThread {
                try client.send(.close(1000))
                _ = try client.readMessage()
                client.finish()
            }
            #expect(await errors.take() == true)
        }
    }

    @Test func `a publication does not wait where just as much is queued as may be`() async throws {
        let publication = Publication([.text("".padded(to: 20_000))])
        let sent = Box<Bool>()
        try await withServer(.with { $0.threads = 1 }) { socket in
            // The system takes no more, and the queue stays as it is.
            try await fill(socket)
            let queued = socket.queuedBytes
            try await socket.send(publication, atMost: queued)
            sent.put(queued > 0 && socket.queuedBytes >= queued + 20_000)
            socket.abort()
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            #expect(await sent.take() == true)
            client.close()
        }
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String { self + String(repeating: "x", count: count - self.count) }
}
