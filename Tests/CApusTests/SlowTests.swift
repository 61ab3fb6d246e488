import CApus
import CApusCore
import CApusInternals
import Glibc
import TestSupport
import Testing

/// Who is ended for taking too little, and who is not. The loop's clock is put forward by the tests; every timeout is
/// far longer than a test.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SlowTests {
    private static let hour = SlowFixture.hour
    private static let lag = SlowFixture.lag
    private static let stall = SlowFixture.stall
    private static let mebibyte = [UInt8](repeating: 7, count: 1 << 20)

    // Bursts.

    @Test(
        arguments: [APUS_SLOW_CONSUMER_SUSPEND, APUS_SLOW_CONSUMER_DROP, APUS_SLOW_CONSUMER_CLOSE], [100, 1024, 16384])
    func `a burst in one turn reaches every peer that reads`(policy: apus_slow_consumer, size: Int) async throws {
        try await onThread {
            let fixture = try SlowFixture(policy)
            let clients = try (0..<5).map { _ in try fixture.open(receiveBuffer: nil).0 }
            let count = (2 << 20) / size
            fixture.publish(count, of: [UInt8](repeating: 1, count: size))
            for client in clients {
                for _ in 0..<count { #expect(try client.readFrame().payload.count == size) }
                client.close()
            }
            let statistics = fixture.end()
            #expect(statistics.slow_consumers_closed == 0)
            #expect(statistics.messages_dropped == 0)
            #expect(statistics.messages_sent == 5 * count)
        }
    }

    @Test func `in a turn a sender fills the socket before it has to wait`() async throws {
        try await onThread {
            let results = Box<CInt>()
            let fixture = try SlowFixture(limit: 1000) { _ in
            } onMessage: { connection in
                for _ in 0..<20 { results.put(connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 1, count: 900))) }
            }
            let (client, _) = try fixture.open(receiveBuffer: nil)
            // Something is queued when the handler begins, so nothing goes to the cork.
            fixture.server.run { [topic = fixture.topic] in _ = topic.publish("first") }
            try client.send(.text("go"))
            #expect(try client.readText() == "first")
            for _ in 0..<20 { #expect(try client.readFrame().payload.count == 900) }
            #expect(results.all == [CInt](repeating: 0, count: 20))
            client.close()
            fixture.end()
        }
    }

    @Test func `a delivery pushes no more into a socket than makes room for it`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20)
            let (client, connection) = try fixture.open(receiveBuffer: nil)
            let payload = [UInt8](repeating: 1, count: 64 << 10)
            let queued = Box<Int>()
            fixture.server.run { [topic = fixture.topic] in
                for _ in 0..<16 {
                    #expect(apus_topic_publish(topic.pointer, APUS_OPCODE_BINARY, payload, payload.count, 0) == 0)
                }
                queued.put(apus_connection_outbound(connection.pointer))
            }
            // Its subscribers may all reach their limits with the same message: what they had queued is a turn's work.
            #expect(try #require(queued.take()) > 900_000)
            for _ in 0..<16 { #expect(try client.readFrame().payload.count == payload.count) }
            client.close()
            fixture.end()
        }
    }

    // The lag.

    @Test(arguments: [APUS_SLOW_CONSUMER_SUSPEND, APUS_SLOW_CONSUMER_CLOSE])
    func `a peer that takes nothing for the lag is closed with 1013, and not before`(
        policy: apus_slow_consumer
    ) async throws {
        try await onThread {
            let fixture = try SlowFixture(policy, limit: 1 << 20)
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            fixture.server.skip(UInt64(Self.lag - 1000))
            #expect(fixture.server.counted().slow_consumers_closed == 0)
            #expect(fixture.queued(connection) > 1 << 20)
            fixture.server.skip(2000)
            #expect(fixture.server.counted().slow_consumers_closed == 1)
            // What waited is dropped, but for what the socket has begun to take.
            #expect(fixture.queued(connection) < 200_000)
            #expect(try client.readClose() == 1013)
            client.close()
            #expect(fixture.end().slow_consumers_closed == 1)
        }
    }

    @Test func `a peer that catches up is not slow, however long that takes`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) { $0.burst_limit = 1 << 30 }
            let (client, connection) = try fixture.open()
            fixture.publish(24, of: Self.mebibyte)
            for _ in 0..<4 {
                let before = fixture.charge(connection)
                try fixture.read(client) { fixture.charge(connection) < before }
                fixture.server.skip(UInt64(Self.lag) + 1000)
            }
            #expect(fixture.server.counted().slow_consumers_closed == 0)
            // Once it stops, and the socket has taken what it has room for, it is.
            for _ in 0..<10 where fixture.server.counted().slow_consumers_closed == 0 {
                fixture.server.skip(UInt64(Self.lag) + 1000)
            }
            #expect(fixture.server.counted().slow_consumers_closed == 1)
            client.close()
            fixture.end()
        }
    }

    @Test func `a peer that reads less than our socket needs to have room again is not slow`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) { $0.burst_limit = 1 << 30 }
            let (client, connection) = try fixture.open(receiveBuffer: 128 << 10)
            fixture.publish(8, of: Self.mebibyte)
            fixture.settle(connection)
            let charge = fixture.charge(connection)
            for _ in 0..<3 {
                let before = fixture.acknowledged(connection)
                try fixture.read(client) { fixture.acknowledged(connection) >= before + 64 << 10 }
                fixture.publish(1, of: [1])
                fixture.server.skip(UInt64(Self.lag) + 1000)
            }
            #expect(fixture.charge(connection) >= charge)
            #expect(fixture.server.counted().slow_consumers_closed == 0)
            client.close()
            fixture.end()
        }
    }

    @Test func `a peer that takes as much as the limit in the lag is not slow, though ever more waits`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) { $0.burst_limit = 1 << 30 }
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            for _ in 0..<3 {
                let before = fixture.queued(connection)
                try fixture.read(client) { fixture.queued(connection) <= before - 1 << 20 }
                fixture.publish(6, of: Self.mebibyte)
                fixture.server.skip(UInt64(Self.lag) + 1000)
            }
            #expect(fixture.server.counted().slow_consumers_closed == 0)
            client.close()
            fixture.end()
        }
    }

    @Test func `a peer that is below the limit again has all of the lag for the next burst`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20)
            let (client, connection) = try fixture.open()
            for _ in 0..<3 {
                fixture.publish(6, of: Self.mebibyte)
                fixture.server.skip(UInt64(Self.lag) * 3 / 4)
                for _ in 0..<6 { _ = try client.readMessage() }
                fixture.until { fixture.queued(connection) == 0 }
            }
            #expect(fixture.end().slow_consumers_closed == 0)
            client.close()
        }
    }

    @Test func `what a sender waits for does not make a peer slow, but by the policy close it does`() async throws {
        try await onThread {
            for policy in [APUS_SLOW_CONSUMER_SUSPEND, APUS_SLOW_CONSUMER_CLOSE] {
                let results = Box<CInt>()
                let fixture = try SlowFixture(policy, limit: 1 << 20) { _ in
                } onMessage: { connection in
                    var result: CInt = 0
                    while result == 0 { result = connection.send(APUS_OPCODE_BINARY, Self.mebibyte) }
                    results.put(result)
                    #expect(apus_connection_want_drain(connection.pointer))
                } onDrain: { connection in
                    results.put(connection.send(APUS_OPCODE_BINARY, [1]))
                }
                let (client, _) = try fixture.open()
                try client.send(.text("go"))
                fixture.until { !results.all.isEmpty }
                fixture.turn()
                for _ in 0..<3 { fixture.server.skip(UInt64(Self.lag) + 1000) }
                let isClosed = policy == APUS_SLOW_CONSUMER_CLOSE
                #expect(results.all == [APUS_EFULL.rawValue] + (isClosed ? [APUS_ESLOW.rawValue] : []))
                #expect(fixture.end().slow_consumers_closed == (isClosed ? 1 : 0))
                client.close()
            }
        }
    }

    // The burst limit.

    @Test func `past the burst limit a peer is closed, once its socket was full over a poll`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 64 << 10) { $0.burst_limit = 4 << 20 }
            let (client, connection) = try fixture.open()
            fixture.publish(12, of: Self.mebibyte)
            #expect(fixture.queued(connection) > 4 << 20)
            fixture.server.skip(1000)
            #expect(fixture.server.counted().slow_consumers_closed == 0)
            fixture.publish(1, of: [1])
            fixture.publish(1, of: [1])
            fixture.server.skip(100)
            #expect(fixture.server.counted().slow_consumers_closed == 1)
            #expect(try client.readClose() == 1013)
            client.close()
            let statistics = fixture.end()
            #expect(statistics.messages_sent == 12)
            #expect(statistics.slow_consumers_closed == 1)
        }
    }

    // dropMessage.

    @Test func `messages are dropped only for a peer whose socket was full over a poll`() async throws {
        try await onThread {
            let fixture = try SlowFixture(APUS_SLOW_CONSUMER_DROP, limit: 64 << 10)
            let (slow, _) = try fixture.open()
            let (quick, _) = try fixture.open(receiveBuffer: nil)
            fixture.publish(8, of: Self.mebibyte)
            #expect(fixture.server.counted().messages_dropped == 0)
            for _ in 0..<8 { _ = try quick.readMessage() }
            fixture.publish(10, of: [1])
            #expect(fixture.server.counted().messages_dropped == 10)
            for _ in 0..<10 { #expect(try quick.readFrame().payload == [1]) }
            for _ in 0..<8 { #expect(try slow.readMessage().payload.count == 1 << 20) }
            fixture.publish(1, of: [2])
            #expect(try slow.readFrame().payload == [2])
            slow.close()
            quick.close()
            fixture.end()
        }
    }

    @Test func `past the burst limit messages are dropped even in one turn`() async throws {
        try await onThread {
            let fixture = try SlowFixture(APUS_SLOW_CONSUMER_DROP, limit: 64 << 10) { $0.burst_limit = 4 << 20 }
            let (client, connection) = try fixture.open()
            fixture.publish(40, of: Self.mebibyte)
            #expect(fixture.charge(connection) <= 4 << 20)
            #expect(fixture.server.counted().messages_dropped > 20)
            client.close()
            fixture.end()
        }
    }

    // The limit, to the byte.

    @Test func `the outbound limit holds to the byte`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 256 << 20)
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            fixture.settle(connection)
            let charge = fixture.charge(connection)
            let results = Box<CInt>()
            fixture.server.run { [server = fixture.server] in
                server.config.pointee.endpoint.outbound_limit = charge + 99
                results.put(connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 1, count: 100)))
                server.config.pointee.endpoint.outbound_limit = charge + 100
                results.put(connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 1, count: 100)))
            }
            #expect(results.all == [APUS_EFULL.rawValue, 0])
            client.close()
            fixture.end()
        }
    }

    // The least rate.

    @Test(arguments: ["answer", "open", "closing"])
    func `a peer that acknowledges too little is dropped in any phase`(phase: String) async throws {
        try await onThread {
            var behaviour = CoreServer.Behaviour()
            let connections = Box<Connection>()
            behaviour.onRequest = { connection, _, isUpgrade in
                connections.put(connection)
                guard isUpgrade else {
                    connection.respond(200, [UInt8](repeating: 1, count: 32 << 20))
                    return
                }
                connection.accept()
                connection.demand(APUS_DEMAND_ALL)
            }
            behaviour.onMessage = { connection, _, _ in
                connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 1, count: 32 << 20))
                if phase == "closing" { connection.close() }
            }
            let server = try CoreServer(
                {
                    $0.endpoint.stall_timeout = Self.hour
                    $0.endpoint.ping_interval = 0
                    $0.endpoint.close_timeout = 100 * Self.hour
                    $0.endpoint.handshake_timeout = 100 * Self.hour
                    $0.endpoint.keep_alive_timeout = 100 * Self.hour
                    $0.endpoint.body_timeout = 100 * Self.hour
                }, behaviour)
            let client: Client
            if phase == "answer" {
                client = try Client(port: server.port, receiveBuffer: 4096)
                try client.sendRequest()
            } else {
                client = try Client.webSocket(port: server.port, receiveBuffer: 4096)
                try client.send(.text("go"))
            }
            let charges = Box<Int>()
            func charge() -> Int {
                server.run {
                    guard let connection = connections.all.first else { return }
                    charges.put(apus__connection_charge(connection.pointer))
                }
                return charges.take() ?? 0
            }
            while charge() < 1 << 20 { sched_yield() }
            // It takes enough, though not fast.
            for _ in 0..<2 {
                _ = try client.read(5 << 20)
                server.skip(UInt64(Self.hour) + 100)
                #expect(server.counted().connections_stalled == 0)
            }
            // What the kernel has acknowledged since may count once more; then there is nothing.
            server.skip(UInt64(Self.hour) + 100)
            server.skip(UInt64(Self.hour) + 100)
            while server.events.last != .free { sched_yield() }
            client.close()
            #expect(server.stop(deadline: 1).connections_stalled == 1)
        }
    }

    // Pings while nothing is read.

    @Test func `a peer that floods and never reads is given up, though nothing of it is read`() async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) {
                $0.ping_interval = Self.hour
                $0.pings_missed = 1
                $0.slow_consumer_lag = Self.stall
            }
            let (client, _) = try fixture.open("/aside")
            fixture.publish(8, of: Self.mebibyte)
            for _ in 0..<8 { try client.send(.binary([UInt8](repeating: 1, count: 30_000))) }
            fixture.until { fixture.server.counted().reads_paused == 1 }
            fixture.turn()
            for _ in 0..<5 { fixture.server.skip(UInt64(Self.hour) + 100) }
            #expect(fixture.server.counted().ping_timeouts == 1)
            client.close()
            fixture.end()
        }
    }

    @Test func `a peer whose messages nobody takes is pinged, and not ended while it acknowledges`() async throws {
        try await onThread {
            let fixture = try SlowFixture {
                $0.ping_interval = Self.hour
                $0.pings_missed = 0
            }
            let (client, connection) = try fixture.open("/aside", receiveBuffer: nil)
            for _ in 0..<8 { try client.send(.binary([UInt8](repeating: 1, count: 30_000))) }
            fixture.until { fixture.server.counted().reads_paused == 1 }
            for count in 1...10 as ClosedRange<UInt64> {
                fixture.server.skip(UInt64(Self.hour) + 100)
                fixture.until { fixture.server.counted().pings_sent == count }
                let ping = try client.readFrame()
                #expect(ping.opcode == Frame.Opcode.ping)
                // Nobody reads it. The acknowledgement may come later: there is no room for what it would come with.
                try client.send(Frame(Frame.Opcode.pong, ping.payload))
                fixture.until { !fixture.isOutstanding(connection) }
            }
            #expect(fixture.server.counted().ping_timeouts == 0)
            client.close()
            #expect(fixture.end().ping_timeouts == 0)
        }
    }

    /// One record of TLS waits as ciphertext, behind which nothing is queued.
    @Test func `a peer that takes no ciphertext is dropped, though no message waits`() async throws {
        let contexts = try TLSContexts()
        try await onThread {
            let fixture = try SlowFixture { $0.tls = contexts.server }
            let client = try Client(port: fixture.server.port, receiveBuffer: 4096)
            try client.startTLS(.init(root: nil))
            try client.open()
            fixture.until { !fixture.connections.all.isEmpty }
            let connection = try #require(fixture.connections.take())
            fixture.until { fixture.charge(connection) == 0 }
            let message = [UInt8](repeating: 1, count: 10_000)
            while fixture.charge(connection) == 0 { fixture.publish(1, of: message) }
            fixture.settle(connection)
            #expect(fixture.queued(connection) == 0)
            for _ in 0..<3 { fixture.server.skip(UInt64(Self.stall) + 1000) }
            #expect(fixture.server.counted().connections_stalled == 1)
            client.close()
            fixture.end()
        }
    }

    @Test func `a peer whose socket has room by now loses no message, though nobody has told so yet`() async throws {
        try await onThread {
            let topics = Box<CoreTopic>()
            let fixture = try SlowFixture(APUS_SLOW_CONSUMER_DROP, limit: 64 << 10) { _ in
            } onMessage: { _ in
                _ = apus_topic_publish(topics.all[0].pointer, APUS_OPCODE_BINARY, [9], 1, 0)
            }
            topics.put(fixture.topic)
            let (other, _) = try fixture.open(receiveBuffer: nil)
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            for _ in 0..<8 { _ = try other.readMessage() }
            fixture.settle(connection)
            let sent = 8 * (Self.mebibyte.count + 8 * 10)  // in frames of 128 KiB
            let count = sent - fixture.queued(connection)
            let results = Box<Bool>()
            fixture.server.run {
                // The next poll tells of the message first, and then that the client has made room.
                results.put((try? other.send(.text("go"))) != nil && (try? client.read(count)) != nil)
            }
            #expect(results.all == [true])
            #expect(try other.readFrame().payload == [9])
            #expect(fixture.server.counted().messages_dropped == 0)
            client.close()
            other.close()
            fixture.end()
        }
    }
}
