@testable import Apus
import TestSupport
import Testing

private struct Mistake: Error {}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketFarewellTests {
    /// Stops a server while one client reads, and gives the frames that it gets.
    private func framesAtStop(
        _ change: (inout WebSocketServer.Configuration) -> Void = { _ in }, handler: @escaping WebSocketServer.Handler
    ) async throws -> [Frame] {
        let frames = Box<[Frame]>()
        try await withServer(.with(change), handler: handler) { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("ready"))
                _ = try client.readText()
                return client
            }
            server.shutDown()
            frames.put(
                try await onThread {
                    var frames = [try client.readFrame()]
                    while let last = frames.last, last.opcode != Frame.Opcode.close {
                        frames.append(try client.readFrame())
                    }
                    try client.send(.close(frames.last?.closeCode))
                    try client.expectEnd()
                    return frames
                })
        }
        return try #require(await frames.take())
    }

    @Test func `the last words may be many messages, and take their time`() async throws {
        let frames = try await framesAtStop {
            $0.maxOutboundBytes = 1000
        } handler: { socket in
            socket.beforeGoingAway { socket in
                for number in 0..<20 {
                    await Task.yield()
                    try await socket.send("\(number)\(String(repeating: ".", count: 900))")
                }
            }
            try await echo(socket)
        }
        #expect(frames.dropLast().map { $0.text.prefix { $0 != "." } } == (0..<20).map { "\($0)" })
        #expect(frames.last?.closeCode == 1001)
    }

    @Test func `the last words may be a Close of their own`() async throws {
        let frames = try await framesAtStop { socket in
            socket.beforeGoingAway { try await $0.close(.init(rawValue: 4321), reason: "moved") }
            try await echo(socket)
        }
        #expect(frames.map(\.closeCode) == [4321])
    }

    @Test func `last words that fail are followed by the Close`() async throws {
        let frames = try await framesAtStop { socket in
            socket.beforeGoingAway { socket in
                socket.trySend("half of")
                throw Mistake()
            }
            try await echo(socket)
        }
        #expect(frames.dropLast().map(\.text) == ["half of"])
        #expect(frames.last?.closeCode == 1001)
    }

    @Test func `a closure that comes later replaces one that came before`() async throws {
        let frames = try await framesAtStop { socket in
            socket.beforeGoingAway { $0.trySend("the first") }
            socket.beforeGoingAway { $0.trySend("the second") }
            try await echo(socket)
        }
        #expect(frames.dropLast().map(\.text) == ["the second"])
    }

    @Test func `last words without an end are cut by the stop deadline, and waited for`() async throws {
        let cancelled = Box<Bool>()
        try await withServer(.with { $0.stopDeadline = .milliseconds(100) }) { socket in
            socket.beforeGoingAway { _ in
                await Gate().pass()
                cancelled.put(Task.isCancelled)
            }
            try await echo(socket)
        } body: { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.send(.text("ready"))
                _ = try client.readText()
                return client
            }
            server.shutDown()
            try await onThread { try client.expectEnd() }
        }
        cancelled.close()
        #expect(await cancelled.take() == true)
    }

    @Test func `there are no last words where the handler returns, throws, or the peer closes`() async throws {
        let texts = try await withLastWords { port in
            try await onThread {
                try ["return", "throw", "wait"].map { text in
                    let client = try Client.webSocket(port: port)
                    try client.send(.text(text))
                    if text == "wait" { try client.send(.close(1000)) }
                    return try client.readFrame().closeCode
                }
            }
        }
        #expect(texts == [1000, 1011, 1000])
    }

    private func withLastWords<T>(_ body: (Int) async throws -> T) async throws -> T {
        var result: T?
        try await withServer { socket in
            socket.beforeGoingAway { _ in Issue.record("nobody goes away") }
            switch try await socket.next() {
            case "return": return
            case "throw": throw Mistake()
            default: _ = try await socket.next()
            }
        } body: { server, port in
            result = try await body(port)
            try await until { server.statistics.connectionsNow == 0 }
        }
        return try #require(result)
    }

    @Test func `a closure that comes when the connection is closing is not called`() async throws {
        let late = Gate()
        try await withServer { socket in
            for try await _ in socket {}
            socket.beforeGoingAway { _ in Issue.record("it is closed already") }
            late.open()
        } body: { _, port in
            try await onThread { _ = try Client.webSocket(port: port).closeNormally() }
            await late.pass()
        }
    }

    @Test func `a client says its last words when its task is cancelled`() async throws {
        let received = Box<Message?>()
        let isOpen = Gate()
        try await withServer { socket in
            received.put(try await socket.next())
            #expect(try await socket.next() == nil)
            #expect(socket.closeCode == .goingAway)
        } body: { _, port in
            let task = Task {
                try await connect(port: port) { socket in
                    socket.beforeGoingAway { try await $0.send("bye") }
                    isOpen.open()
                    for try await _ in socket {}
                }
            }
            await isOpen.pass()
            task.cancel()
            try await task.value
            #expect(await received.take() == "bye")
        }
    }

    @Test func `a client whose handler ends by the cancellation says its last words, too`() async throws {
        let received = Box<Message?>()
        let isOpen = Gate()
        try await withServer { socket in
            received.put(try await socket.next())
        } body: { _, port in
            let task = Task {
                try await connect(port: port) { socket in
                    socket.beforeGoingAway { try await $0.send("bye") }
                    isOpen.open()
                    await Gate().pass()
                }
            }
            await isOpen.pass()
            task.cancel()
            try await task.value
            #expect(await received.take() == "bye")
        }
    }

    @Test func `a handler that returns while the last words are said cuts none of them`() async throws {
        let (begun, mayEnd) = (Gate(), Gate())
        let frames = try await framesAtStop { socket in
            socket.beforeGoingAway { socket in
                begun.open()
                await mayEnd.pass(evenIfCancelled: true)
                try await socket.send("the last")
            }
            try await socket.send(try #require(try await socket.next()))
            await begun.pass(evenIfCancelled: true)
            // Behind what comes of our return.
            Task.detached {
                for _ in 0..<3 { await Task.detached { await socket.eventLoop.run {} }.value }
                mayEnd.open()
            }
        }
        #expect(frames.dropLast().map(\.text) == ["the last"])
        #expect(frames.last?.closeCode == 1001)
    }

    @Test func `last words of a cancelled client that have no end are cut`() async throws {
        let isOpen = Gate()
        let codes = Box<CloseCode?>()
        try await withServer(.patient) { socket in
            for try await _ in socket {}
            codes.put(socket.closeCode)
        } body: { _, port in
            let task = Task {
                try await connect(port: port) { socket in
                    socket.beforeGoingAway { _ in await Gate().pass() }
                    isOpen.open()
                    for try await _ in socket {}
                }
            }
            await isOpen.pass()
            task.cancel()
            try await task.value
            #expect(await codes.take() == .goingAway)
        }
    }
}
