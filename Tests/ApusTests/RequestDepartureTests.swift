@testable import Apus
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// What becomes of a request whose client does not wait for the response.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct RequestDepartureTests {
    private static func clientLeaves(_ leave: @escaping @Sendable (Client) throws -> Void) async throws {
        let (hasCome, hasLeft) = (Gate(), Gate())
        try await withServer(http: { request in
            request.onDeparture { hasLeft.open() }
            hasCome.open()
            await hasLeft.pass()
            return .notFound
        }) { _, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                return client
            }
            await hasCome.pass()
            try await onThread { try leave(client) }
            await hasLeft.pass()
        }
    }

    @Test func `a connection that is reset is told`() async throws {
        try await Self.clientLeaves { try $0.reset() }
    }

    @Test func `a client that has sent all it will is told, and may read the response`() async throws {
        try await Self.clientLeaves { client in
            client.finish()
            let status = try client.readAnswer().status
            #expect(status == 404)
        }
    }

    @Test func `a client that has left before anybody asked is told at once`() async throws {
        let (mayAsk, hasLeft) = (Gate(), Gate())
        try await withServer(http: { request in
            await mayAsk.pass()
            request.onDeparture { hasLeft.open() }
            await hasLeft.pass()
            return .notFound
        }) { server, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                try client.reset()
            }
            try await until { server.statistics.requests == 1 && server.statistics.connectionsNow == 0 }
            mayAsk.open()
            await hasLeft.pass()
        }
    }

    @Test func `a client that has ended its direction before anybody asked is told at once`() async throws {
        let (first, second) = (Gate(), Gate())
        try await withServer(http: { request in
            request.onDeparture { first.open() }
            await first.pass()
            request.onDeparture { second.open() }
            await second.pass()
            return .notFound
        }) { _, port in
            let status = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                client.finish()
                return try client.readAnswer().status
            }
            #expect(status == 404)
        }
    }

    @Test func `a client whose connection was over before its request was looked at is told at once`() async throws {
        let loop = try EventLoop(name: "test")
        let isTold = Gate()
        let exchange = HTTPExchange(nil, loop: loop)
        exchange.onDeparture { isTold.open() }
        await isTold.pass()
    }

    @Test func `an answered request is not told`() async throws {
        let hasLeft = Mutex(false)
        try await withServer(http: { request in
            request.onDeparture { hasLeft.withLock { $0 = true } }
            return .notFound
        }) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                let status = try client.readAnswer().status
                #expect(status == 404)
                client.finish()
                try client.expectEnd()
            }
        }
        #expect(!hasLeft.withLock { $0 })
    }

    // MARK: What works on the request is cancelled

    private enum Closure: CaseIterable { case http, stream, upgrade }

    /// Waits for an hour, but for its cancellation, which it notes.
    private static func wait(_ isCancelled: Box<Bool>) async throws {
        do {
            try await Task.sleep(for: .seconds(3600))
        } catch {
            isCancelled.put(Task.isCancelled)
            throw error
        }
    }

    private static func expectCancelled(
        _ closure: Closure, _ leave: @escaping @Sendable (Client) throws -> Void
    ) async throws -> WebSocketServer.Statistics {
        let isCancelled = Box<Bool>()
        let hasCome = Gate()
        return try await withServer(
            .with { $0.departureInterval = .milliseconds(50) },
            upgrade: { _ in
                hasCome.open()
                try await wait(isCancelled)
                return .accept()
            },
            http: { _ in
                if closure == .stream {
                    return Response(status: .ok) { writer in
                        try await writer.write("begun")
                        hasCome.open()
                        try await wait(isCancelled)
                    }
                }
                hasCome.open()
                try await wait(isCancelled)
                return .notFound
            }
        ) { _, port in
            let client = try await onThread {
                let client = try Client(port: port)
                if closure == .upgrade { try client.sendHandshake() } else { try client.sendRequest() }
                return client
            }
            await hasCome.pass()
            try await onThread { try leave(client) }
            #expect(await isCancelled.take() == true)
        }
    }

    @Test(arguments: Closure.allCases)
    private func `a client that resets the connection cancels what works for it`(_ closure: Closure) async throws {
        let statistics = try await Self.expectCancelled(closure) { try $0.reset() }
        #expect(statistics.requestsAbandoned == 1)
    }

    @Test(arguments: [Closure.http, .upgrade])
    private func `a client that closes its socket cancels what works for it`(_ closure: Closure) async throws {
        let statistics = try await Self.expectCancelled(closure) { $0.close() }
        #expect(statistics.requestsAbandoned == 1)
    }

    @Test func `a client that sends more than is read, and resets the connection, is missed all the same`() async throws
    {
        _ = try await Self.expectCancelled(.http) { client in
            try client.send([UInt8](repeating: 120, count: 200_000))
            try client.reset()
        }
    }

    @Test func `a client that has only ended its sending direction cancels nothing`() async throws {
        let (hasCome, mayAnswer) = (Gate(), Gate())
        let wasCancelled = Box<Bool>()
        try await withServer(
            .with { $0.departureInterval = .milliseconds(50) },
            http: { _ in
                hasCome.open()
                await mayAnswer.pass()
                wasCancelled.put(Task.isCancelled)
                return .text("answer")
            }
        ) { _, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                client.finish()
                // It is asked whether it is there still, by an interim response.
                _ = try client.read(through: Array("100 Continue\r\n\r\n".utf8))
                return client
            }
            await hasCome.pass()
            mayAnswer.open()
            #expect(try await onThread { try client.readAnswer().text } == "answer")
        }
        #expect(await wasCancelled.take() == false)
    }

    @Test func `an upgrade closure that takes too long is cancelled, and the client gets 504`() async throws {
        let isCancelled = Box<Bool>()
        let statistics = try await withServer(
            .with { $0.upgradeTimeout = .milliseconds(50) },
            upgrade: { request in
                if request.path == "/slow" { try await Self.wait(isCancelled) }
                return .accept()
            }
        ) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake("/slow")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == 504)
            #expect(await isCancelled.take() == true)
            try await expectEcho(port: port)
        }
        #expect(statistics.upgradeTimeouts == 1)
        #expect(statistics.handshakesAccepted == 1)
    }

    @Test func `an upgrade closure that does not stop when it is cancelled accepts nothing any more`() async throws {
        let gate = Gate()
        let statistics = try await withServer(
            .with { $0.upgradeTimeout = .milliseconds(50) },
            upgrade: { _ in
                await gate.pass(evenIfCancelled: true)
                return .accept()
            }
        ) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake()
                let status = try client.readAnswer().status
                gate.open()
                try client.expectEnd()
                #expect(status == 504)
            }
        }
        #expect(statistics.handshakesAccepted == 0)
    }

    @Test func `a client that has ended its direction and then goes is told once`() async throws {
        let (hasCome, mayAnswer) = (Gate(), Gate())
        let told = Log<Void>()
        try await withServer(
            .with { $0.departureInterval = .milliseconds(50) },
            http: { request in
                request.onDeparture { told.append(()) }
                hasCome.open()
                await mayAnswer.pass(evenIfCancelled: true)
                return .notFound
            }
        ) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                client.finish()
                return client
            }
            await hasCome.pass()
            try await until { told.all.count == 1 }
            try await onThread { try client.reset() }
            try await until { server.statistics.connectionsNow == 0 }
            mayAnswer.open()
        }
        #expect(told.all.count == 1)
    }
}
