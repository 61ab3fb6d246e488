import CApus
import CApusCore
import CApusInternals
import Glibc
import TestSupport
import Testing

/// A server whose connections subscribe to one topic, and take no messages.
struct SlowFixture: Sendable {
    static let hour: UInt32 = 3_600_000
    static let lag = hour
    static let stall = 100 * hour

    let server: CoreServer
    let topic: CoreTopic
    let connections: Box<Connection>

    init(
        _ policy: apus_slow_consumer = APUS_SLOW_CONSUMER_SUSPEND, limit: Int = 64 << 10,
        _ change: (inout apus_endpoint_config) -> Void = { _ in },
        onMessage: @escaping @Sendable (Connection) -> Void = { _ in },
        onDrain: @escaping @Sendable (Connection) -> Void = { _ in }
    ) throws {
        let connections = Box<Connection>()
        let topics = Box<CoreTopic>()
        var behaviour = CoreServer.Behaviour()
        let usual = behaviour.onRequest
        behaviour.onRequest = { connection, target, isUpgrade in
            guard isUpgrade else { return usual(connection, target, isUpgrade) }
            connection.accept()
            if target != "/aside" { connection.demand(APUS_DEMAND_ALL) }
            #expect(apus_topic_subscribe(topics.all[0].pointer, connection.pointer) == 0)
            connections.put(connection)
        }
        behaviour.onMessage = { connection, _, _ in onMessage(connection) }
        behaviour.onDrain = onDrain
        server = try CoreServer(
            {
                $0.endpoint.outbound_limit = limit
                $0.endpoint.slow_consumer = policy
                $0.endpoint.slow_consumer_lag = Self.lag
                $0.endpoint.stall_timeout = Self.stall
                $0.endpoint.close_timeout = 1000 * Self.hour
                $0.endpoint.ping_interval = 0
                change(&$0.endpoint)
            }, behaviour)
        server.run { [server] in
            var limits = apus_loop_limits()
            apus_loop_limits_init(&limits)
            limits.turn_bytes = .max
            limits.turn_deliveries = .max
            apus_loop_set_limits(server.loop, &limits)
        }
        topic = try CoreTopic(server.loop)
        topics.put(topic)
        self.connections = connections
    }

    /// A client that takes little before it reads.
    func open(_ target: String = "/", receiveBuffer: Int32? = 4096) throws -> (Client, Connection) {
        let client = try Client.webSocket(port: server.port, target, receiveBuffer: receiveBuffer)
        while connections.all.isEmpty { sched_yield() }
        return (client, try #require(connections.take()))
    }

    /// Publishes in one turn of the loop.
    func publish(_ count: Int, of payload: [UInt8]) {
        server.run { [topic] in
            for _ in 0..<count {
                #expect(apus_topic_publish(topic.pointer, APUS_OPCODE_BINARY, payload, payload.count, 0) == 0)
            }
        }
        turn()
    }

    /// Lets the loop flush, and poll.
    func turn() { for _ in 0..<3 { server.run {} } }

    /// Lets the socket take all it has room for: how much that is depends on the machine.
    func settle(_ connection: Connection) {
        var (last, rounds) = (charge(connection), 0)
        while rounds < 10 {
            turn()
            let now = charge(connection)
            rounds = now == last ? rounds + 1 : 0
            last = now
        }
    }

    func queued(_ connection: Connection) -> Int {
        let sizes = Box<Int>()
        server.run { sizes.put(apus_connection_outbound(connection.pointer)) }
        return sizes.take() ?? 0
    }

    func charge(_ connection: Connection) -> Int {
        let sizes = Box<Int>()
        server.run { sizes.put(apus__connection_charge(connection.pointer)) }
        return sizes.take() ?? 0
    }

    /// What the client's system has acknowledged so far.
    func acknowledged(_ connection: Connection) -> UInt64 {
        let counts = Box<UInt64>()
        server.run { counts.put(apus__connection_acknowledged(connection.pointer)) }
        return counts.take() ?? 0
    }

    /// Whether the client's system has not yet acknowledged all it was sent.
    func isOutstanding(_ connection: Connection) -> Bool {
        let answers = Box<Bool>()
        server.run { answers.put(apus__connection_is_outstanding(connection.pointer)) }
        return answers.take() ?? false
    }

    /// Waits until the loop has noticed what the client did.
    func until(_ condition: () -> Bool) { while !condition() { sched_yield() } }

    /// Reads until the loop has noticed it: a socket has room only once a good part of its buffer is empty.
    func read(_ client: Client, until condition: () -> Bool) throws {
        while !condition() { _ = try client.read(64 << 10) }
    }

    @discardableResult
    func end() -> apus_statistics {
        apus_topic_release(topic.pointer)
        return server.stop(deadline: 1)
    }
}
