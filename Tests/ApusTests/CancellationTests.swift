@testable import Apus
import TestSupport
import Testing

/// What comes while a cancelled task no longer waits for it, and nobody else does yet.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct CancellationTests {
    @Test(arguments: [true, false])
    func `a message that comes after a cancelled wait is not lost`(isOnLoop: Bool) async throws {
        let server = try makeServer()
        let received = Box<Message?>()
        try await withServer(server) { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            let waiting = Task(executorPreference: executor) { await errorCode { try await socket.next() } }
            try await until { socket.inbound.waiter != nil }
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
            try await socket.send("now")
            try await until { server.statistics.messagesReceived == 1 }
            received.put(try await socket.next())
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "now" else { throw Client.Failure.ended }
                try client.send(.text("while nobody waited"))
                try client.readClose()
            }
            #expect(await received.take() == "while nobody waited")
        }
    }

    @Test func `content that comes after a cancelled wait is not lost`() async throws {
        let server = try makeServer()
        let (isAwaited, isCancelled) = (Gate(), Gate())
        let received = Box<Int>()
        try await withServer(
            server,
            http: { request in
                let waiting = Task { await errorCode { _ = try await request.body.collect(upTo: 100) } }
                await isAwaited.pass()
                waiting.cancel()
                #expect(await waiting.value == .cancelled)
                let before = server.statistics.bytesReceived
                isCancelled.open()
                try await until { server.statistics.bytesReceived >= before + 5 }
                received.put(try await request.body.collect(upTo: 100).count)
                return .text("")
            }
        ) { _, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Content-Length: 5", "Expect: 100-continue")
                // It comes when the content is asked for, and so awaited.
                _ = try client.read(through: Array("\r\n\r\n".utf8))
                return client
            }
            isAwaited.open()
            await isCancelled.pass()
            try await onThread {
                try client.send("hello")
                _ = try client.readAnswer()
            }
            #expect(await received.take() == 5)
        }
    }

    /// The task looks whether it is the handler's own while the handler ends.
    @Test func `the handler may return while another of its tasks begins to receive`() async throws {
        let ends = Box<WebSocketError.Code?>()
        try await withServer { socket in
            Task.detached { ends.put(await errorCode { for try await _ in socket {} }) }
            Task.detached { ends.put(await errorCode { try await socket.receive { _ in } }) }
        } body: { _, port in
            try await onThread { for _ in 0..<20 { try Client.webSocket(port: port).readClose() } }
            let codes = await ends.take(40)
            #expect(codes.allSatisfy { $0 == nil || $0 == .alreadyReceiving })
        }
    }

    @Test func `a cancelled task does not wait for a queue to drain`() async throws {
        try await withServer(.patient) { socket in
            try await fill(socket)
            let waiting = Task.detached {
                while !Task.isCancelled { await Task.yield() }
                await socket.waitForDrain()
            }
            waiting.cancel()
            await waiting.value
            socket.abort()
        } body: { server, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            try await until { server.statistics.connectionsAccepted == 1 && server.statistics.connectionsNow == 0 }
            client.close()
        }
    }

    /// What a task waits for, and what ends the wait as the connection's end does.
    enum Waiting: CaseIterable, Sendable {
        case message, part, ping, drain

        func callAsFunction(_ socket: WebSocket) async throws {
            switch self {
            case .message: _ = try await socket.next()
            case .part: for try await _ in socket.parts { break }
            case .ping: try await socket.ping()
            case .drain: await socket.waitForDrain()
            }
        }

        func hasBegun(_ socket: WebSocket) -> Bool {
            switch self {
            case .message: socket.inbound.waiter != nil
            case .part: socket.inbound.parts?.waiter != nil
            case .ping: !socket.pings.waiting.isEmpty
            case .drain: !socket.outbound.waiters.isEmpty
            }
        }

        func end(_ socket: WebSocket) {
            switch self {
            case .message: socket.endReceiving()
            case .part: socket.endParts()
            case .ping: socket.endPings()
            case .drain: socket.outboundDrained()
            }
        }
    }

    /// The continuation would be resumed twice, which ends the process or worse.
    @Test(arguments: Waiting.allCases)
    func `a cancellation that comes just behind the end of a wait ends nothing else`(waiting: Waiting) async throws {
        try await withServer(.patient) { socket in
            if waiting == .drain { try await fill(socket) }
            let task = Task.detached { try await waiting(socket) }
            try await until { waiting.hasBegun(socket) }
            waiting.end(socket)
            task.cancel()
            _ = await task.result
            for _ in 0..<3 { await Task.detached { await socket.eventLoop.run {} }.value }
            #expect(!waiting.hasBegun(socket))
            socket.abort()
        } body: { server, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            try await until { server.statistics.connectionsAccepted == 1 && server.statistics.connectionsNow == 0 }
            client.close()
        }
    }
}
