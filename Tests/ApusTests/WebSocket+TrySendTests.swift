@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketTrySendTests {
    @Test func `what cannot be queued is told to be full, and what can arrives`() async throws {
        let results = Box<Int>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
            }
        ) { socket in
            var sent = 0
            while socket.trySend([UInt8](repeating: 1, count: 30_000)) == .sent { sent += 1 }
            #expect(socket.trySend("full as well") == .sent, "it fits behind the others")
            #expect(socket.trySend([UInt8](repeating: 1, count: 30_000)) == .full)
            results.put(sent)
            for try await _ in socket {}
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let sent = try #require(await results.take())
            try await onThread {
                for _ in 0..<sent { _ = try client.readFrame() }
                guard try client.readText() == "full as well" else { throw Client.Failure.ended }
                try client.closeNormally()
            }
        }
    }

    @Test func `every form sends`() async throws {
        try await withServer { socket in
            #expect(socket.trySend("text") == .sent)
            #expect(socket.trySend([1, 2, 3]) == .sent)
            #expect(socket.trySend(Message.text("message")) == .sent)
            #expect(socket.trySend(Message.binary([4])) == .sent)
            #expect(socket.trySend(bytes: ([5, 6] as [UInt8]).span.bytes) == .sent)
            try await socket.receive { #expect(socket.trySend($0) == .sent) }
            #expect(socket.trySend("late") == .closed)
        } body: { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("echo"), .binary([7]))
                let frames = try (1...7).map { _ in try client.readFrame() }
                try client.closeNormally()
                return frames
            }
            #expect(
                frames.map(\.payload) == [
                    Array("text".utf8), [1, 2, 3], Array("message".utf8), [4], [5, 6], Array("echo".utf8), [7],
                ])
            #expect(frames.map(\.opcode) == [1, 2, 1, 2, 2, 1, 2])
        }
    }

    @Test func `from another thread messages arrive in the order of the calls`() async throws {
        try await withServer { socket in
            await Task.detached {
                for number in 0..<1000 { #expect(socket.trySend("\(number)") == .sent) }
                #expect(socket.trySend([1]) == .sent)
                #expect(socket.trySend(bytes: ([2] as [UInt8]).span.bytes) == .sent)
            }.value
            // In order with what came before from elsewhere: the loop has taken that first.
            for try await _ in socket {}
        } body: { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                let frames = try (0..<1002).map { _ in try client.readFrame() }
                try client.closeNormally()
                return frames
            }
            #expect(frames.prefix(1000).map(\.text) == (0..<1000).map { "\($0)" })
            #expect(frames.suffix(2).map(\.payload) == [[1], [2]])
        }
    }

    @Test func `from another thread a connection that has ended is closed, and a full one full`() async throws {
        let results = Box<SendResult>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
            }
        ) { socket in
            while socket.trySend([UInt8](repeating: 1, count: 30_000)) == .sent {}
            await Task.detached { results.put(socket.trySend("full")) }.value
            socket.abort()
            await Task.detached { results.put(socket.trySend("closed")) }.value
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            #expect(await results.take(2) == [.full, .closed])
            client.close()
        }
    }

    @Test func `from another thread no more than a mebibyte is on its way at a time`() async throws {
        let results = Box<[SendResult]>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = 10 << 20
            }
        ) { socket in
            // While this thread waits, what the other one posts stays on its way.
            let blocker = Blocker()
            socket.eventLoop.post { blocker.wait() }
            let message = [UInt8](repeating: 1, count: 600_000)
            results.put(
                await Task.detached { () -> [SendResult] in
                    defer { blocker.release() }
                    return [socket.trySend(message), socket.trySend(message)]
                }.value)
            // Once the loop has taken the first one, for which this task may have to leave it.
            while await Task.detached(operation: { socket.trySend(message) }).value != .sent { await Task.yield() }
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).readClose() }
            #expect(await results.take() == [.sent, .full])
        }
    }
    @Test func `from another thread messages without content are not without number`() async throws {
        let results = Box<[SendResult]>()
        try await withServer { socket in
            let blocker = Blocker()
            socket.eventLoop.post { blocker.wait() }
            results.put(
                await Task.detached { () -> [SendResult] in
                    defer { blocker.release() }
                    return (0..<10_000).map { _ in socket.trySend("") }
                }.value)
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).readClose() }
            let results = try #require(await results.take())
            #expect(results.prefix(1000).allSatisfy { $0 == .sent })
            #expect(results.suffix(5000).allSatisfy { $0 == .full })
        }
    }
}
