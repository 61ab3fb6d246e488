@testable import Apus
import Synchronization
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketPingTests {
    /// Reads frames up to the Close, answers none, and gives their opcodes and the Close's code.
    private static func readSilently(_ client: Client) throws -> ([UInt8], UInt16?) {
        var opcodes: [UInt8] = []
        while true {
            let frame = try client.readFrame()
            opcodes.append(frame.opcode)
            if frame.opcode == Frame.Opcode.close {
                try client.expectEnd()
                return (opcodes, frame.closeCode)
            }
        }
    }

    @Test func `a peer that answers no ping is pinged twice and then ended with 1011`() async throws {
        let ends = Box<WebSocketError.Code?>()
        let closeCodes = Box<CloseCode?>()
        let statistics = try await withServer(
            .with {
                $0.pingInterval = .milliseconds(100)
            }
        ) { socket in
            ends.put(await errorCode { try await echo(socket) })
            closeCodes.put(socket.closeCode)
        } body: { _, port in
            let (opcodes, code) = try await onThread { try Self.readSilently(Client.webSocket(port: port)) }
            #expect(opcodes == [Frame.Opcode.ping, Frame.Opcode.ping, Frame.Opcode.close])
            #expect(code == 1011)
            #expect(await ends.take() == .timedOut)
            #expect(await closeCodes.take() == .abnormalClosure)
        }
        #expect(statistics.pingsSent == 2)
        #expect(statistics.pingTimeouts == 1)
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a peer that answers its pings lives on`() async throws {
        let statistics = try await withServer(
            .with {
                $0.pingInterval = .milliseconds(100)
                $0.maxMissedPings = 20  // two seconds, for a client that has to wait for a core
            }
        ) { _, port in
            let text = try await onThread {
                let client = try Client.webSocket(port: port)
                for _ in 1...22 {
                    let ping = try client.readFrame()
                    guard ping.opcode == Frame.Opcode.ping else { throw Client.Failure.malformed("no ping") }
                    try client.send(Frame(Frame.Opcode.pong, ping.payload))
                }
                try client.send(.text("alive"))
                return try client.readText()
            }
            #expect(text == "alive")
        }
        #expect(statistics.pingsSent >= 22)
        #expect(statistics.pingTimeouts == 0)
    }

    @Test(arguments: [("another payload", false), ("", false), ("data", true)])
    func `an unanswered ping is answered by its own payload, or by data`(answer: String, isLife: Bool) async throws {
        let statistics = try await withServer(
            .with {
                $0.pingInterval = .milliseconds(100)
                $0.maxMissedPings = 1
            }
        ) { _, port in
            let opcode = try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readFrame().opcode == Frame.Opcode.ping else { throw Client.Failure.ended }
                if isLife {
                    try client.send(Frame(Frame.Opcode.binary, Array(answer.utf8)))
                    guard try client.readFrame().text == answer else { throw Client.Failure.ended }
                } else {
                    try client.send(Frame(Frame.Opcode.pong, Array(answer.utf8)))
                }
                return try client.readFrame().opcode
            }
            #expect(opcode == (isLife ? Frame.Opcode.ping : Frame.Opcode.close))
        }
        #expect(statistics.pingTimeouts == (isLife ? 0 : 1))
    }

    /// However slow the machine is: nothing but the connection's life ends by time.
    @Test(arguments: [nil, Duration.milliseconds(70), .seconds(3600)])
    func `a connection as old as it may be is closed with 1001`(pingInterval: Duration?) async throws {
        let statistics = try await withServer(
            .with {
                $0.pingInterval = pingInterval
                $0.maxMissedPings = 100
                $0.maxLifetime = .milliseconds(250)
                $0.handshakeTimeout = .seconds(3600)
                $0.closeTimeout = .seconds(3600)
            }
        ) { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                var frame = try client.readFrame()
                while frame.opcode == Frame.Opcode.ping {
                    try client.send(Frame(Frame.Opcode.pong, frame.payload))
                    frame = try client.readFrame()
                }
                try client.send(.close(frame.closeCode))
                try client.expectEnd()
                return frame.closeCode
            }
            #expect(code == 1001)
        }
        #expect(statistics.lifetimesEnded == 1)
        #expect(statistics.closeTimeouts == 0)
    }

    @Test func `a peer is not silent because nobody reads what it says`() async throws {
        let gate = Gate()
        let counts = Box<Int>()
        let statistics = try await withServer(
            .with {
                $0.pingInterval = .milliseconds(100)
                $0.maxMissedPings = 1
                $0.maxInboundBytes = 1000
                $0.threads = 1
            }
        ) { socket in
            if socket.request.path == "/slow" { await gate.pass() }
            var count = 0
            let error = await errorCode { for try await _ in socket { count += 1 } }
            #expect(error == (socket.request.path == "/idle" ? .timedOut : nil))
            counts.put(count)
        } body: { server, port in
            let slow = try await onThread {
                let client = try Client.webSocket(port: port, "/slow")
                try client.send(.binary([UInt8](repeating: 1, count: 2000)))
                return client
            }
            try await until { server.statistics.readsPaused == 1 }
            // Another connection tells that the time has gone by in which a silent peer is ended.
            for _ in 1...2 {
                _ = try await onThread { try Self.readSilently(Client.webSocket(port: port, "/idle")) }
                #expect(await counts.take() == 0)
            }
            gate.open()
            try await onThread {
                try slow.send(.text("and this"))
                try slow.closeNormally()
            }
            #expect(await counts.take() == 2)
        }
        #expect(statistics.pingTimeouts == 2)
    }

    @Test func `a ping of the application tells how long the answer took`() async throws {
        let durations = Box<Duration>()
        try await withServer { socket in
            durations.put(try await socket.ping())
            durations.put(try await socket.ping())
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                for _ in 1...2 {
                    let ping = try client.readFrame()
                    guard ping.opcode == Frame.Opcode.ping else { throw Client.Failure.malformed("no ping") }
                    // A pong of its own, and one with an unknown number, answer nothing.
                    try client.send(Frame(Frame.Opcode.pong), Frame(Frame.Opcode.pong, repeatElement(0xff, count: 8)))
                    try client.send(Frame(Frame.Opcode.pong, ping.payload))
                }
                try client.readClose()
            }
            for duration in await durations.take(2) { #expect(duration > .zero) }
        }
    }

    @Test func `a pong answers all pings before its own, too`() async throws {
        let durations = Box<Duration>()
        try await withServer { socket in
            async let first = socket.ping()
            async let second = socket.ping()
            durations.put(try await first)
            durations.put(try await second)
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                _ = try client.readFrame()
                let ping = try client.readFrame()
                try client.send(Frame(Frame.Opcode.pong, ping.payload))
                try client.readClose()
            }
            #expect(await durations.take(2).count == 2)
        }
    }

    /// The first of two pings is answered, or a third one that was never sent.
    @Test(arguments: [UInt8(1), 3]) func `a pong answers no ping that came after its own, and none if it has none`(
        number: UInt8
    ) async throws {
        let codes = Box<[WebSocketError.Code?]>()
        try await withServer { socket in
            async let first = errorCode { try await socket.ping() }
            try await until { socket.pings.waiting.count == 1 }
            async let second = errorCode { try await socket.ping() }
            codes.put(await [first, second])
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                guard try [client.readFrame(), client.readFrame()].map(\.payload.last) == [1, 2] else {
                    throw Client.Failure.ended
                }
                try client.send(Frame(Frame.Opcode.pong, [UInt8](repeating: 0, count: 7) + [number]))
                try client.closeNormally()
            }
            let expected: [WebSocketError.Code?] = [number == 1 ? nil : .connectionClosed, .connectionClosed]
            #expect(await codes.take() == expected)
        }
    }

    @Test func `a ping fails with what ends the connection`() async throws {
        let errors = Box<WebSocketError.Code?>()
        try await withServer { socket in
            for _ in 1...2 { errors.put(await errorCode { try await socket.ping() }) }
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                _ = try client.readFrame()
                client.close()
            }
            #expect(await errors.take(2) == [.connectionLost, .connectionClosed])
        }
    }

    /// On the connection's loop, and elsewhere.
    @Test(arguments: [true, false])
    func `a cancelled ping ends its wait, and other pings go on`(isOnLoop: Bool) async throws {
        let codes = Box<WebSocketError.Code?>()
        let durations = Box<Duration>()
        try await withServer { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            let first = Task(executorPreference: executor) { codes.put(await errorCode { try await socket.ping() }) }
            try await until { !socket.pings.waiting.isEmpty }
            async let second = socket.ping()
            try await until { socket.pings.waiting.count == 2 }
            first.cancel()
            await first.value
            try await socket.send("cancelled")
            durations.put(try await second)
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                let pings = try [client.readFrame(), client.readFrame()]
                guard try client.readText() == "cancelled" else { throw Client.Failure.ended }
                for ping in pings { try client.send(Frame(Frame.Opcode.pong, ping.payload)) }
                try client.readClose()
            }
            #expect(await codes.take() == .cancelled)
            #expect(await durations.take() != nil)
        }
    }

    @Test func `a cancelled task sends no ping`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let cancelled = Task(executorPreference: socket.eventLoop) {
                withUnsafeCurrentTask { $0?.cancel() }
                codes.put(await errorCode { try await socket.ping() })
            }
            await cancelled.value
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose() }
            #expect(code == 1000)
            #expect(await codes.take() == .cancelled)
        }
    }

    @Test func `pings of the peer are answered, whatever the handler does`() async throws {
        let gate = Gate()
        try await withServer { _ in
            await gate.pass()
        } body: { _, port in
            let pong = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("not read"), Frame(Frame.Opcode.ping, "are you there?".utf8))
                return try client.readFrame()
            }
            #expect(pong.opcode == Frame.Opcode.pong)
            #expect(pong.text == "are you there?")
            gate.open()
        }
    }

    @Test func `a Pong with a number that no Ping had answers none`() async throws {
        let answered = Flag()
        try await withServer { socket in
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask {
                    try await socket.ping()
                    answered.value.store(true, ordering: .relaxed)
                }
                for try await _ in socket {
                    try await socket.send("\(answered.value.load(ordering: .relaxed))")
                }
            }
        } body: { _, port in
            let answers = try await onThread {
                let client = try Client.webSocket(port: port)
                let payload = try client.readFrame().payload
                // Each text is read after the Pong before it, and whoever waits for that goes on in between.
                func answer() throws -> [String] { try (0..<3).map { _ in try client.ask("?") } }
                var answers: [[String]] = []
                for wrong in [[0, 0, 0, 0, 0, 0, 0, 2], [0xff, 0, 0, 0, 0, 0, 0, 1], [1]] as [[UInt8]] {
                    try client.send(Frame(Frame.Opcode.pong, wrong))
                    answers.append(try answer())
                }
                try client.send(Frame(Frame.Opcode.pong, payload))
                answers.append([try answer().last ?? ""])
                try client.closeNormally()
                return answers
            }
            let unanswered = ["false", "false", "false"]
            #expect(answers == [unanswered, unanswered, unanswered, ["true"]])
        }
    }
}

extension Client {
    fileprivate func ask(_ text: String) throws -> String {
        try send(.text(text))
        return try readText()
    }
}

private final class Flag: Sendable {
    let value = Atomic(false)
}
