import Apus
import Logging
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// What requests, WebSockets and timers do to a session beside its machine.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct EngineSessionTests {
    /// Pings that do not come while a test runs.
    private static var quiet: SocketIOServer.Configuration {
        var configuration = SocketIOServer.Configuration()
        configuration.pingInterval = .seconds(3600)
        return configuration
    }

    /// The session of the only client, when it is as `condition` says.
    private static func session(
        _ io: SocketIOServer, _ condition: (EngineSession.State) -> Bool = { _ in true }
    ) async throws -> EngineSession {
        try await until { io.root.sockets.count == 1 }
        let session = try #require(io.root.sockets.values.first).client.session
        try await until { session.state.withLock { condition($0) } }
        return session
    }

    // Polling

    @Test func `a client whose poll is lost has gone, and no ping has to say so`() async throws {
        let reasons = Reasons()
        try await withSocketIO(Self.quiet) { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let poller = try await onThread { try Poller(port: port) }
            try await onThread { try poller.startPoll() }
            _ = try await Self.session(io) { $0.poll != nil }
            try await onThread { try poller.connection.reset() }
            try await until { reasons.all == [.transportClose] && io.clientCount == 0 }
        }
    }

    @Test func `the departure of a poll that was answered ends no later one`() async throws {
        try await withSocketIO(Self.quiet) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            try await onThread { try poller.startPoll() }
            let session = try await Self.session(io) { $0.poll != nil }
            let number = try #require(session.state.withLock { $0.poll?.number })
            session.pollGone(number - 1)
            #expect(session.isOpen)
            session.post(["4x"])
            #expect(try await onThread { try poller.finishPoll() } == ["4x"])
            poller.connection.close()
        }
    }

    @Test func `who is cancelled while a client does not poll waits no longer`() async throws {
        var configuration = Self.quiet
        configuration.maxQueuedBytes = 1000
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let session = try await Self.session(io)
            let text = Message.text("4" + String(repeating: "x", count: 900))
            try await session.send([text])
            let sending = Task { try await session.send([text]) }
            let other = Task { try await session.send(["4other"]) }
            try await until { session.state.withLock { $0.senders.count == 2 } }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            // And wakes nobody else.
            #expect(session.state.withLock { $0.senders.count } == 1)
            let late = Task {
                while !Task.isCancelled { await Task.yield() }
                try await session.send([text])
            }
            late.cancel()
            await #expect(throws: CancellationError.self) { try await late.value }
            #expect(try await onThread { try poller.poll() } == [String(repeating: "x", count: 900)].map { "4" + $0 })
            try await other.value
            #expect(try await onThread { try poller.poll() } == ["4other"])
            poller.connection.close()
        }
    }

    // Upgrades

    @Test func `a probe that goes leaves its place to another one`() async throws {
        try await withSocketIO(Self.quiet) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let first = try await onThread { try poller.probe(port: port) }
            let session = try await Self.session(io) { $0.probe != nil }
            try await onThread { try first.reset() }
            try await until { session.state.withLock { $0.probe == nil } }
            let second = try await onThread { try poller.probe(port: port) }
            try await onThread { try second.send(.text("5"), .text("42[\"x\"]")) }
            try await until { session.webSocket != nil }
            second.close()
        }
    }

    @Test func `a WebSocket that never probes is closed in its time, and the session goes on by polling`() async throws
    {
        var configuration = Self.quiet
        configuration.upgradeTimeout = .milliseconds(1)
        try await withSocketIO(configuration) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let session = try await Self.session(io)
            try await onThread {
                let target = "/socket.io/?EIO=4&transport=websocket&sid=\(poller.sid)"
                let webSocket = try TestSupport.Client.webSocket(port: port, target)
                #expect(try webSocket.readClose() == 1000)
            }
            session.post(["4x"])
            #expect(try await onThread { try poller.poll() } == ["4x"])
            poller.connection.close()
        }
    }

    @Test func `a poll that is held in an upgrade gets a noop soon, and is refused where the upgrade comes first`()
        async throws
    {
        try await withSocketIO(Self.quiet) { io, port in
            let poller = try await onThread { try Poller(port: port) }
            let probe = try await onThread { () -> TestSupport.Client in
                let probe = try poller.probe(port: port)
                #expect(try poller.poll() == ["6"])
                return probe
            }
            let session = try await Self.session(io)
            // Its time must not be over before the upgrade has come, so none goes by.
            session.engine.timers.close()
            try await onThread { try poller.startPoll() }
            try await until { session.state.withLock { $0.poll != nil } }
            try await onThread {
                try probe.send(.text("5"))
                #expect(try poller.connection.readAnswer().status == 400)
            }
            try await until { session.webSocket != nil }
            probe.close()
        }
    }

    // WebSockets

    @Test(
        arguments: [
            (nil, .transportClose), ([0x83, 0x80, 0, 0, 0, 0], .transportError),
        ] as [([UInt8]?, DisconnectReason)])
    func `a WebSocket that is lost is another end than one that breaks the protocol`(
        last: [UInt8]?, reason: DisconnectReason
    ) async throws {
        let reasons = Reasons()
        try await withSocketIO(Self.quiet) { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let client = try await onThread { try joined(port: port) }
            _ = try await Self.session(io)
            try await onThread { if let last { try client.send(last) } else { try client.reset() } }
            try await until { reasons.all == [reason] }
            client.close()
        }
    }

    @Test func `what may be lost is dropped while a WebSocket has something queued, by whichever way it goes`()
        async throws
    {
        var settings = WebSocketServer.Configuration(port: 0)
        settings.maxOutboundBytes = 64 << 20
        try await withSocketIO(Self.quiet, settings: settings) { io, port in
            let client = try await slowWebSocket(port: port)
            let session = try await Self.session(io)
            let socket = try #require(io.root.sockets.values.first)
            let webSocket = try #require(session.webSocket)
            // More than the system keeps for both sides.
            let text = Message.text("42[\"" + String(repeating: "x", count: 1 << 20) + "\"]")
            for _ in 0..<12 { session.post([text]) }
            #expect(await webSocket.eventLoop.run { webSocket.queuedBytes } > 0)
            try await socket.volatile.emit("lost")
            try await io.root.volatile.emit("lost")
            session.post(["4end"])
            let heard = try await onThread { () -> [String] in
                var heard: [String] = []
                while heard.last != "4end" { heard.append(String(try client.readMessage().text.prefix(8))) }
                return heard
            }
            #expect(heard.count == 13 && !heard.contains { $0.contains("lost") })
            client.close()
        }
    }

    // What the application gets

    /// Closes its session at the first message.
    private final class Closing: EngineApplication {
        private let session: EngineSession
        private let calls = Mutex<[String]>([])

        init(_ session: EngineSession) { self.session = session }

        var all: [String] { calls.withLock { $0 } }

        func received(_ message: Message) {
            calls.withLock { $0.append("\(message)") }
            session.close()
        }

        func upgraded(to webSocket: WebSocket) {}
        func pongIsDue(_ isDue: Bool) {}
        func ended(_ reason: EngineEnd) { calls.withLock { $0.append(reason.rawValue) } }
        func waitForRoom() async {}
    }

    @Test func `what comes of a message comes behind those that came together with it`() async throws {
        let applications = Mutex<[Closing]>([])
        var settings = WebSocketServer.Configuration(port: 0)
        settings.threads = 1
        settings.shutdownSignals = []
        let server = try WebSocketServer(
            configuration: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var configuration = EngineConfiguration()
        configuration.path = "/socket.io/"
        let engine = EngineServer(on: server, configuration: configuration) { session in
            let application = Closing(session)
            applications.withLock { $0.append(application) }
            return application
        }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        async let serving: Void = server.run(
            onListening: { port.yield($0.port) }, http: { try await engine.response(to: $0) }, handler: { _ in })
        for await port in ports {
            try await onThread {
                let poller = try Poller(port: port, namespace: nil)
                #expect(try poller.post("4a", "4b").status == 200)
                poller.connection.close()
            }
            break
        }
        engine.close(.serverShuttingDown)
        server.shutDown()
        try await serving
        #expect(applications.withLock { $0.map(\.all) } == [[#"text("a")"#, #"text("b")"#, "forced close"]])
    }
}
