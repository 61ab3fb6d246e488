import CApus
import CApusCore
import CApusInternals
import Glibc
import TestSupport
import Testing

/// The limits on what waits for a peer, to the byte: its socket is full, and takes no more.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SendLimitsTests {
    private static let mebibyte = [UInt8](repeating: 7, count: 1 << 20)
    private static let hundred = [UInt8](repeating: 1, count: 100)

    /// Runs `body` on the loop, with a connection whose socket has been full over a poll.
    private static func withFullSocket(
        _ policy: apus_slow_consumer = APUS_SLOW_CONSUMER_SUSPEND,
        _ body: @escaping @Sendable (SlowFixture, Connection) -> Void
    ) async throws {
        try await onThread {
            let fixture = try SlowFixture(policy, limit: 256 << 20)
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: mebibyte)
            fixture.settle(connection)
            fixture.server.run { body(fixture, connection) }
            client.close()
            fixture.end()
        }
    }

    /// Sends 100 bytes where there is room for 99 until that is refused, and then where there is room for 100. Of what
    /// is queued a socket may take some at any time, whether it seemed full or not.
    private static func tryUntilFull(_ results: Box<CInt>, _ send: (_ room: Int) -> CInt) {
        for _ in 0..<1000 where results.all.last ?? 0 == 0 { results.put(send(99)) }
        results.put(send(100))
    }

    private static func sendPart(_ connection: Connection, isLast: Bool = false) -> CInt {
        apus_connection_send_part(connection.pointer, APUS_OPCODE_BINARY, hundred, hundred.count, isLast)
    }

    /// Sends messages of these sizes that nothing may come between; there are 100 bytes of each.
    private static func sendAll(_ sizes: [Int], on connection: Connection) -> CInt {
        hundred.withUnsafeBufferPointer { bytes in
            let messages = sizes.map {
                apus_outgoing(data: bytes.baseAddress, len: $0, opcode: APUS_OPCODE_BINARY)
            }
            return apus_connection_send_all(connection.pointer, messages, messages.count)
        }
    }

    @Test func `a part of a message has room to the byte`() async throws {
        let results = Box<CInt>()
        try await Self.withFullSocket { fixture, connection in
            Self.tryUntilFull(results) { room in
                let queued = apus_connection_outbound(connection.pointer)
                fixture.server.config.pointee.endpoint.outbound_limit = queued + room
                return Self.sendPart(connection)
            }
        }
        #expect(results.all.suffix(2) == [APUS_EFULL.rawValue, 0])
    }

    @Test func `a part is taken where nothing waits, whatever the limit`() async throws {
        try await onThread {
            let results = Box<CInt>()
            let fixture = try SlowFixture(limit: 10)
            let (client, connection) = try fixture.open(receiveBuffer: nil)
            fixture.server.run {
                for isLast in [false, true] { results.put(Self.sendPart(connection, isLast: isLast)) }
            }
            for _ in 0..<2 { #expect(try client.readFrame().payload == Self.hundred) }
            #expect(results.all == [0, 0])
            client.close()
            fixture.end()
        }
    }

    @Test func `messages that belong together have room to the byte`() async throws {
        let results = Box<CInt>()
        try await Self.withFullSocket { fixture, connection in
            Self.tryUntilFull(results) { room in
                let charge = apus__connection_charge(connection.pointer)
                fixture.server.config.pointee.endpoint.outbound_limit = charge + room
                return Self.sendAll([50, 50], on: connection)
            }
        }
        #expect(results.all.suffix(2) == [APUS_EFULL.rawValue, 0])
    }

    @Test func `sizes whose sum no number holds are too much`() async throws {
        let results = Box<CInt>()
        try await Self.withFullSocket { _, connection in
            results.put(Self.sendAll([.max, .max, 2], on: connection))
            results.put(Self.sendAll([100, .max, .max, 2], on: connection))
        }
        #expect(results.all == [APUS_EFULL.rawValue, APUS_EFULL.rawValue])
    }

    @Test func `a piece of an answer has room to the byte`() async throws {
        try await onThread {
            let connections = Box<Connection>()
            let results = Box<CInt>()
            var behaviour = CoreServer.Behaviour()
            behaviour.onRequest = { connection, _, _ in
                connection.begin(200)
                connections.put(connection)
            }
            let server = try CoreServer({ $0.endpoint.outbound_limit = 256 << 20 }, behaviour)
            let client = try Client(port: server.port, receiveBuffer: 4096)
            try client.sendRequest()
            while connections.all.isEmpty { sched_yield() }
            let connection = try #require(connections.take())
            let queued = Box<Int>()
            server.run { for _ in 0..<8 { connection.write(Self.mebibyte) } }
            // Until the socket has taken all it has room for.
            while queued.all.count < 10 || Set(queued.all.suffix(10)).count != 1 {
                for _ in 0..<3 { server.run {} }
                server.run { queued.put(apus_connection_outbound(connection.pointer)) }
            }
            server.run {
                Self.tryUntilFull(results) { room in
                    let queued = apus_connection_outbound(connection.pointer)
                    server.config.pointee.endpoint.outbound_limit = queued + room
                    return connection.write(Self.hundred)
                }
            }
            #expect(results.all.suffix(2) == [APUS_EFULL.rawValue, 0])
            client.close()
            server.stop(deadline: 1)
        }
    }

    @Test func `the burst limit holds to the byte for a message whose sender waits for nobody`() async throws {
        try await onThread {
            let fixture = try SlowFixture(APUS_SLOW_CONSUMER_DROP, limit: 256 << 20)
            let (client, connection) = try fixture.open()
            let results = Box<CInt>()
            fixture.server.run {
                let config = fixture.server.config
                for _ in 0..<8 { connection.send(APUS_OPCODE_BINARY, Self.mebibyte) }
                config.pointee.endpoint.outbound_limit = 1
                // In the turn in which it has become full a socket proves nothing.
                Self.tryUntilFull(results) { room in
                    config.pointee.endpoint.burst_limit = apus__connection_charge(connection.pointer) + room
                    return connection.send(APUS_OPCODE_BINARY, Self.hundred)
                }
            }
            #expect(results.all.suffix(2) == [APUS_EDROPPED.rawValue, 0])
            client.close()
            fixture.end()
        }
    }

    /// A frame with one byte has three.
    @Test(arguments: [(3, 0 as UInt64), (2, 1)])
    func `the burst limit holds to the byte for a delivery`(room: Int, closed: UInt64) async throws {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) { $0.burst_limit = 256 << 20 }
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            fixture.settle(connection)
            // It may take some more just then.
            for _ in 0..<(closed == 0 ? 1 : 100) where fixture.server.counted().slow_consumers_closed == 0 {
                fixture.server.run {
                    let charge = apus__connection_charge(connection.pointer)
                    fixture.server.config.pointee.endpoint.burst_limit = charge + room
                }
                fixture.publish(1, of: [1])
                fixture.server.skip(1000)
            }
            #expect(fixture.end().slow_consumers_closed == closed)
            client.close()
        }
    }

    @Test(arguments: [(0, 0 as UInt64), (1, 1)])
    func `a peer that is back at the limit has caught up, one byte above it has not`(over: Int, closed: UInt64)
        async throws
    {
        try await onThread {
            let fixture = try SlowFixture(limit: 1 << 20) { $0.burst_limit = 256 << 20 }
            let (client, connection) = try fixture.open()
            fixture.publish(8, of: Self.mebibyte)
            fixture.settle(connection)
            fixture.server.run {
                let charge = apus__connection_charge(connection.pointer)
                fixture.server.config.pointee.endpoint.outbound_limit = charge - over
                apus__slow_note_sent(connection.pointer)
            }
            for _ in 0..<2 { fixture.server.skip(UInt64(SlowFixture.lag) + 1000) }
            #expect(fixture.server.counted().slow_consumers_closed == closed)
            client.close()
            fixture.end()
        }
    }

    @Test func `a client's frame that is held back is queued with its masking key`() async throws {
        try await onThread {
            let sizes = Box<Int>()
            let server = try CoreServer()
            let client = try CoreClient(
                message: [1],
                onOpen: { pointer, _ in
                    let connection = Connection(pointer: pointer)
                    #expect(Self.sendPart(connection) == 0)
                    for count in [100, 1000] {
                        let before = apus_connection_outbound(pointer)
                        connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 1, count: count))
                        sizes.put(apus_connection_outbound(pointer) - before)
                    }
                    #expect(Self.sendPart(connection, isLast: true) == 0)
                })
            defer { client.loop.free() }
            let echoed = client.run(port: server.port)
            #expect(echoed == .ended(apus_error(rawValue: 0), echoed: Self.hundred + Self.hundred))
            #expect(sizes.all == [2 + 4 + 100, 4 + 4 + 1000])
            server.stop()
        }
    }
}
