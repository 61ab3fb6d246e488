@testable import Apus
import Synchronization
import TestSupport
import Testing

/// However connections end, nothing of them is left.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct EndingTests {
    struct Ending: CustomTestStringConvertible, Sendable {
        let name: String
        var change: @Sendable (inout WebSocketServer.Configuration) -> Void = { _ in }
        let handler: WebSocketServer.Handler
        /// The peer's part; it returns once the connection has ended for it.
        let script: @Sendable (Client) throws -> Void
        var testDescription: String { name }

        /// Ends so many connections, twenty at a time.
        func play(_ count: Int, port: Int) async throws {
            try await onThread {
                for _ in 0..<(count / 20) {
                    let clients = try (0..<20).map { _ in try Client.webSocket(port: port) }
                    for client in clients {
                        try script(client)
                        client.close()
                    }
                }
            }
        }
    }

    private struct Mistake: Error {}

    private static let readAll: WebSocketServer.Handler = { socket in for try await _ in socket {} }

    static let endings = [
        Ending(name: "the peer closes", handler: readAll) { try $0.closeNormally() },
        Ending(name: "the peer closes with messages unread", handler: { _ = try await $0.next() }) {
            try $0.send(
                .text("one"), .text("two"), .binary([3], fin: false), .continuation([3], fin: true), .close(1000))
            try $0.readClose(answers: false)
        },
        Ending(
            name: "the peer closes before the last words, which name their own socket",
            handler: { socket in
                socket.beforeGoingAway { _ in try await socket.send("bye") }
                try await readAll(socket)
            }
        ) { try $0.closeNormally() },
        Ending(name: "the peer goes without a word", handler: readAll) { $0.close() },
        Ending(name: "the peer goes within a message", handler: readAll) {
            try $0.send(Frame.text("a long message").bytes.dropLast(4))
            $0.close()
        },
        Ending(name: "the peer resets", handler: readAll) { try $0.reset() },
        Ending(name: "the peer breaks the protocol", handler: readAll) {
            try $0.send(Frame(Frame.Opcode.text, key: nil))
            try $0.readClose()
        },
        Ending(name: "the handler returns", handler: { _ in }) { try $0.readClose() },
        Ending(name: "the handler throws", handler: { _ in throw Mistake() }) { try $0.readClose() },
        Ending(name: "the handler closes", handler: { try await $0.close(.goingAway, reason: "bye") }) {
            try $0.readClose()
        },
        Ending(
            name: "the handler aborts",
            handler: { socket in
                _ = try await socket.next()
                socket.abort()
            }
        ) {
            try $0.send(.text("go"))
            try $0.expectEnd()
        },
        Ending(
            name: "a closure receives",
            handler: { socket in try await socket.receive { socket.trySend($0) } }
        ) {
            try $0.send(.text("one"))
            _ = try $0.readText()
            try $0.closeNormally()
        },
        Ending(name: "a closure throws", handler: { try await $0.receive { _ in throw Mistake() } }) {
            try $0.send(.text("one"))
            try $0.readClose()
        },
        Ending(
            name: "other tasks wait for this and that",
            handler: { socket in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = await errorCode { try await socket.next() } }
                    group.addTask { _ = await errorCode { try await socket.ping() } }
                    group.addTask { _ = await errorCode { try await socket.close() } }
                }
            }
        ) { $0.close() },
        Ending(
            name: "the peer does not answer a Close", change: { $0.closeTimeout = .milliseconds(100) },
            handler: { _ in }
        ) {
            try $0.readClose(answers: false)
        },
        Ending(
            name: "the peer answers no ping",
            change: {
                $0.pingInterval = .milliseconds(100)
                $0.maxMissedPings = 0
            },
            handler: readAll
        ) { try $0.readClose(answers: false) },
        Ending(
            name: "the peer reads too slowly",
            change: {
                $0.slowConsumerPolicy = .close
                $0.maxOutboundBytes = 1000
                $0.slowConsumerLag = .milliseconds(1)
                $0.closeTimeout = .seconds(60)  // the last of them has to wait for its turn to read
            },
            handler: { socket in
                defer { isTooSlow.release() }
                while true { try await socket.send([UInt8](repeating: 0, count: 1 << 20)) }
            }
        ) {
            isTooSlow.wait()
            try $0.readClose()
        },
    ]

    /// Released for each peer that was found too slow.
    private static let isTooSlow = Blocker()

    private struct Weak: Sendable {
        weak let socket: WebSocket?
    }

    @Test(arguments: endings) func `nothing is left of 200 connections`(_ ending: Ending) async throws {
        let count = ending.name.contains("slowly") ? 20 : 200
        let sockets = Log<Weak>()
        let ended = Box<Void>()
        let server = try makeServer(.with(ending.change))
        let topic = try server.topic("lobby")
        let statistics = try await withServer(
            server,
            handler: { socket in
                sockets.append(Weak(socket: socket))
                try await socket.subscribe(to: topic)
                defer { ended.put(()) }
                try await ending.handler(socket)
            }
        ) { server, port in
            try await ending.play(count, port: port)
            _ = await ended.take(count)
            // While the server runs on.
            try await until { server.statistics.connectionsNow == 0 }
            try await until { sockets.all.allSatisfy { $0.socket == nil } }
            #expect(topic.subscriberCount == 0)
            #expect(sockets.all.count == count)
        }
        #expect(statistics.handshakesAccepted == count)
    }

    @Test func `nothing is left of 200 connections when the server stops`() async throws {
        let sockets = Log<Weak>()
        let server = try makeServer()
        let codes = Box<[UInt16?]>()
        try await withServer(
            server,
            handler: { socket in
                sockets.append(Weak(socket: socket))
                socket.beforeGoingAway { _ in try await socket.send("bye") }
                for try await _ in socket {}
            }
        ) { _, port in
            let clients = try await onThread { try (0..<200).map { _ in try Client.webSocket(port: port) } }
            Task.detached { codes.put(try await onThread { try clients.map { try $0.readClose() } }) }
        }
        #expect(await codes.take() == [UInt16?](repeating: 1001, count: 200))
        #expect(sockets.all.count == 200)
        #expect(sockets.all.allSatisfy { $0.socket == nil })
    }

    @Test func `nothing is left of 200 connections that never became a WebSocket`() async throws {
        let statistics = try await withServer(upgrade: { _ in .reject(.notFound) }) { server, port in
            try await onThread {
                for number in 0..<200 {
                    let client = try Client(port: port)
                    switch number % 5 {
                    case 0: break
                    case 1: try client.send("GET / HT")
                    case 2: try client.sendRequest()
                    case 3:
                        try client.sendHandshake()
                        _ = try client.readAnswer()
                    default:
                        try client.sendRequest()
                        _ = try client.readAnswer()
                        try client.send("rubbish\r\n\r\n")
                        _ = try client.readAnswer()
                    }
                    client.close()
                }
            }
            try await until {
                server.statistics.connectionsAccepted == 200 && server.statistics.connectionsNow == 0
            }
        }
        #expect(statistics.handshakesAccepted == 0)
    }

    @Test func `nothing is left of a server that has run, loops and topics included`() async throws {
        weak var server: WebSocketServer?
        weak var loop: EventLoop?
        weak var topic: Topic?
        do {
            let strong = try makeServer()
            server = strong
            topic = try strong.topic("lobby")
            loop = strong.loops[0]
            try await withServer(strong) { _, port in try await expectEcho(port: port) }
        }
        #expect(server == nil)
        #expect(topic == nil)
        try await until { loop == nil }
    }
}
