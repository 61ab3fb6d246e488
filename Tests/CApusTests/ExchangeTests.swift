import CApus
import CApusCore
import Glibc
import TestSupport
import Testing

/// The clocks of a request and its answer.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ExchangeTests {
    /// A time that is not over within any test.
    private static let never: UInt32 = 3_600_000
    /// A time that is over in any test that waits for it.
    private static let soon: UInt32 = 50

    /// Lets a client talk to a server whose times are long, but for those that `change` sets.
    private static func onServer<T: Sendable>(
        _ behaviour: CoreServer.Behaviour = .init(), _ change: (inout apus_endpoint_config) -> Void,
        _ body: @escaping @Sendable (CoreServer, Client) throws -> T
    ) async throws -> (result: T, events: [CoreServer.Event], statistics: apus_statistics) {
        let server = try CoreServer(
            { config in
                config.endpoint.handshake_timeout = never
                config.endpoint.keep_alive_timeout = never
                config.endpoint.upgrade_timeout = never
                config.endpoint.body_timeout = never
                change(&config.endpoint)
            }, behaviour)
        return try await onThread {
            let client = try Client(port: server.port)
            let result = Result { try body(server, client) }
            client.close()
            let statistics = server.stop(deadline: 100)
            return (try result.get(), server.events, statistics)
        }
    }

    @Test func `a connection that asks nothing more ends after the keep-alive time`() async throws {
        let (_, _, statistics) = try await Self.onServer { config in
            config.keep_alive_timeout = Self.soon
        } _: { _, client in
            try client.sendRequest()
            _ = try client.readAnswer()
            try client.expectEnd()
        }
        #expect(statistics.keep_alive_timeouts == 1)
        #expect(statistics.handshake_timeouts == 0)
    }

    @Test func `the first byte of a further request begins the time of its head`() async throws {
        let (status, _, statistics) = try await Self.onServer { config in
            config.handshake_timeout = 1000  // for the first request, too
        } _: { _, client in
            try client.sendRequest()
            _ = try client.readAnswer()
            try client.send("G")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer.status
        }
        #expect(status == 408)
        #expect(statistics.handshake_timeouts == 1)
        #expect(statistics.keep_alive_timeouts == 0)
    }

    @Test func `a head that is cut behind a whole request has its own time, too`() async throws {
        let (status, _, _) = try await Self.onServer { config in
            config.handshake_timeout = 1000  // for the first request, too
        } _: { _, client in
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
            _ = try client.readAnswer()
            return try client.readAnswer().status
        }
        #expect(status == 408)
    }

    /// The loop's thread stands still, as in a process that gets SIGSTOP, for longer than the client may be idle; its
    /// next request has come meanwhile.
    @Test func `what has come while the process stood still is read before it is found to be late`() async throws {
        let (stands, mayGoOn) = (Blocker(), Blocker())
        let behaviour = CoreServer.Behaviour(onRequest: { connection, target, _ in
            connection.respond(200, Array(target.utf8))  // which begins the idle time
            guard target == "/first" else { return }
            stands.release()
            usleep(300_000)
            mayGoOn.wait()
        })
        let (texts, _, statistics) = try await Self.onServer(behaviour) { config in
            config.keep_alive_timeout = 100
        } _: { server, client in
            try client.sendRequest("GET", "/first")
            stands.wait()
            try client.sendRequest("GET", "/second")
            mayGoOn.release()
            return [try client.readAnswer().text, try client.readAnswer().text]
        }
        #expect(texts == ["/first", "/second"])
        #expect(statistics.keep_alive_timeouts <= 1, "the one behind the second answer")
    }

    @Test func `an upgrade that nobody decides on is answered with 504, and its end is told`() async throws {
        let (answer, events, statistics) = try await Self.onServer(CoreServer.Behaviour(onRequest: { _, _, _ in })) {
            config in
            config.upgrade_timeout = Self.soon
        } _: { _, client in
            try client.sendHandshake()
            // Frames that come early, more than is kept, do not give it more time.
            try client.send([UInt8](repeating: 0, count: 100_000))
            return try client.readAnswer()
        }
        #expect(answer.status == 504)
        #expect(statistics.upgrade_timeouts == 1)
        #expect(events.contains(.end(code: 1006, reason: "", error: APUS_EUPGRADETIME)))
    }

    // MARK: The minimum rate

    /// Reads all of the content, and answers with 408 where it does not come.
    private static let reader = CoreServer.Behaviour(
        onRequest: { connection, _, _ in connection.demandBody() },
        onBodyEnd: { connection, error in connection.respond(error == APUS_OK ? 200 : 408) })

    @Test func `content that comes slower than the minimum rate is given up, though it never stops`() async throws {
        let (_, events, statistics) = try await Self.onServer(Self.reader) { config in
            config.body_timeout = 100
            config.body_rate = 1 << 30
            config.body_limit = .max
        } _: { server, client in
            try client.sendRequest("POST", "/", "Content-Length: 1000000000")
            while server.counted().content_rate_errors == 0 { try? client.send([120]) }
        }
        #expect(events.contains(.bodyEnd(APUS_EBODYTIME)))
        #expect(statistics.content_rate_errors == 1)
        #expect(statistics.content_timeouts == 1)
    }

    @Test func `a stream of chunk extensions is not content`() async throws {
        let (_, events, statistics) = try await Self.onServer(Self.reader) { config in
            config.body_timeout = 100
            config.body_rate = 1 << 30
        } _: { server, client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send("5;")
            while server.counted().content_timeouts == 0 {
                try? client.send("x")
                // So few that the limit on extensions does not come first.
                for _ in 0..<200 where server.counted().content_timeouts == 0 {}
            }
        }
        #expect(events.contains(.bodyEnd(APUS_EBODYTIME)))
        #expect(statistics.content_timeouts == 1)
    }

    // MARK: Clients that leave

    /// Gives requests to a test, and answers none.
    private static func silent(_ requests: Box<Connection>) -> CoreServer.Behaviour {
        CoreServer.Behaviour(onRequest: { connection, _, _ in requests.put(connection) })
    }

    private static func next(_ requests: Box<Connection>) -> Connection {
        while true {
            if let connection = requests.take() { return connection }
            sched_yield()
        }
    }

    private static let lost = CoreServer.Event.end(code: 1006, reason: "", error: APUS_ELOST)

    @Test func `a client that resets the connection while nothing is read from it is missed`() async throws {
        let requests = Box<Connection>()
        let (_, events, statistics) = try await Self.onServer(Self.silent(requests)) { config in
            config.departure_interval = Self.soon
        } _: { server, client in
            try client.sendRequest("POST", "/", "Content-Length: 1000000")
            try client.send([UInt8](repeating: 120, count: 100_000))
            while server.counted().reads_paused == 0 { sched_yield() }
            try client.reset()
            while !server.events.contains(Self.lost) { sched_yield() }
        }
        #expect(events.contains(Self.lost))
        #expect(statistics.requests_abandoned == 1)
    }

    @Test func `a client that closes its socket while its request is answered is missed`() async throws {
        let requests = Box<Connection>()
        let (_, _, statistics) = try await Self.onServer(Self.silent(requests)) { config in
            config.departure_interval = Self.soon
        } _: { server, client in
            try client.sendRequest()
            while server.events.isEmpty { sched_yield() }
            client.close()
            while !server.events.contains(Self.lost) { sched_yield() }
        }
        #expect(statistics.requests_abandoned == 1)
    }

    @Test func `a client that has only ended its sending direction is asked once, stays, and gets its answer`()
        async throws
    {
        let requests = Box<Connection>()
        let (answers, _, statistics) = try await Self.onServer(Self.silent(requests)) { config in
            config.departure_interval = Self.soon
        } _: { server, client in
            // The answers to the second client are the clock: by its first, the old one has been looked at.
            let old = try Client(port: server.port)
            try old.send("GET /old HTTP/1.0\r\n\r\n")
            old.finish()
            let first = Self.next(requests)
            try client.sendRequest("GET", "/new")
            client.finish()
            let second = Self.next(requests)
            let interim = try client.read(through: Array("\r\n\r\n".utf8))
            server.run {
                first.respond(200, Array("old".utf8))
                second.respond(200, Array("new".utf8))
            }
            let texts = [try old.readAnswer().text, try client.readAnswer().text]
            try client.expectEnd()
            return [String(decoding: interim, as: UTF8.self)] + texts
        }
        #expect(answers == ["HTTP/1.1 100 Continue\r\n\r\n", "old", "new"])
        #expect(statistics.requests_abandoned == 0)
    }

    @Test(arguments: [true, false])
    func `content that comes at the minimum rate may take longer than the body timeout`(isQuick: Bool) async throws {
        let span = 3_000_000  // of the timeout's 3,600,000 ms
        let size = isQuick ? 720_000 : 1000  // at 240 B/s 720,000 bytes are due in a span
        let (_, events, statistics) = try await Self.onServer(Self.reader) { config in
            config.body_rate = 240
            config.body_limit = .max
        } _: { server, client in
            try client.sendRequest("POST", "/", "Content-Length: \(5 * size)")
            _ = server.events(1)
            for number in 1...5 {
                server.skip(UInt64(span))
                guard server.counted().content_rate_errors == 0 else { return }
                let before = server.counted().bytes_received
                try client.send([UInt8](repeating: 120, count: size))
                while server.counted().bytes_received < before + UInt64(size) {}
                #expect(isQuick || number < 5)
            }
            #expect(try client.readAnswer().status == 200)
        }
        #expect(events.contains(.bodyEnd(isQuick ? APUS_OK : APUS_EBODYTIME)))
        #expect(statistics.content_rate_errors == (isQuick ? 0 : 1))
    }
}
