@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketPartsTests {
    private static let large = (0..<(6 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }

    @Test func `a message larger than the limit comes in parts, in bounded memory`() async throws {
        let received = Box<[UInt8]>()
        let largest = Box<Int>()
        try await withServer(.with { $0.maxMessageBytes = 1000 }) { socket in
            var payload: [UInt8] = []
            var most = 0
            for try await part in socket.parts {
                #expect(!part.isText)
                payload += part.bytes
                most = max(most, part.bytes.count)
                if part.isLast { break }
            }
            received.put(payload)
            largest.put(most)
        } body: { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.binary(Self.large))
                return try client.readClose()
            }
            #expect(code == 1000)
            let isSame = await received.take() == Self.large
            #expect(isSame)
            #expect(try #require(await largest.take()) <= 128 << 10)
        }
    }

    @Test func `messages that come whole are one part each, and the sequence goes on where it stopped`() async throws {
        let parts = Box<MessagePart>()
        let counts = Box<Int>()
        try await withServer { socket in
            for try await part in socket.parts {
                parts.put(part)
                break
            }
            var count = 0
            for try await part in socket.parts {
                parts.put(part)
                count += 1
            }
            counts.put(count)
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(
                    .text("one"), .binary([2]), .text("th", fin: false), .continuation("ree".utf8, fin: true))
                try client.closeNormally()
            }
            #expect(await parts.take() == MessagePart(isText: true, bytes: Array("one".utf8), isLast: true))
            #expect(await parts.take() == MessagePart(isText: false, bytes: [2], isLast: true))
            #expect(await parts.take() == MessagePart(isText: true, bytes: Array("th".utf8), isLast: false))
            #expect(await parts.take() == MessagePart(isText: true, bytes: Array("ree".utf8), isLast: true))
            #expect(await counts.take() == 3)
        }
    }

    @Test func `who reads parts slowly holds the peer back`() async throws {
        let gate = Gate()
        let sums = Box<Int>()
        let statistics = try await withServer(.with { $0.maxInboundBytes = 10_000 }) { socket in
            var iterator = socket.parts.makeAsyncIterator()
            var sum = try await iterator.next()?.bytes.count ?? 0
            await gate.pass()
            while let part = try await iterator.next() {
                sum += part.bytes.count
                if part.isLast { break }
            }
            sums.put(sum)
        } body: { server, port in
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await onThread {
                        let client = try Client.webSocket(port: port)
                        try client.send(.binary(Self.large))
                        try client.readClose()
                    }
                }
                try await until { server.statistics.readsPaused > 0 }
                #expect(server.statistics.bytesReceived < Self.large.count)
                gate.open()
                try await group.waitForAll()
            }
            #expect(await sums.take() == Self.large.count)
        }
        #expect(statistics.messagesReceived == 1)
    }

    @Test func `text that breaks UTF-8 in a later part ends with 1007`() async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer { socket in
            errors.put(await errorCode { for try await _ in socket.parts {} })
        } body: { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("fine", fin: false), .continuation([0xff], fin: true))
                return try client.readClose()
            }
            #expect(code == 1007)
            #expect(await errors.take() == .protocolViolation)
        }
    }

    @Test func `parts and whole messages do not mix`() async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer { socket in
            for try await _ in socket.parts { break }
            errors.put(await errorCode { _ = try await socket.next() })
            errors.put(await errorCode { try await socket.receive { _ in } })
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"))
                try client.readClose()
            }
            #expect(await errors.take() == .alreadyReceiving)
            #expect(await errors.take() == .alreadyReceiving)
        }
    }

    /// Messages that had come whole, or parts.
    @Test(arguments: [true, false])
    func `what nobody had taken when the connection went can still be taken in parts`(hasBegun: Bool) async throws {
        let server = try makeServer()
        let texts = Box<String>()
        let codes = Box<WebSocketError.Code?>()
        try await withServer(server) { socket in
            var parts = socket.parts.makeAsyncIterator()
            if hasBegun, let part = try await parts.next() { texts.put(String(decoding: part.bytes, as: UTF8.self)) }
            try await until { server.statistics.connectionsNow == 0 }
            codes.put(
                await errorCode {
                    while let part = try await parts.next() { texts.put(String(decoding: part.bytes, as: UTF8.self)) }
                })
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"), .text("three"))
                client.close()
            }
            #expect(await texts.take(3) == ["one", "two", "three"])
            #expect(await codes.take() == .connectionLost)
        }
    }

    @Test(arguments: [true, false])
    func `a wait for a part can be cancelled, and what comes later is not lost`(hasBegun: Bool) async throws {
        let server = try makeServer()
        let texts = Box<String>()
        try await withServer(server) { socket in
            let waiting = Task { try await socket.parts.makeAsyncIterator().nextOnce() }
            if hasBegun { try await until { socket.inbound.parts?.waiter != nil } }
            waiting.cancel()
            let code = await errorCode { _ = try await waiting.value }
            #expect(code == .cancelled)
            try await socket.send("now")
            try await until { server.statistics.messagesReceived == 1 }
            for try await part in socket.parts { texts.put(String(decoding: part.bytes, as: UTF8.self)) }
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                _ = try client.readText()
                try client.send(.text("one"))
                try client.closeNormally()
            }
            #expect(await texts.take() == "one")
        }
    }
}

extension WebSocket.Parts.Iterator {
    fileprivate func nextOnce() async throws(WebSocketError) -> MessagePart? {
        var iterator = self
        return try await iterator.next()
    }
}
