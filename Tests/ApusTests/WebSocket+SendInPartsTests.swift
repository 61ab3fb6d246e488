@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketSendInPartsTests {
    private struct Mistake: Error {}

    @Test func `parts are fragments of one message`() async throws {
        try await withServer { socket in
            try await socket.sendInParts(.text) { message in
                try await message.write("ge")
                try await message.write("hüpft")
            }
            try await socket.sendInParts(.binary) { _ in }
        } body: { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                let frames = try (0..<4).map { _ in try client.readFrame() }
                try client.readClose()
                return frames
            }
            #expect(frames.map(\.opcode) == [Frame.Opcode.text, 0, 0, Frame.Opcode.binary])
            #expect(frames.map(\.fin) == [false, false, true, true])
            #expect(frames[0].text + frames[1].text + frames[2].text == "gehüpft")
        }
    }

    @Test func `other messages wait behind one in parts, and pongs do not`() async throws {
        try await withServer { socket in
            let topic = Topic(name: "", loops: [socket.eventLoop], registry: nil)
            try await socket.subscribe(to: topic)
            try await socket.sendInParts(.text) { message in
                try await message.write("a")
                // The peer's ping has been answered by the time that its message has come.
                #expect(try await socket.next() == "go on")
                try await socket.send("second")
                topic.tryPublish(.text("third"))
                socket.trySend([UInt8](repeating: 4, count: 300_000))
                try await message.write("b")
            }
            try await socket.send("fifth")
        } body: { _, port in
            let (first, pong, rest) = try await onThread {
                let client = try Client.webSocket(port: port)
                let first = try client.readFrame()
                try client.send(Frame(Frame.Opcode.ping, [7]), .text("go on"))
                let pong = try client.readFrame()
                let rest = try (0..<5).map { _ in try client.readMessage() }
                try client.readClose()
                return (first, pong, rest)
            }
            #expect(first == Frame(Frame.Opcode.text, Array("a".utf8), fin: false, key: nil))
            #expect(pong == Frame(Frame.Opcode.pong, [7], key: nil))
            #expect(rest.map(\.text) == ["b", "second", "third", String(repeating: "\u{4}", count: 300_000), "fifth"])
        }
    }

    @Test func `a slow peer suspends the writer, whatever the policy`() async throws {
        let sockets = Box<WebSocket>()
        let count = 60
        try await withServer(
            .with {
                $0.maxOutboundBytes = 100_000
                $0.slowConsumerPolicy = .dropMessage
            }
        ) { socket in
            sockets.put(socket)
            try await socket.sendInParts(.binary) { message in
                for number in 0..<count {
                    try await message.write([UInt8](repeating: UInt8(number), count: 150_000))
                }
            }
        } body: { server, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            let socket = try #require(await sockets.take())
            try await until { socket.status.isFull }
            let message = try await onThread {
                let message = try client.readMessage()
                try client.readClose()
                return message.payload
            }
            let isSame = message == (0..<count).flatMap { [UInt8](repeating: UInt8($0), count: 150_000) }
            #expect(isSame)
            #expect(server.statistics.messagesDropped == 0)
        }
    }

    @Test func `a second message in parts waits for the first`() async throws {
        try await withServer { socket in
            try await withThrowingTaskGroup { group in
                for number in 0..<5 {
                    group.addTask {
                        try await socket.sendInParts(.text) { message in
                            for _ in 0..<20 { try await message.write("\(number)") }
                        }
                    }
                }
                try await group.waitForAll()
            }
        } body: { _, port in
            let texts = try await onThread {
                let client = try Client.webSocket(port: port)
                let texts = try (0..<5).map { _ in try client.readMessage().text }
                try client.readClose()
                return texts
            }
            #expect(texts.sorted() == (0..<5).map { String(repeating: "\($0)", count: 20) })
        }
    }

    /// On the connection's loop, and elsewhere.
    @Test(arguments: [true, false])
    func `a task that is cancelled while it waits for its turn gives up, and the next one has it`(
        isOnLoop: Bool
    ) async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            try await socket.sendInParts(.text) { message in
                try await message.write("first")
                let waiting = Task(executorPreference: executor) {
                    codes.put(
                        await errorCode {
                            try await socket.sendInParts(.text) { _ in Issue.record("it has no turn") }
                        })
                }
                try await until { !socket.outbound.writers.isEmpty }
                waiting.cancel()
                await waiting.value
            }
            try await socket.sendInParts(.text) { try await $0.write("second") }
        } body: { _, port in
            let texts = try await Self.readTwoTexts(port)
            #expect(texts == ["first", "second"])
            #expect(await codes.take() == .cancelled)
        }
    }

    @Test func `a task that waits for its turn when the connection ends learns that it is closed`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            try await socket.sendInParts(.text) { message in
                Task(executorPreference: socket.eventLoop) {
                    codes.put(await errorCode { try await socket.sendInParts(.text) { try await $0.write("x") } })
                }
                try await until { !socket.outbound.writers.isEmpty }
                #expect(try await socket.next() == "go on")
                socket.abort()
                throw Mistake()
            }
        } body: { _, port in
            let client = try await onThread { () -> Client in
                let client = try Client.webSocket(port: port)
                try client.send(.text("go on"))
                return client
            }
            #expect(await codes.take() == .connectionClosed)
            client.close()
        }
    }

    /// What a client hears that opens a connection, up to the Close behind two messages.
    private static func readTwoTexts(_ port: Int) async throws -> [String] {
        try await onThread {
            let client = try Client.webSocket(port: port)
            let texts = [try client.readMessage().text, try client.readMessage().text]
            try client.readClose()
            return texts
        }
    }

    @Test func `a cancelled task begins no message in parts`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let cancelled = Task(executorPreference: socket.eventLoop) {
                withUnsafeCurrentTask { $0?.cancel() }
                codes.put(
                    await errorCode {
                        try await socket.sendInParts(.text) { _ in Issue.record("it is cancelled") }
                    })
            }
            await cancelled.value
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).readClose() }
            #expect(await codes.take() == .cancelled)
        }
    }

    @Test(arguments: [true, false]) func `an error within closes with 1011 only where the message had begun`(
        hasBegun: Bool
    ) async throws {
        try await withServer { socket in
            do {
                try await socket.sendInParts(.binary) { message in
                    if hasBegun { try await message.write([1]) }
                    throw Mistake()
                }
                Issue.record("nothing was thrown")
            } catch is Mistake {}
            if !hasBegun { try await socket.send("still here") }
        } body: { _, port in
            let (frame, code) = try await onThread {
                let client = try Client.webSocket(port: port)
                return (try client.readFrame(), try client.readClose())
            }
            #expect(frame.opcode == (hasBegun ? Frame.Opcode.binary : Frame.Opcode.text))
            #expect(frame.fin == !hasBegun)
            #expect(code == (hasBegun ? 1011 : 1000))
        }
    }

    @Test func `a part of the wrong kind is an invalid argument`() async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer { socket in
            errors.put(await errorCode { try await socket.sendInParts(.text) { try await $0.write([1]) } })
            errors.put(await errorCode { try await socket.sendInParts(.binary) { try await $0.write("a") } })
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).readClose() }
            #expect(await errors.take() == .invalidArgument)
            #expect(await errors.take() == .invalidArgument)
        }
    }

    /// While there is another message in parts, and while there is none.
    @Test(arguments: [true, false])
    func `a writer that outlives its closure writes no more`(isAnotherUnderWay: Bool) async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let writers = Box<MessageWriter>()
            try await socket.sendInParts(.text) { message in
                try await message.write("first")
                writers.put(message)
            }
            guard let old = await writers.take() else { return }
            if isAnotherUnderWay {
                try await socket.sendInParts(.text) { message in
                    try await message.write("sec")
                    codes.put(await errorCode { try await old.write("late") })
                    try await message.write("ond")
                }
            } else {
                codes.put(await errorCode { try await old.write("late") })
                try await socket.send("second")
            }
        } body: { _, port in
            let texts = try await Self.readTwoTexts(port)
            #expect(texts == ["first", "second"])
            #expect(await codes.take() == .invalidArgument)
        }
    }

    @Test func `a writer learns that the peer has gone`() async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer { socket in
            errors.put(
                await errorCode {
                    try await socket.sendInParts(.binary) { message in
                        while true { try await message.write([UInt8](repeating: 0, count: 100_000)) }
                    }
                })
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                _ = try client.readFrame()
                client.close()
            }
            #expect(await errors.take() == .connectionClosed)
        }
    }

    @Test func `a task that waits for its turn learns that the peer has gone`() async throws {
        let server = try makeServer(.patient)
        let codes = Box<WebSocketError.Code?>()
        try await withServer(server) { socket in
            try await socket.sendInParts(.text) { message in
                try await message.write("first")
                let waiting = Task {
                    await errorCode { try await socket.sendInParts(.text) { try await $0.write("second") } }
                }
                try await until { !socket.outbound.writers.isEmpty }
                socket.abort()
                codes.put(await waiting.value)
            }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            #expect(await codes.take() == .connectionClosed)
            client.close()
        }
    }
}
