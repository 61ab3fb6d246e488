@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketSendTests {
    /// What the kernel holds for a peer that reads nothing is some megabytes; this is more.
    private static let manyBytes = 32 << 20

    /// A binary message that says which one it is.
    private static func message(_ number: Int, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(number & 0xff), count: count)
        withUnsafeBytes(of: UInt32(number).bigEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        return bytes
    }

    /// Reads messages up to the Close; gives their numbers and the Close's code.
    private static func readNumbers(_ client: Client) throws -> (numbers: [Int], code: UInt16?) {
        var numbers: [Int] = []
        while true {
            let frame = try client.readMessage()
            if frame.opcode == Frame.Opcode.close {
                try client.send(.close(frame.closeCode))
                client.finish()
                try client.expectEnd()
                return (numbers, frame.closeCode)
            }
            numbers.append(frame.payload.prefix(4).reduce(0) { $0 << 8 | Int($1) })
        }
    }

    /// Sizes by the limit of 100,000 bytes: much smaller, nearly half, more than half, nearly all, and beyond it.
    @Test(arguments: [1000, 49_000, 60_000, 99_000, 250_000])
    func `a sender waits while the queue is full, and nothing is lost`(size: Int) async throws {
        let limit = 100_000
        let count = Self.manyBytes / size
        let sockets = Box<WebSocket>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = limit
                $0.threads = 1
            }
        ) { socket in
            sockets.put(socket)
            for number in 0..<count { try await socket.send(Self.message(number, count: size)) }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let socket = try #require(await sockets.take())
            try await until { socket.status.isFull }
            let queued = await socket.eventLoop.run { socket.handle?.outboundBytes ?? 0 }
            #expect(queued > 0)
            #expect(queued <= limit + size + 14)
            let (numbers, code) = try await onThread { try Self.readNumbers(client) }
            #expect(numbers == Array(0..<count))
            #expect(code == 1000)
            let isFull = socket.status.isFull
            #expect(!isFull)
        }
    }

    @Test func `senders on other threads wait as well, each in its own order`() async throws {
        let count = 400
        try await withServer(
            .with {
                $0.maxOutboundBytes = 50_000
                $0.threads = 1
            }
        ) { socket in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 0..<4 {
                    // A preference for the common pool: not the connection's thread.
                    group.addTask(executorPreference: globalConcurrentExecutor) {
                        for number in 0..<count {
                            try await socket.send(Self.message(sender << 16 | number, count: 20_000))
                        }
                    }
                }
                try await group.waitForAll()
            }
        } body: { _, port in
            let (numbers, _) = try await onThread {
                try Self.readNumbers(Client.webSocket(port: port, receiveBuffer: 4096))
            }
            #expect(numbers.count == 4 * count)
            for sender in 0..<4 {
                #expect(numbers.filter { $0 >> 16 == sender } == (0..<count).map { sender << 16 | $0 })
            }
        }
    }

    @Test func `a task that is cancelled while it waits to send gives up`() async throws {
        let sockets = Box<WebSocket>()
        let codes = Box<WebSocketError.Code?>()
        try await withServer(
            .with {
                $0.maxOutboundBytes = 10_000
                $0.threads = 1
                $0.stopDeadline = .milliseconds(100)
            }
        ) { socket in
            let sender = Task.detached {
                codes.put(
                    await errorCode {
                        for number in 0... { try await socket.send(Self.message(number, count: 10_000)) }
                    })
            }
            sockets.put(socket)
            for try await _ in socket { sender.cancel() }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let socket = try #require(await sockets.take())
            try await until { socket.status.isFull }
            try await onThread { try client.send(.text("cancel")) }
            #expect(await codes.take() == .cancelled)
        }
    }

    /// The code of the error that `body` throws in a task that is cancelled from the start.
    private static func errorCodeWhenCancelled(
        _ socket: WebSocket, isOnLoop: Bool, _ body: @escaping @Sendable () async throws -> Void
    ) async -> WebSocketError.Code? {
        let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
        return await withTaskGroup(of: WebSocketError.Code?.self) { group in
            group.cancelAll()
            group.addTask(executorPreference: executor) { await errorCode(body) }
            return await group.next() ?? nil
        }
    }

    /// On the connection's thread and on another one: the way to the loop differs, what comes of it does not.
    @Test(arguments: [true, false])
    func `a cancelled task sends what can be sent at once`(isOnLoop: Bool) async throws {
        try await withServer { socket in
            let code = await Self.errorCodeWhenCancelled(socket, isOnLoop: isOnLoop) {
                try await socket.send("just in time")
                try await socket.send([1])
                try await socket.send(Message.text("and another"))
            }
            #expect(code == nil)
        } body: { _, port in
            let texts = try await onThread {
                let client = try Client.webSocket(port: port)
                let texts = try [client.readText(), String(client.readFrame().payload[0]), client.readText()]
                try client.readClose()
                return texts
            }
            #expect(texts == ["just in time", "1", "and another"])
        }
    }

    @Test(arguments: [true, false])
    func `a cancelled task does not wait to send`(isOnLoop: Bool) async throws {
        let isDone = Gate()
        var configuration = WebSocketServer.Configuration()
        configuration.maxOutboundBytes = 1000
        configuration.closeTimeout = .milliseconds(100)
        try await WebSocketPair.run(configuration: configuration, clientConfiguration: .init(), eventLoop: nil) {
            socket in
            try await fill(socket)
            let code = await Self.errorCodeWhenCancelled(socket, isOnLoop: isOnLoop) {
                try await socket.send("too late")
            }
            #expect(code == .cancelled)
            isDone.open()
        } client: { _ in
            await isDone.pass()
        }
    }

    /// A message may have been refused, and all others have left before anybody asks to hear of that.
    @Test(arguments: [true, false])
    func `nobody waits for an empty queue to drain`(isOnLoop: Bool) async throws {
        try await WebSocketPair.run(configuration: .init(), clientConfiguration: .init(), eventLoop: nil) { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            await withTaskExecutorPreference(executor) { await socket.waitForDrain() }
            try await socket.send("done")
        } client: { socket in
            try await socket.expectNext("done")
        }
    }

    @Test func `whoever waits to send is told when the connection ends`() async throws {
        let isFull = Gate()
        var configuration = WebSocketServer.Configuration()
        configuration.maxOutboundBytes = 1000
        try await WebSocketPair.run(configuration: configuration, clientConfiguration: .init(), eventLoop: nil) {
            socket in
            try await fill(socket)
            async let codes = withTaskGroup(of: WebSocketError.Code?.self) { group in
                for _ in 0..<3 { group.addTask { await errorCode { try await socket.send("stuck") } } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            try await until { socket.outbound.waiters.count == 3 }
            isFull.open()
            #expect(await codes == [.connectionClosed, .connectionClosed, .connectionClosed])
        } client: { socket in
            await isFull.pass()
            socket.abort()
        }
    }

    @Test func `by the policy close, a peer that makes a sender wait too long is closed with 1013`() async throws {
        let codes = Box<WebSocketError.Code?>()
        let statistics = try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
                $0.slowConsumerPolicy = .close
                $0.slowConsumerLag = .milliseconds(1)
            }
        ) { socket in
            guard socket.request.path == "/flood" else { return try await echo(socket) }
            codes.put(
                await errorCode {
                    for number in 0... { try await socket.send(Self.message(number, count: 50_000)) }
                })
        } body: { server, port in
            let client = try await onThread { try Client.webSocket(port: port, "/flood", receiveBuffer: 4096) }
            #expect(await codes.take() == .slowConsumer)
            let (numbers, code) = try await onThread { try Self.readNumbers(client) }
            #expect(code == 1013)
            #expect(numbers == Array(0..<numbers.count))
            #expect(server.statistics.messagesSent >= numbers.count)  // what waited was dropped
            try await expectEcho(port: port)
        }
        #expect(statistics.slowConsumersClosed == 1)
        #expect(statistics.messagesDropped == 0)
    }

    @Test func `by the policy dropMessage, a message that does not fit is dropped and counted`() async throws {
        let count = 600
        let gate = Gate()
        let statistics = try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
                $0.slowConsumerPolicy = .dropMessage
            }
        ) { socket in
            guard socket.request.path == "/flood" else { return try await echo(socket) }
            for number in 0..<count { try await socket.send(Self.message(number, count: 50_000)) }
            gate.open()
        } body: { server, port in
            let client = try await onThread { try Client.webSocket(port: port, "/flood", receiveBuffer: 4096) }
            await gate.pass()
            let dropped = server.statistics.messagesDropped
            #expect(dropped > 0)
            let (numbers, code) = try await onThread { try Self.readNumbers(client) }
            #expect(code == 1000)
            #expect(numbers.count == count - dropped)
            #expect(numbers == numbers.sorted())
            try await expectEcho(port: port)
        }
        #expect(statistics.slowConsumersClosed == 0)
    }

    /// Small messages, which are gathered, and large ones, which go to the socket at once.
    @Test(arguments: [10, 200_000], [true, false])
    func `a sender that never waits learns that its peer has gone`(size: Int, isTrying: Bool) async throws {
        let isReset = Blocker()
        let results = Box<WebSocketError.Code?>()
        try await withServer { socket in
            _ = try await socket.next()
            // The loop stands still until the peer has gone: only sending can tell.
            isReset.wait()
            let message = [UInt8](repeating: 0, count: size)
            if isTrying {
                while socket.trySend(message) == .sent {}
                results.put(.connectionClosed)
            } else {
                results.put(await errorCode { while true { try await socket.send(message) } })
            }
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("go"))
                try client.reset()
                isReset.release()
            }
            #expect(await results.take() == .connectionClosed)
        }
    }

    @Test func `what is sent on a closed connection is refused`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            for try await _ in socket {}
            for message in [Message.text("late"), .binary([1])] {
                codes.put(await errorCode { try await socket.send(message) })
            }
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).closeNormally() }
            #expect(await codes.take(2) == [.connectionClosed, .connectionClosed])
        }
    }
}
