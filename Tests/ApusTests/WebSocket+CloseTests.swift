@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketCloseTests {
    @Test func `closing sends code and reason, and waits until the peer has answered`() async throws {
        let closed = Box<CloseCode?>()
        try await withServer { socket in
            try await socket.close(CloseCode(rawValue: 4999), reason: "Feierabend 🌙")
            closed.put(socket.closeCode)
            #expect(try await socket.next() == nil)
            try await socket.close()
        } body: { _, port in
            let close = try await onThread {
                let client = try Client.webSocket(port: port)
                let close = try client.readFrame()
                try client.send(.text("dropped"), .close(4999))
                try client.expectEnd()
                return close
            }
            #expect(close.closeCode == 4999)
            #expect(close.text == "Feierabend 🌙")
            #expect(await closed.take() == CloseCode(rawValue: 4999))
        }
    }

    @Test func `closing from another thread does the same`() async throws {
        try await withServer { socket in
            try await Task.detached {
                try await socket.send("first")
                try await socket.close(.policyViolation, reason: "no")
                #expect(await errorCode { try await socket.send("late") } == .connectionClosed)
            }.value
        } body: { _, port in
            let code = try await onThread {
                let client = try Client.webSocket(port: port)
                guard try client.readText() == "first" else { throw Client.Failure.ended }
                return try client.readClose()
            }
            #expect(code == 1008)
        }
    }

    @Test(arguments: [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16])
    func `a code that may not be sent is an invalid argument, and the connection stays open`(code: UInt16) async throws
    {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            codes.put(await errorCode { try await socket.close(CloseCode(rawValue: code)) })
            #expect(socket.closeCode == nil)
            try await echo(socket)
        } body: { _, port in
            try await expectEcho(port: port)
            #expect(await codes.take() == .invalidArgument)
        }
    }

    @Test func `the code for none sends a Close without one`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            codes.put(await errorCode { try await socket.close(.noStatus, reason: "for nothing") })
            codes.put(await errorCode { try await socket.close(.noStatus) })
        } body: { _, port in
            let close = try await onThread {
                let client = try Client.webSocket(port: port)
                let close = try client.readFrame()
                try client.send(.close())
                return close
            }
            #expect(close.opcode == Frame.Opcode.close)
            #expect(close.payload.isEmpty)
            #expect(await codes.take(2) == [.invalidArgument, nil])
        }
    }

    @Test func `a reason has at most 123 bytes`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            codes.put(await errorCode { try await socket.close(reason: String(repeating: "é", count: 62)) })
            codes.put(await errorCode { try await socket.close(reason: String(repeating: "é", count: 61) + "x") })
        } body: { _, port in
            let reason = try await onThread {
                let client = try Client.webSocket(port: port)
                let close = try client.readFrame()
                try client.send(.close())
                return close.text
            }
            #expect(reason.utf8.count == 123)
            #expect(await codes.take(2) == [.invalidArgument, nil])
        }
    }

    /// From the handler's own task, and from another thread.
    @Test(arguments: [true, false])
    func `to start closing waits for nothing`(isOnLoop: Bool) async throws {
        let gate = Gate()
        try await withServer(.with { $0.closeTimeout = .seconds(60) }) { socket in
            let executor: any TaskExecutor = isOnLoop ? socket.eventLoop : globalConcurrentExecutor
            let closing = Task(executorPreference: executor) {
                try socket.startClosing(.policyViolation, reason: "no")
                gate.open()
            }
            try await closing.value
            #expect(try await socket.next() == nil)
            #expect(socket.closeCode == .policyViolation)
            try socket.startClosing()
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            await gate.pass()
            let close = try await onThread {
                let close = try client.readFrame()
                try client.send(.text("dropped"), .close(close.closeCode))
                try client.expectEnd()
                return close
            }
            #expect(close.closeCode == 1008)
            #expect(close.text == "no")
        }
    }

    @Test func `several tasks may close at once, and all wait`() async throws {
        let count = Box<Void>()
        try await withServer { socket in
            await withTaskGroup(of: Void.self) { group in
                for _ in 1...4 {
                    group.addTask {
                        #expect(await errorCode { try await socket.close(.serviceRestart) } == nil)
                        #expect(socket.closeCode != nil)
                        count.put(())
                    }
                }
            }
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose() }
            #expect(code == 1012)
            #expect(await count.take(4).count == 4)
        }
    }

    @Test func `a close that the peer does not answer ends with the close timeout`() async throws {
        let codes = Box<CloseCode?>()
        let statistics = try await withServer(.with { $0.closeTimeout = .milliseconds(100) }) { socket in
            try await socket.close()
            codes.put(socket.closeCode)
            codes.put(await errorCode { try await socket.next() } == .timedOut ? .normalClosure : nil)
        } body: { _, port in
            _ = try await onThread { try Client.webSocket(port: port).readClose(answers: false) }
            #expect(await codes.take(2) == [.abnormalClosure, .normalClosure])
        }
        #expect(statistics.closeTimeouts == 1)
    }

    @Test func `both ends may close at the same time`() async throws {
        let gate = Gate()
        try await withServer { socket in
            await gate.pass()
            try await socket.close(.goingAway)
            #expect(socket.closeCode == CloseCode(rawValue: 4000) || socket.closeCode == .noStatus)
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            async let code = onThread {
                try client.send(.close(4000))
                return try client.readClose(answers: false)
            }
            gate.open()
            #expect([1001, 4000].contains(try await code))
        }
    }

    @Test func `an abort says nothing to the peer`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer { socket in
            let message = try await socket.next()
            #expect(message == "go")
            socket.abort()
            codes.put(await errorCode { try await socket.next() })
            codes.put(await errorCode { try await socket.send("late") })
            codes.put(await errorCode { try await socket.close() })
            #expect(socket.closeCode == .abnormalClosure)
            socket.abort()
        } body: { _, port in
            try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("go"))
                try client.expectEnd()
            }
            #expect(await codes.take(3) == [.connectionClosed, .connectionClosed, nil])
        }
    }

    @Test func `an abort ends every wait`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer(.with { $0.maxOutboundBytes = 1000 }) { socket in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { codes.put(await errorCode { try await socket.next() }) }
                group.addTask { codes.put(await errorCode { try await socket.ping() }) }
                group.addTask {
                    codes.put(
                        await errorCode {
                            while true { try await socket.send([UInt8](repeating: 0, count: 100_000)) }
                        })
                }
                while !socket.status.isFull { await Task.yield() }
                socket.abort()
            }
        } body: { _, port in
            let client = try await onThread { try Client.webSocket(port: port, receiveBuffer: 4096) }
            #expect(await codes.take(3) == [.connectionClosed, .connectionClosed, .connectionClosed])
            client.close()
        }
    }
}
