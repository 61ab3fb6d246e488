@testable import Apus
import TestSupport
import Testing

/// What a handler has accepted can be answered before the peer's Close is.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct AnswersBeforeClosingTests {
    /// Nothing here ends because time is over, unless a test says so.
    private func settings(
        _ change: (inout WebSocketServer.Configuration) -> Void = { _ in }
    ) -> WebSocketServer.Configuration {
        .with {
            $0.closeTimeout = .seconds(3600)
            $0.threads = 1
            change(&$0)
        }
    }

    /// All texts up to a Close, and its code.
    private static func readToClose(_ client: Client) throws -> (texts: [String], code: UInt16?) {
        var texts: [String] = []
        while true {
            let frame = try client.readMessage()
            if frame.opcode == Frame.Opcode.close { return (texts, frame.closeCode) }
            texts.append(frame.text)
        }
    }

    @Test(arguments: [true, false])
    func `a hundred large messages and then a Close get a hundred answers`(isPulled: Bool) async throws {
        let statistics = try await withServer(settings()) { socket in
            if isPulled { return try await echo(socket) }
            var bytes: [UInt8] = []
            for try await part in socket.parts {
                bytes += part.bytes
                guard part.isLast else { continue }
                try await socket.send(bytes)
                bytes = []
            }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            async let sent: Void = onThread {
                for number in 0..<100 { try client.send(.binary([UInt8](repeating: UInt8(number), count: 64 << 10))) }
                try client.send(.close(1000))
            }
            let (answers, code) = try await onThread {
                var answers: [UInt8] = []
                while true {
                    let frame = try client.readMessage()
                    if frame.opcode == Frame.Opcode.close { return (answers, frame.closeCode) }
                    #expect(frame.payload.count == 64 << 10)
                    answers.append(frame.payload[0])
                }
            }
            try await sent
            #expect(answers == Array(0..<100))
            #expect(code == 1000)
        }
        #expect(statistics.closeTimeouts == 0)
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a handler that is at work on the last message can answer it`() async throws {
        let (isTaken, mayAnswer) = (Gate(), Gate())
        let ends = Box<CloseCode?>()
        let server = try makeServer(settings())
        try await withServer(server) { socket in
            _ = try await socket.next()
            isTaken.open()
            await mayAnswer.pass()
            #expect(socket.closeCode == nil)
            try await socket.send("the answer")
            #expect(try await socket.next() == nil)
            ends.put(socket.closeCode)
            let code = await errorCode { try await socket.send("too late") }
            #expect(code == .connectionClosed)
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"))
                return client
            }
            await isTaken.pass()
            let before = server.statistics.bytesReceived
            // What follows a Close is not looked at (RFC 6455 §5.5.1).
            try await onThread { try client.send(.close(4000, "thanks"), .text("rubbish"), .close(1000)) }
            try await until { server.statistics.bytesReceived > before }
            mayAnswer.open()
            let (texts, code) = try await onThread { try Self.readToClose(client) }
            #expect(texts == ["the answer"])
            #expect(code == 4000)
            #expect(await ends.take() == .init(rawValue: 4000))
        }
    }

    @Test(arguments: ["return", "close", "receive"])
    func `a handler that asks for no more messages is not waited for`(end: String) async throws {
        let mayGoOn = Gate()
        let server = try makeServer(settings())
        try await withServer(server) { socket in
            _ = try await socket.next()
            await mayGoOn.pass()
            switch end {
            case "return": return
            case "close": try await socket.close(.init(rawValue: 4001))
            default: try await socket.receive { socket.trySend($0) }
            }
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"), .close(1000))
                return client
            }
            try await until { server.statistics.messagesReceived == 2 }
            mayGoOn.open()
            let (texts, code) = try await onThread { try Self.readToClose(client) }
            #expect(texts == (end == "receive" ? ["two"] : []))
            #expect(code == 1000)
        }
    }

    @Test func `a handler that has nothing to answer is not waited for`() async throws {
        let isOver = Gate()
        try await withServer(settings()) { _ in
            await isOver.pass()
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).closeNormally() }
            #expect(code == 1000)
            isOver.open()
        }
    }

    @Test func `a handler that waits for messages elsewhere is not waited for`() async throws {
        let isOver = Gate()
        try await withServer(settings()) { socket in
            Task { for try await message in socket { try await socket.send(message) } }
            await isOver.pass()
        } body: { _, port in
            let texts = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("one"), .text("two"), .close(1000))
                return try Self.readToClose(client).texts
            }
            #expect(texts == ["one", "two"])
            isOver.open()
        }
    }

    @Test func `a handler that never asks again is cut by the close timeout`() async throws {
        let ends = Box<CloseCode?>()
        let isOver = Gate()
        let statistics = try await withServer(settings { $0.closeTimeout = .milliseconds(100) }) { socket in
            _ = try await socket.next()
            await isOver.pass()
            ends.put(socket.closeCode)
        } body: { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .close(4000))
                return try client.readClose(answers: false)
            }
            #expect(code == 4000)
            isOver.open()
            #expect(await ends.take() == .init(rawValue: 4000))
        }
        #expect(statistics.closeTimeouts == 1)
    }

    @Test func `where answers are not waited for, the Close is answered at once`() async throws {
        let isOver = Gate()
        let codes = Box<WebSocketError.Code?>()
        try await withServer(settings { $0.answersBeforeClosing = false }) { socket in
            _ = try await socket.next()
            await isOver.pass()
            codes.put(await errorCode { try await socket.send("too late") })
        } body: { _, port in
            let (texts, code) = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .text("another"), .close(1000))
                return try Self.readToClose(client)
            }
            #expect(texts.isEmpty)
            #expect(code == 1000)
            isOver.open()
            #expect(await codes.take() == .connectionClosed)
        }
    }

    @Test func `a peer that has sent all it will still gets its answers`() async throws {
        let mayAnswer = Gate()
        let server = try makeServer(settings())
        let statistics = try await withServer(server) { socket in
            _ = try await socket.next()
            await mayAnswer.pass()
            try await socket.send("the answer")
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .close(1000))
                client.finish()
                return client
            }
            // A turn of the loop and more, in which it could take the peer for gone.
            try await until { server.statistics.messagesReceived == 1 }
            for _ in 0..<10 { await server.loops[0].run {} }
            mayAnswer.open()
            let (texts, code) = try await onThread { try Self.readToClose(client) }
            #expect(texts == ["the answer"])
            #expect(code == 1000)
        }
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a peer that goes before it is answered has closed all the same`() async throws {
        let (isTaken, isGone) = (Gate(), Gate())
        let ends = Box<CloseCode?>()
        let server = try makeServer(settings())
        let statistics = try await withServer(server) { socket in
            _ = try await socket.next()
            isTaken.open()
            await isGone.pass()
            // Until the socket says that nobody is there.
            while socket.trySend([UInt8](repeating: 0, count: 1000)) != .closed { await Task.yield() }
            #expect(try await socket.next() == "another")
            #expect(try await socket.next() == nil)
            ends.put(socket.closeCode)
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .text("another"), .close(1000))
                try client.reset()
            }
            await isTaken.pass()
            isGone.open()
            #expect(await ends.take() == .normalClosure)
        }
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a topic's messages go to nobody who has closed`() async throws {
        let mayAnswer = Gate()
        let server = try makeServer(settings())
        let topic = try server.topic("news")
        try await withServer(server) { socket in
            try await socket.subscribe(to: topic)
            _ = try await socket.next()
            await mayAnswer.pass()
            try await topic.publish("news")
            try await socket.send("the answer")
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .text("another"), .close(1000))
                return client
            }
            try await until { server.statistics.messagesReceived == 2 }
            mayAnswer.open()
            let texts = try await onThread { try Self.readToClose(client).texts }
            #expect(texts == ["the answer"])
        }
    }

    @Test func `a server that stops does not wait for answers, but for last words`() async throws {
        let isOver = Gate()
        let server = try makeServer(settings())
        try await withServer(server) { socket in
            socket.beforeGoingAway { try await $0.send("bye") }
            _ = try await socket.next()
            await isOver.pass()
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("a question"), .text("another"), .close(4000))
                return client
            }
            try await until { server.statistics.messagesReceived == 2 }
            server.shutDown()
            let (texts, code) = try await onThread { try Self.readToClose(client) }
            #expect(texts == ["bye"])
            #expect(code == 4000)
            isOver.open()
        }
    }

    @Test func `what is queued goes out before the answer to a Close`() async throws {
        let server = try makeServer(settings { $0.maxOutboundBytes = 64 << 20 })
        try await withServer(server) { socket in
            try await socket.receive { message in
                for _ in 0..<64 { socket.trySend(message) }
            }
        } body: { _, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port, receiveBuffer: 4096)
                try client.send(.text(String(repeating: "x", count: 200_000)), .close(1000))
                return client
            }
            try await until { server.statistics.messagesSent == 64 }
            let (texts, code) = try await onThread { try Self.readToClose(client) }
            #expect(texts.map(\.utf8.count) == [Int](repeating: 200_000, count: 64))
            #expect(code == 1000)
        }
    }
}
