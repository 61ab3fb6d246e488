@testable import Apus
import Glibc
import HTTPTypes
import ServiceLifecycle
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketServerRunTests {
    @Test func `it tells where it listens, and the real port`() async throws {
        let addresses = Box<SocketAddress>()
        let server = try makeServer(.with { $0.address = .tcp(host: "localhost", port: 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(onListening: { addresses.put($0) }, handler: echo) }
            let address = try #require(await addresses.take())
            #expect(address.port > 0)
            #expect(["127.0.0.1", "::1"].contains(address.host))
            #expect(!address.isUnix)
            group.cancelAll()
        }
    }

    @Test func `a cancelled server closes everybody with 1001 and returns`() async throws {
        let ends = Box<WebSocketError.Code?>()
        let codes = Box<[UInt16?]>()
        var configuration = WebSocketServer.Configuration.patient
        configuration.threads = 3
        let statistics = try await withServer(
            configuration, handler: { socket in ends.put(await errorCode { for try await _ in socket {} }) }
        ) { _, port in
            let clients = try await onThread { try (0..<12).map { _ in try Client.webSocket(port: port) } }
            Task.detached {
                defer { codes.close() }
                codes.put(try await onThread { try clients.map { try $0.readClose() } })
            }
        }
        #expect(await codes.take() == [UInt16?](repeating: 1001, count: 12))
        #expect(await ends.take(12).allSatisfy { $0 == nil })
        #expect(statistics.handshakesAccepted == 12)
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a graceful shutdown does the same, and cancels no handler that ends by itself`() async throws {
        let server = try makeServer()
        let addresses = Box<SocketAddress>()
        let cancelled = Box<Bool>()
        let service = server.service(onListening: { addresses.put($0) }) { socket in
            try await echo(socket)
            cancelled.put(Task.isCancelled)
        }
        let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: .silent))
        async let running: Void = group.run()
        let port = try #require(await addresses.take()).port
        let client = try await onThread { try Client.webSocket(port: port) }
        await group.triggerGracefulShutdown()
        let code = try await onThread { try client.readClose() }
        #expect(code == 1001)
        try await running
        #expect(await cancelled.take() == false)
        #expect(server.statistics.connectionsNow == 0)
    }

    @Test func `a signal does the same`() async throws {
        let server = try makeServer(.with { $0.shutdownSignals = [.sigusr2] })
        let addresses = Box<SocketAddress>()
        async let running: Void = server.run(onListening: { addresses.put($0) }, handler: echo)
        let port = try #require(await addresses.take()).port
        let client = try await onThread { try Client.webSocket(port: port) }
        kill(getpid(), SIGUSR2)
        let code = try await onThread { try client.readClose() }
        #expect(code == 1001)
        try await running
    }

    @Test func `a task that is cancelled already stops at once`() async throws {
        let server = try makeServer()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask { try await server.run(handler: echo) }
            try await group.waitForAll()
        }
        var statistics = server.statistics
        statistics.memoryNow = 0  // of the whole process
        #expect(statistics == WebSocketServer.Statistics())
    }

    /// Stops a server that has one idle connection, and one whose request waits for `gate`; opens that once the idle
    /// one has ended, and gives what `script` makes of the other.
    private static func stop<T: Sendable>(
        opening gate: Gate, ask: @escaping @Sendable (Client) throws -> Void,
        run: @escaping @Sendable (WebSocketServer, @escaping @Sendable (SocketAddress) -> Void) async throws -> Void,
        script: @escaping @Sendable (Client) throws -> T
    ) async throws -> T {
        let server = try makeServer(.with { $0.threads = 1 })
        let addresses = Box<SocketAddress>()
        let running = Task { try await run(server, { addresses.put($0) }) }
        let port = try #require(await addresses.take()).port
        let (idle, asking) = try await onThread {
            let asking = try Client(port: port)
            try ask(asking)
            return (try Client(port: port), asking)
        }
        try await until { server.statistics.connectionsNow == 2 && server.statistics.requests == 1 }
        running.cancel()
        try await onThread {
            try idle.expectEnd()
            idle.close()
        }
        #expect(throws: SystemError.self) { try Client(port: port) }
        gate.open()
        let result = try await onThread { try script(asking) }
        try await running.value
        return result
    }

    @Test func `a server that stops takes no more connections and answers what is under way`() async throws {
        let gate = Gate()
        let answer = try await Self.stop(opening: gate) {
            try $0.sendRequest()
        } run: { server, onListening in
            try await server.run(
                onListening: onListening,
                http: { _ in
                    await gate.pass(evenIfCancelled: true)
                    return .text("still answered")
                },
                handler: echo)
        } script: { client in
            let answer = try client.readAnswer()
            try client.expectEnd()
            client.close()
            return answer
        }
        #expect(answer.text == "still answered")
        #expect(answer["Connection"] == "close")
    }

    @Test func `an upgrade that is decided while the server stops is closed with 1001`() async throws {
        let gate = Gate()
        let code = try await Self.stop(opening: gate) {
            try $0.sendHandshake()
        } run: { server, onListening in
            try await server.run(
                onListening: onListening,
                upgrade: { _ in
                    await gate.pass(evenIfCancelled: true)
                    return .accept()
                },
                handler: echo)
        } script: { client in
            guard try client.readAnswer().status == 101 else { throw Client.Failure.ended }
            return try client.readClose()
        }
        #expect(code == 1001)
    }

    @Test func `what is left after the stop deadline is dropped, and its handlers are cancelled`() async throws {
        let cancelled = Box<Bool>()
        let server = try makeServer(.with { $0.stopDeadline = .milliseconds(100) })
        let statistics = try await withServer(
            server,
            handler: { socket in
                // Not interested in its connection at all.
                await errorOfSleep()
                cancelled.put(Task.isCancelled)
            }
        ) { _, port in
            let client = try await onThread { try Client.webSocket(port: port) }
            Task.detached {
                // It answers nothing, and its end stays open.
                _ = try await onThread { try client.readClose(answers: false) }
            }
        }
        #expect(await cancelled.take() == true)
        #expect(statistics.connectionsAccepted == 1)
    }

    @Test func `a graceful stop cancels handlers that run on when their connections are gone`() async throws {
        let server = try makeServer(.with { $0.stopDeadline = .milliseconds(100) })
        let (addresses, cancelled) = (Box<SocketAddress>(), Box<Bool>())
        let running = Task {
            try await server.run(onListening: { addresses.put($0) }) { _ in
                await errorOfSleep()
                cancelled.put(Task.isCancelled)
            }
        }
        let port = try #require(await addresses.take()).port
        let client = try await onThread { try Client.webSocket(port: port) }
        try await until { server.statistics.handshakesAccepted == 1 }
        server.shutDown()
        #expect(await cancelled.take() == true)
        try await running.value
        client.close()
    }

    /// All of them come while the loop does something else, and so at once.
    @Test func `requests on new connections are served in the order in which they came`() async throws {
        let paths = Log<String>()
        let server = try makeServer(.with { $0.threads = 1 })
        try await withServer(
            server,
            http: { request in
                paths.append(request.head.path ?? "")
                return .text("")
            }
        ) { server, port in
            let blocker = Blocker()
            server.loops[0].post { blocker.wait() }
            try await onThread {
                let clients = try (0..<6).map { number in
                    let client = try Client(port: port)
                    try client.sendRequest("GET", "/\(number)")
                    return client
                }
                blocker.release()
                for client in clients { _ = try client.readAnswer() }
            }
        }
        #expect(paths.all == (0..<6).map { "/\($0)" })
    }

    @Test func `a server runs once`() async throws {
        let server = try makeServer()
        try await withServer(server) { _, port in try await expectEcho(port: port) }
        #expect(await errorCode { try await server.run(handler: echo) } == .invalidConfiguration)
    }

    @Test func `a port that somebody else has is in use`() async throws {
        try await withServer(.with { $0.threads = 3 }) { _, port in
            // Another server with several sockets on one port, as this one has: SO_REUSEPORT must not hide it.
            for threads in [1, 3] {
                let other = try makeServer(
                    .with {
                        $0.address = .tcp(host: "127.0.0.1", port: port)
                        $0.threads = threads
                    })
                do {
                    try await other.run(handler: echo)
                    Issue.record("two servers listen on one port")
                } catch let error as WebSocketError {
                    #expect(error.code == .addressInUse)
                    #expect(error.message.contains("127.0.0.1:\(port)"))
                }
            }
            try await expectEcho(port: port)
        }
    }

    @Test(arguments: ["192.0.2.1", "no such host", "a..b"])
    func `a host that is not here cannot be listened on`(host: String) async throws {
        let server = try makeServer(.with { $0.address = .tcp(host: host, port: 0) })
        do {
            try await server.run(handler: echo)
            Issue.record("it listens")
        } catch let error as WebSocketError {
            #expect(error.code == .cannotListen)
            #expect(error.message.contains(host))
            #expect(error.message.contains("no address of this machine"))
        }
    }

    @Test func `a Unix socket serves as a port does`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path(of: "socket")
        let addresses = Box<SocketAddress>()
        // Twice: the file of the first one is left, and replaced.
        for _ in 1...2 {
            let server = try makeServer(.with { $0.address = .unix(path: path) })
            try await withServer(
                server,
                handler: { socket in
                    addresses.put(socket.remoteAddress)
                    try await echo(socket)
                }
            ) { _, port in
                #expect(port == 0)
                let text = try await onThread {
                    let client = try Client(unixSocketPath: path)
                    try client.open()
                    try client.send(.text("over a file"))
                    let text = try client.readText()
                    try client.closeNormally()
                    return text
                }
                #expect(text == "over a file")
                let other = try makeServer(.with { $0.address = .unix(path: path) })
                #expect(await errorCode { try await other.run(handler: echo) } == .addressInUse)
            }
            let address = try #require(await addresses.take())
            #expect(address.isUnix)
            #expect(address.port == 0)
        }
    }

    @Test func `a file that is no socket is not replaced`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("precious", to: "socket")
        let server = try makeServer(.with { $0.address = .unix(path: folder.path(of: "socket")) })
        #expect(await errorCode { try await server.run(handler: echo) } == .addressInUse)
        let missing = try makeServer(.with { $0.address = .unix(path: folder.path(of: "no/socket")) })
        #expect(await errorCode { try await missing.run(handler: echo) } == .cannotListen)
    }

    @Test func `the counters outlive the server's run`() async throws {
        let statistics = try await withServer { server, port in
            for _ in 1...3 { try await expectEcho(port: port) }
            #expect(server.statistics.handshakesAccepted == 3)
        }
        #expect(statistics.handshakesAccepted == 3)
        #expect(statistics.messagesReceived == 3)
        #expect(statistics.messagesSent == 3)
        #expect(statistics.bytesReceived > 3 * 100)
        #expect(statistics.bytesSent > 3 * 100)
    }

    @Test func `what is to be done at the end is done once, also where the server cannot listen, and then forgotten`()
        async throws
    {
        final class Owner: Sendable {}
        let ends = Log<String>()
        try await withServer { server, port in
            server.onEnd { ends.append("ended") }
            let other = try makeServer(.with { $0.address = .tcp(host: "127.0.0.1", port: port) })
            weak var owner: Owner?
            do {
                let strong = Owner()
                owner = strong
                other.onEnd { withExtendedLifetime(strong) { ends.append("never begun") } }
                other.onStop { withExtendedLifetime(strong) {} }
            }
            #expect(await errorCode { try await other.run(handler: echo) } == .addressInUse)
            #expect(ends.all == ["never begun"])
            #expect(owner == nil)
            withExtendedLifetime(other) {}
        }
        #expect(ends.all == ["never begun", "ended"])
    }
}

/// Sleeps until it is cancelled.
private func errorOfSleep() async {
    do {
        try await Task.sleep(for: .seconds(3600))
        Issue.record("nobody cancelled this task")
    } catch {
        #expect(error is CancellationError)
    }
}
