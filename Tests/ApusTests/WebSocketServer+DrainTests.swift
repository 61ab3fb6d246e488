@testable import Apus
import Glibc
import ServiceLifecycle
import TestSupport
import Testing

/// One after the other: a signal stops every server of the process that waits for it.
@Suite(.serialized, .withPeers, .timeLimit(.minutes(5)))
struct WebSocketServerDrainTests {
    /// How a running server is told to stop.
    enum Way: CaseIterable {
        case signal, serviceGroup, shutDown, cancellation
        /// Those after which a server waits before it stops.
        static let graceful = [Way.signal, .serviceGroup, .shutDown]
    }

    /// A server that is told to stop by `body`, and its port; `run` has returned when this does.
    private func withRunningServer<T>(
        _ way: Way, _ server: WebSocketServer, http: (@Sendable (Request) async throws -> Response)? = nil,
        handler: @escaping WebSocketServer.Handler, body: (Int, @escaping @Sendable () async -> Void) async throws -> T
    ) async throws -> T {
        let addresses = Box<SocketAddress>()
        let answer = http ?? { _ in .notFound }
        let service = server.service(onListening: { addresses.put($0) }, http: answer, handler: handler)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: service)], gracefulShutdownSignals: way == .signal ? [.sigusr1] : [],
                logger: .silent))
        let running = Task { try await group.run() }
        let port = try #require(await addresses.take()).port
        let result = try await body(port) {
            switch way {
            case .signal: kill(getpid(), SIGUSR1)
            case .serviceGroup: await group.triggerGracefulShutdown()
            case .shutDown: server.shutDown()
            case .cancellation: running.cancel()
            }
        }
        _ = await running.result
        return result
    }

    @Test(arguments: Way.graceful)
    func `a server drains before it stops: health fails, while all connections go on`(way: Way) async throws {
        let (waits, gate) = (Box<Duration>(), Gate())
        let configuration = WebSocketServer.Configuration.with { $0.drainDelay = .seconds(3600) }
        let server = try WebSocketServer(configuration, .silent) {
            waits.put($0)
            await gate.pass()
        }
        try await withRunningServer(
            way, server, http: { _ in Response(status: server.isDraining ? .serviceUnavailable : .ok) }, handler: echo
        ) { port, stop in
            let health: @Sendable () throws -> Int = {
                let client = try Client(port: port)
                try client.sendRequest()
                return try client.readAnswer().status
            }
            let client = try await onThread { try Client.webSocket(port: port) }
            #expect(!server.isDraining)
            let before = try await onThread(health)
            #expect(before == 200)
            await stop()
            #expect(await waits.take() == .seconds(3600))
            #expect(server.isDraining)
            let meanwhile = try await onThread(health)
            #expect(meanwhile == 503)
            try await expectEcho(port: port)
            try await onThread {
                try client.send(.text("as before"))
                guard try client.readText() == "as before" else { throw Client.Failure.ended }
            }
            gate.open()
            let code = try await onThread { try client.readClose() }
            #expect(code == 1001)
        }
        #expect(server.statistics.connectionsNow == 0)
        #expect(server.isDraining)
    }

    @Test func `a cancellation ends the delay`() async throws {
        let waits = Box<Duration>()
        let configuration = WebSocketServer.Configuration.with { $0.drainDelay = .seconds(3600) }
        let server = try WebSocketServer(configuration, .silent) {
            waits.put($0)
            try await Task.sleep(for: $0)
        }
        try await withRunningServer(.cancellation, server, handler: echo) { port, stop in
            let client = try await onThread { try Client.webSocket(port: port) }
            server.shutDown()
            #expect(await waits.take() == .seconds(3600))
            await stop()
            let code = try await onThread { try client.readClose() }
            #expect(code == 1001)
        }
        #expect(server.isDraining)
    }

    @Test func `a server that was shut down before it runs stops at once`() async throws {
        let server = try makeServer()
        server.shutDown()
        try await server.run(handler: echo)
        #expect(server.statistics.connectionsAccepted == 0)
    }

    @Test(arguments: [Way.signal, .serviceGroup])
    func `what a handler sends in a closure for the graceful shutdown arrives before the Close`(way: Way) async throws {
        let server = try makeServer()
        let texts = try await withRunningServer(way, server) { socket in
            try await withGracefulShutdownHandler {
                try await echo(socket)
            } onGracefulShutdown: {
                socket.trySend("bye")
            }
        } body: { port, stop in
            try await Self.lastTexts(of: 20, port: port, stop: stop)
        }
        #expect(texts == [String](repeating: "bye 1001 ", count: 20))
    }

    @Test func `what a handler sends in a closure for its cancellation arrives before the Close`() async throws {
        let server = try makeServer()
        let texts = try await withRunningServer(.cancellation, server) { socket in
            try await withTaskCancellationHandler {
                try await echo(socket)
            } onCancel: {
                socket.trySend("bye")
            }
        } body: { port, stop in
            try await Self.lastTexts(of: 20, port: port, stop: stop)
        }
        #expect(texts == [String](repeating: "bye 1001 ", count: 20))
    }

    @Test(arguments: Way.allCases, [true, false])
    func `the last words arrive before the Close, which has the server's own code and reason`(
        way: Way, isPulled: Bool
    ) async throws {
        let server = try makeServer(
            .with {
                $0.stopCode = .serviceRestart
                $0.stopReason = "back soon"
            })
        let texts = try await withRunningServer(way, server) { socket in
            socket.beforeGoingAway { socket in try await socket.send("bye") }
            if isPulled { return try await echo(socket) }
            try await socket.receive { socket.trySend($0) }
        } body: { port, stop in
            try await Self.lastTexts(of: 20, port: port, stop: stop)
        }
        #expect(texts == [String](repeating: "bye 1012 back soon", count: 20))
    }

    @Test func `a handler that returns while the server drains closes with its code`() async throws {
        let (waits, gate) = (Box<Duration>(), Gate())
        let configuration = WebSocketServer.Configuration.with {
            $0.drainDelay = .seconds(3600)
            $0.stopCode = .serviceRestart
        }
        let server = try WebSocketServer(configuration, .silent) {
            waits.put($0)
            await gate.pass()
        }
        try await withRunningServer(.shutDown, server, handler: { _ = try await $0.next() }) { port, stop in
            let client = try await onThread { try Client.webSocket(port: port) }
            await stop()
            _ = await waits.take()
            let code = try await onThread {
                try client.send(.text("go"))
                return try client.readClose()
            }
            #expect(code == 1012)
            gate.open()
        }
    }

    @Test func `a stop code that no Close may carry is refused, and so is a reason that is too long`() {
        for change: (inout WebSocketServer.Configuration) -> Void in [
            { $0.stopCode = .abnormalClosure }, { $0.stopReason = String(repeating: "x", count: 124) },
            { $0.drainDelay = .milliseconds(-1) }, { $0.drainDelay = .milliseconds(Int64(UInt32.max) + 1) },
        ] {
            let error = #expect(throws: WebSocketError.self) { try makeServer(.with(change)) }
            #expect(error?.code == .invalidConfiguration)
        }
        #expect(throws: Never.self) {
            try makeServer(
                .with {
                    $0.stopReason = String(repeating: "x", count: 123)
                    $0.drainDelay = .milliseconds(Int64(UInt32.max))
                })
        }
    }

    /// What so many clients hear once the server is told to stop: a text, the Close's code, and its reason.
    private static func lastTexts(
        of count: Int, port: Int, stop: @Sendable () async -> Void
    ) async throws -> [String] {
        let clients = try await onThread {
            try (0..<count).map { _ in
                let client = try Client.webSocket(port: port)
                try client.send(.text("ready"))
                _ = try client.readText()
                return client
            }
        }
        await stop()
        return try await onThread {
            try clients.map { client in
                let text = try client.readText()
                let close = try client.readFrame()
                try client.send(.close(close.closeCode))
                try client.expectEnd()
                client.close()
                return "\(text) \(close.closeCode ?? 0) \(String(decoding: close.payload.dropFirst(2), as: UTF8.self))"
            }
        }
    }
}
