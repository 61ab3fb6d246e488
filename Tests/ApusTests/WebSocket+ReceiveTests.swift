@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketReceiveTests {
    private struct Enough: Error {}

    /// Receives all, and then tells what it was and how it ended.
    private static func receive(_ socket: WebSocket) async -> WebSocketMessagesTests.End {
        let messages = Log<Message>()
        var end = WebSocketMessagesTests.End()
        end.error = await errorCode {
            try await socket.receive { message in
                #expect(socket.eventLoop.isCurrent)
                messages.append(message.message)
            }
        }
        end.messages = messages.all
        end.code = socket.closeCode
        end.reason = socket.closeReason
        return end
    }

    @Test(arguments: WebSocketMessagesTests.exchanges)
    func `an echo from the closure is what was sent`(_ exchange: WebSocketMessagesTests.Exchange) async throws {
        try await withServer { socket in
            try await socket.receive { message in
                #expect(socket.trySend(message) == .sent)
            }
        } body: { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(exchange.sent.flatMap(\.bytes))
                let frames = try exchange.received.map { _ in try client.readMessage() }
                try client.closeNormally()
                return frames
            }
            #expect(frames.map(\.payload) == exchange.received.map(\.payload))
        }
    }

    @Test(arguments: WebSocketMessagesTests.peersEnds)
    func `an end comes to a receiver that waits`(_ given: WebSocketMessagesTests.PeersEnd) async throws {
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            ends.put(await Self.receive(socket))
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .binary([2]), .text("three"))
                return client
            }
            try await until { server.statistics.messagesReceived == 3 }
            try await onThread { try given.script(client) }
            #expect(await ends.take() == given.end)
        }
    }

    @Test(arguments: WebSocketMessagesTests.peersEnds)
    func `what came before an end still comes to a receiver that is late`(
        _ given: WebSocketMessagesTests.PeersEnd
    ) async throws {
        let gate = Gate()
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            await gate.pass()
            ends.put(await Self.receive(socket))
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .binary([2]), .text("three"))
                return client
            }
            try await until { server.statistics.messagesReceived == 3 }
            try await onThread {
                try given.script(client)
                client.close()
            }
            try await until { server.statistics.connectionsNow == 0 }
            gate.open()
            #expect(await ends.take() == given.end)
        }
    }

    /// The messages wait aside: nobody received when they came. The connection is open still, or its socket is gone.
    @Test(arguments: [false, true])
    func `what the closure throws ends the receiving, and the rest is left`(isGone: Bool) async throws {
        let gate = Gate()
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            await gate.pass()
            for expected in ["one", "two"] {
                do {
                    try await socket.receive { message in
                        #expect(message.message == .text(expected))
                        throw Enough()
                    }
                    Issue.record("the closure threw")
                } catch is Enough {
                }
            }
            ends.put(await Self.receive(socket))
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"), .text("three"), .text("four"), .close(1000))
                return client
            }
            try await until { server.statistics.messagesReceived == 4 }
            if isGone {
                try await onThread {
                    try client.readClose(answers: false)
                    client.close()
                }
                try await until { server.statistics.connectionsNow == 0 }
            }
            gate.open()
            #expect(await ends.take() == .init(messages: ["three", "four"], code: .normalClosure))
        }
    }

    @Test func `what the closure throws ends the receiving within one read`() async throws {
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            do {
                try await socket.receive { _ in throw Enough() }
            } catch is Enough {
                ends.put(await Self.receive(socket))
            }
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"), .text("three"), .close(1000))
                try client.readClose(answers: false)
            }
            #expect(await ends.take() == .init(messages: ["two", "three"], code: .normalClosure))
        }
    }

    @Test(arguments: [true, false])
    func `a cancelled receiving throws, and another one may follow`(isOnLoop: Bool) async throws {
        let codes = Box<WebSocketError.Code?>()
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            let receiving = Task(executorPreference: executor) { codes.put(await Self.receive(socket).error) }
            try await until { socket.inbound.receiver != nil }
            receiving.cancel()
            await receiving.value
            let cancelled = Task(executorPreference: executor) {
                withUnsafeCurrentTask { $0?.cancel() }
                codes.put(await Self.receive(socket).error)
            }
            await cancelled.value
            try await socket.send("now")
            ends.put(await Self.receive(socket))
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.send(.text("later"))
                try client.closeNormally()
            }
            #expect(await codes.take(2) == [.cancelled, .cancelled])
            #expect(await ends.take() == .init(messages: ["later"], code: .normalClosure))
        }
    }

    @Test(arguments: [true, false])
    func `the cancellation of one task is not that of another one, which receives`(isOnLoop: Bool) async throws {
        let codes = Box<WebSocketError.Code?>()
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            await withTaskGroup(of: Void.self) { group in
                group.addTask { ends.put(await Self.receive(socket)) }
                while socket.inbound.receiver == nil { await Task.yield() }
                group.addTask(executorPreference: executor) {
                    withUnsafeCurrentTask { $0?.cancel() }
                    codes.put(await Self.receive(socket).error)
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
            #expect(await ends.take() == .init(messages: ["for the first"], code: .normalClosure))
            #expect([.alreadyReceiving, .cancelled].contains(await codes.take()))
        }
    }

    @Test func `two cannot receive, nor one receive and one wait`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let receiving = Task(executorPreference: socket.eventLoop) { _ = await Self.receive(socket) }
            try await until { socket.inbound.receiver != nil }
            codes.put(await Self.receive(socket).error)
            codes.put(await errorCode { for try await _ in socket {} })
            try await socket.send("now")
            await receiving.value
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.closeNormally()
            }
            #expect(await codes.take(2) == [.alreadyReceiving, .alreadyReceiving])
        }
    }

    /// It is called no more, be what came with the message still to be read or kept aside, as for one who is late.
    @Test(arguments: [true, false], [true, false])
    func `the closure may close with a code of its own`(isOnLoop: Bool, isLate: Bool) async throws {
        let gate = Gate()
        let ends = Box<WebSocketMessagesTests.End>()
        try await withServer(.with { $0.closeTimeout = .seconds(60) }) { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            if isLate { await gate.pass() }
            let receiving = Task(executorPreference: executor) {
                let messages = Log<Message>()
                try await socket.receive { message in
                    messages.append(message.message)
                    try socket.startClosing(CloseCode(rawValue: 4001), reason: "enough 🌙")
                    #expect(socket.trySend("late") == .closed)
                    try socket.startClosing(.goingAway)
                }
                ends.put(.init(messages: messages.all, code: socket.closeCode, reason: socket.closeReason))
            }
            try await receiving.value
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"))
                return client
            }
            if isLate {
                try await until { server.statistics.messagesReceived == 2 }
                gate.open()
            }
            let close = try await onThread {
                let close = try client.readFrame()
                try client.send(.text("three"), .close(close.closeCode))
                try client.expectEnd()
                return close
            }
            #expect(close.closeCode == 4001)
            #expect(close.text == "enough 🌙")
            #expect(await ends.take() == .init(messages: ["one"], code: CloseCode(rawValue: 4001)))
        }
    }

    @Test func `a code that may not be sent is an error in the closure, and nothing is closed`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            try await socket.receive { message in
                do {
                    try socket.startClosing(.abnormalClosure)
                } catch {
                    codes.put(error.webSocketCode)
                }
                socket.trySend(message)
            }
        } body: { _, port in
            try await expectEcho(port: port)
            #expect(await codes.take() == .invalidArgument)
        }
    }

    @Test func `the closure may drop the connection`() async throws {
        let ends = Box<WebSocketError.Code?>()
        try await withServer { socket in
            ends.put(await errorCode { try await socket.receive { _ in socket.abort() } })
        } body: { _, port in
            await #expect(throws: Client.Failure.self) {
                try await onThread {
                    let client = try Client.webSocket(port: port)
                    try client.send(.text("one"), .text("two"))
                    _ = try client.readFrame()
                }
            }
            #expect(await ends.take() == .connectionClosed)
        }
    }
}
