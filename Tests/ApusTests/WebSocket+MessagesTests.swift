@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketMessagesTests {
    struct Exchange: CustomTestStringConvertible, Sendable {
        let name: String
        let sent: [Frame]
        let received: [Frame]
        var testDescription: String { name }
    }

    private static let mebibyte = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    static let exchanges = [
        Exchange(name: "text", sent: [.text("Grüße, 世界 🕊")], received: [.text("Grüße, 世界 🕊")]),
        Exchange(name: "bytes", sent: [.binary([0, 255, 128])], received: [.binary([0, 255, 128])]),
        Exchange(name: "empty ones", sent: [.text(""), .binary([])], received: [.text(""), .binary([])]),
        Exchange(name: "1 MiB", sent: [.binary(mebibyte)], received: [.binary(mebibyte)]),
        Exchange(
            name: "fragments, cut within a character",
            sent: [
                Frame(Frame.Opcode.text, [0xe2, 0x82], fin: false), .continuation([0xac], fin: false),
                .continuation([], fin: true),
            ],
            received: [.text("€")]),
        Exchange(
            name: "pings between fragments",
            sent: [
                .binary([1], fin: false), Frame(Frame.Opcode.ping, [9]), .continuation([2], fin: false),
                Frame(Frame.Opcode.ping), Frame(Frame.Opcode.pong, [8]), .continuation([3], fin: true),
            ],
            received: [Frame(Frame.Opcode.pong, [9]), Frame(Frame.Opcode.pong), .binary([1, 2, 3])]),
        Exchange(
            name: "every length where a header changes",
            sent: [0, 1, 125, 126, 127, 65535, 65536].map { .binary([UInt8](repeating: 5, count: $0)) },
            received: [0, 1, 125, 126, 127, 65535, 65536].map { .binary([UInt8](repeating: 5, count: $0)) }),
    ]

    @Test(arguments: exchanges) func `an echo is what was sent`(_ exchange: Exchange) async throws {
        let statistics = try await withServer { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(exchange.sent.flatMap(\.bytes))
                let frames = try exchange.received.map { _ in try client.readMessage() }
                guard try client.closeNormally() == 1000 else { throw Client.Failure.malformed("no 1000") }
                return frames
            }
            #expect(frames.map(\.opcode) == exchange.received.map(\.opcode))
            #expect(frames.map(\.payload) == exchange.received.map(\.payload))
            #expect(frames.allSatisfy { $0.fin && $0.reserved == 0 })
        }
        #expect(statistics.messagesReceived == statistics.messagesSent)
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `an echo is what was sent, byte by byte`() async throws {
        let frames = Self.exchanges.filter { $0.name != "1 MiB" && !$0.name.hasPrefix("every") }.flatMap(\.sent)
        let echoes = try await onServer { client in
            for byte in frames.flatMap(\.bytes) { try client.send([byte]) }
            return try (0..<8).map { _ in try client.readFrame() }
        }
        #expect(echoes.filter { $0.opcode != Frame.Opcode.pong }.count == 6)
    }

    /// Runs a script against an echo.
    private func onServer<T: Sendable>(_ script: @escaping @Sendable (Client) throws -> T) async throws -> T {
        let results = Box<T>()
        try await withServer { _, port in
            results.put(try await onThread { try script(Client.webSocket(port: port)) })
        }
        return try #require(await results.take())
    }

    struct End: Sendable, Equatable {
        var messages: [Message] = []
        var error: WebSocketError.Code?
        var code: CloseCode?
        var reason = ""
    }

    /// Takes all messages, and how it ends.
    private static func collect(_ socket: WebSocket) async -> End {
        var end = End()
        do {
            for try await message in socket { end.messages.append(message) }
        } catch {
            end.error = error.webSocketCode
        }
        end.code = socket.closeCode
        end.reason = socket.closeReason
        return end
    }

    /// Such a child begins inside its parent's job, and is a task of its own all the same.
    @Test(arguments: [true, false])
    func `a child that starts at once within the handler can be cancelled while it waits`(borrows: Bool) async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer(handler: { socket in
            let child = Task.immediate { () -> WebSocketError.Code? in
                do {
                    if borrows { try await socket.receive { _ in } }
                    var messages = socket.makeAsyncIterator()
                    _ = try await messages.next()
                    return nil
                } catch { return (error as? WebSocketError)?.code }
            }
            child.cancel()
            errors.put(await child.value)
            try await socket.send("go on")
            try await echo(socket)
        }) { _, port in
            let text = try await onThread {
                let client = try Client.webSocket(port: port)
                // Not before: who is cancelled gets a message that is there all the same.
                #expect(try client.readText() == "go on")
                try client.send(.text("still there"))
                let text = try client.readText()
                try client.closeNormally()
                return text
            }
            #expect(text == "still there")
        }
        #expect(await errors.take() == .cancelled)
    }

    struct PeersEnd: CustomTestStringConvertible, Sendable {
        let name: String
        let end: End
        let script: @Sendable (Client) throws -> Void
        var testDescription: String { name }
    }

    private static let messages: [Message] = ["one", .binary([2]), "three"]

    static let peersEnds = [
        PeersEnd(
            name: "a Close with code and reason",
            end: End(messages: messages, code: .init(rawValue: 4001), reason: "Ende, 完")
        ) {
            try $0.closeNormally(4001, "Ende, 完")
        },
        PeersEnd(name: "a Close without code", end: End(messages: messages, code: .noStatus)) {
            try $0.closeNormally(nil)
        },
        PeersEnd(name: "a FIN", end: End(messages: messages, error: .connectionLost, code: .abnormalClosure)) {
            $0.finish()
            try $0.expectEnd()
        },
        PeersEnd(name: "a RST", end: End(messages: messages, error: .connectionLost, code: .abnormalClosure)) {
            try $0.reset()
        },
        PeersEnd(
            name: "an unmasked frame", end: End(messages: messages, error: .protocolViolation, code: .abnormalClosure)
        ) {
            try $0.send(Frame(Frame.Opcode.text, key: nil))
            try $0.readClose()
        },
    ]

    @Test(arguments: peersEnds)
    func `the messages before an end still come, and then the end`(_ given: PeersEnd) async throws {
        let gate = Gate()
        let ends = Box<End>()
        let statistics = try await withServer { socket in
            await gate.pass()
            ends.put(await Self.collect(socket))
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(
                    .text("one"), .binary([2]), .text("th", fin: false), .continuation("ree".utf8, fin: true))
                return client
            }
            try await until { server.statistics.messagesReceived == 3 }
            try await onThread {
                try given.script(client)
                client.close()
            }
            // The handler is so slow that the connection is gone by now.
            try await until { server.statistics.connectionsNow == 0 }
            gate.open()
            #expect(await ends.take() == given.end)
        }
        #expect(statistics.connectionsLost == (given.end.error == .connectionLost ? 1 : 0))
    }

    @Test(arguments: peersEnds)
    func `an end comes to a handler that waits`(_ given: PeersEnd) async throws {
        let ends = Box<End>()
        try await withServer { socket in
            ends.put(await Self.collect(socket))
        } body: { server, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try given.script(client)
            }
            var end = given.end
            end.messages = []
            #expect(await ends.take() == end)
        }
    }

    @Test func `the sequence goes on being over`() async throws {
        let ends = Box<[End]>()
        try await withServer { socket in
            #expect(socket.closeCode == nil)
            ends.put([await Self.collect(socket), await Self.collect(socket)])
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).closeNormally(1001) }
            #expect(await ends.take() == [End(code: .goingAway), End(code: .goingAway)])
        }
    }

    @Test func `what nobody reads stops the reading, and all of it comes in the end`() async throws {
        let count = 4000
        let size = 4000
        let gate = Gate()
        let ends = Box<End>()
        let statistics = try await withServer(
            .with {
                $0.maxInboundBytes = 10_000
            }
        ) { socket in
            await gate.pass()
            ends.put(await Self.collect(socket))
        } body: { server, port in
            async let code = onThread {
                let client = try Client.webSocket(port: port)
                for number in 0..<count {
                    try client.send(.text("\(number) " + String(repeating: "x", count: size)))
                }
                return try client.closeNormally()
            }
            try await until { server.statistics.readsPaused == 1 }
            // Held back by TCP: what is here is at most one read more than the limit.
            let received = server.statistics.bytesReceived
            #expect(received < 500_000)
            gate.open()
            #expect(try await code == 1000)
            let end = try #require(await ends.take())
            #expect(end.code == .normalClosure)
            let numbers = end.messages.map { message -> Int? in
                guard case .text(let text) = message else { return nil }
                return Int(text.prefix { $0 != " " })
            }
            #expect(numbers == (0..<count).map { $0 })
            try await expectHandshakes(port: port)
        }
        #expect(statistics.messagesReceived == count)
        #expect(statistics.readsPaused >= 1)
    }

    @Test func `two cannot wait for the next message`() async throws {
        let codes = Box<WebSocketError.Code?>()
        let received = Box<Message?>()
        try await withServer { socket in
            let first = Task.detached { try await socket.next() }
            try await until { socket.eventLoop.isCurrent && socket.inbound.waiter != nil }
            codes.put(await errorCode { try await socket.next() })
            codes.put(await errorCode { try await socket.receive { _ in } })
            // Neither may a task that is not the handler's own, and waits elsewhere.
            codes.put(await Task.detached { await errorCode { try await socket.next() } }.value)
            codes.put(await Task.detached { await errorCode { try await socket.receive { _ in } } }.value)
            codes.put(await errorCode { for try await _ in socket.parts {} })
            try await socket.send("now")
            received.put(try await first.value)
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.send(.text("for the first"))
                try client.readClose()
            }
            #expect(await codes.take(5) == [WebSocketError.Code?](repeating: .alreadyReceiving, count: 5))
            #expect(await received.take() == .text("for the first"))
        }
    }

    @Test func `a cancelled wait throws, and another one may follow`() async throws {
        let codes = Box<WebSocketError.Code?>()
        let ends = Box<End>()
        try await withServer { socket in
            for executor in [socket.eventLoop, globalConcurrentExecutor] as [any TaskExecutor] {
                let waiting = Task(executorPreference: executor) {
                    codes.put(await errorCode { try await socket.next() })
                }
                try await until { socket.inbound.waiter != nil }
                waiting.cancel()
                await waiting.value
            }
            try await socket.send("now")
            ends.put(await Self.collect(socket))
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.send(.text("later"))
                try client.closeNormally()
            }
            #expect(await codes.take(2) == [.cancelled, .cancelled])
            #expect(await ends.take() == End(messages: ["later"], code: .normalClosure))
        }
    }

    /// On the connection's thread and on another one: the way to the loop differs.
    @Test(arguments: [true, false])
    func `a task that is cancelled already does not wait at all`(isOnLoop: Bool) async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask(executorPreference: executor) {
                    codes.put(await errorCode { try await socket.next() })
                }
            }
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose() }
            #expect(code == 1000)
            #expect(await codes.take() == .cancelled)
        }
    }

    @Test(arguments: [true, false])
    func `the cancellation of one task is not that of another one, which waits`(isOnLoop: Bool) async throws {
        let ends = Box<End>()
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            await withTaskGroup(of: Void.self) { group in
                group.addTask { ends.put(await Self.collect(socket)) }
                while socket.inbound.waiter == nil { await Task.yield() }
                group.addTask(executorPreference: executor) {
                    withUnsafeCurrentTask { $0?.cancel() }
                    codes.put(await errorCode { try await socket.next() })
                    socket.trySend("now")
                }
            }
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.send(.text("for the first"))
                try client.closeNormally()
            }
            #expect(await ends.take() == End(messages: ["for the first"], code: .normalClosure))
            #expect([.alreadyReceiving, .cancelled].contains(await codes.take()))
        }
    }

    @Test func `a task on another thread gets all messages in order`() async throws {
        let ends = Box<End>()
        try await withServer { socket in
            await Task.detached { ends.put(await Self.collect(socket)) }.value
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send((0..<2000).flatMap { Frame.text("\($0)").bytes })
                try client.closeNormally()
            }
            #expect(await ends.take()?.messages == (0..<2000).map { .text("\($0)") })
        }
    }
}

extension WebSocket {
    /// The next message, by an iterator of its own.
    @discardableResult
    func next() async throws -> Message? {
        var iterator = makeAsyncIterator()
        return try await iterator.next()
    }
}
