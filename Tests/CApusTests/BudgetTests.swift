import CApus
import CApusCore
import CApusInternals
import Glibc
import Synchronization
import TestSupport
import Testing

/// The memory that the core takes for used: `base`, less `each` for every connection that the budget has ended.
///
/// C asks a function without a context, so there is one for all tests of the suite, which run one after the other.
private enum Used {
    static let base = Atomic(0)
    static let each = Atomic(0)
    static let ended = Atomic(0)
    /// The address of where another loop says how many connections it has ended: at each look one more, so that nobody
    /// is impatient, however long that takes.
    static let elsewhere = Atomic(UInt(0))

    /// How many the budget has ended at a time, and the charge of the first.
    static let reports = Mutex<[[Int]]>([])

    static func set(_ bytes: Int, less perConnection: Int = 0) {
        ended.store(0, ordering: .relaxed)
        each.store(perConnection, ordering: .relaxed)
        base.store(bytes, ordering: .relaxed)
    }

    static let function: @convention(c) () -> Int = {
        let admission = UnsafeMutablePointer<apus_admission>(bitPattern: elsewhere.load(ordering: .relaxed))
        admission?.pointee.budget_ended += 1
        let given = each.load(ordering: .relaxed) * ended.load(ordering: .relaxed)
        return max(0, base.load(ordering: .relaxed) - given)
    }
}

@Suite(.serialized, .withPeers, .timeLimit(.minutes(5)))
struct BudgetTests {
    private static let budget = 1_000_000

    /// The sizes of what the connections held that were ended, in order.
    private final class Ends: Sendable {
        let tags = Mutex<[String]>([])

        func add(_ tag: String) { tags.withLock { $0.append(tag) } }
    }

    /// A server whose connections take no message, and tell their target when the budget ends them.
    private static func makeServer(
        _ ends: Ends, with other: CoreServer? = nil, _ change: (inout apus_listener_config) -> Void = { _ in },
        onConnect: @escaping @Sendable (Connection, String) -> Void = { _, _ in }
    ) throws -> CoreServer {
        let targets = Mutex<[OpaquePointer: String]>([:])
        return try CoreServer(
            {
                $0.memory_budget = budget
                $0.memory_used = Used.function
                $0.endpoint.inbound_limit = 1 << 20
                change(&$0)
            },
            .init(
                onRequest: { connection, target, isUpgrade in
                    targets.withLock { $0[connection.pointer] = target }
                    onConnect(connection, target)
                    if isUpgrade { connection.accept() } else { connection.respond(200, Array(target.utf8)) }
                },
                onMessage: { _, _, _ in },
                onEnd: { connection in
                    Used.ended.add(1, ordering: .relaxed)
                    ends.add(targets.withLock { $0[connection.pointer] } ?? "")
                }),
            with: other)
    }

    /// A connection that holds so many bytes of messages which nobody takes.
    private static func connect(_ server: CoreServer, holding bytes: Int) throws -> Client {
        let before = server.counted().messages_received
        let client = try Client(port: server.port)
        try client.open("/\(bytes)")
        var rest = bytes
        while rest > 0 {
            try client.send(.binary([UInt8](repeating: 7, count: min(rest, 10_000))))
            rest -= 10_000
        }
        let count = UInt64((bytes + 9999) / 10_000)
        while server.counted().messages_received < before + count { sched_yield() }
        return client
    }

    private static func wait(_ ends: Ends, for count: Int) -> [String] {
        while ends.tags.withLock({ $0.count }) < count { sched_yield() }
        return ends.tags.withLock { $0 }
    }

    @Test func `near the budget the largest connections are closed with 1013, in order, and small ones never`()
        async throws
    {
        Used.set(0)
        let ends = Ends()
        let statistics = try await onThread {
            let server = try Self.makeServer(ends)
            let sizes = [40_000, 120_000, 20_000, 80_000, 10_000, 0]
            let clients = try sizes.map { try Self.connect(server, holding: $0) }
            // One is enough: 850,000 are left.
            Used.set(950_000, less: 100_000)
            #expect(Self.wait(ends, for: 1) == ["/120000"])
            #expect(try clients[1].readClose() == 1013)
            // Two more, and then memory that is not the connections': all that hold much go.
            Used.set(1_000_000, less: 60_000)
            #expect(Self.wait(ends, for: 3) == ["/120000", "/80000", "/40000"])
            Used.set(2_000_000)
            #expect(Self.wait(ends, for: 4).last == "/20000")
            for index in [3, 0, 2] { #expect(try clients[index].readClose() == 1013) }
            // The others are served as before, but nobody new is.
            for index in [4, 5] {
                try clients[index].send(Frame(Frame.Opcode.ping, "still?".utf8))
                #expect(try clients[index].readFrame().text == "still?")
            }
            let refused = try Client(port: server.port)
            #expect(try refused.readAnswer().status == 503)
            Used.set(0)
            let welcome = try Client(port: server.port)
            try welcome.send("GET /welcome HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try welcome.readAnswer().text == "/welcome")
            for client in clients + [refused, welcome] { client.close() }
            return server.stop()
        }
        #expect(statistics.memory_budget_closed == 4)
        #expect(statistics.memory_budget_refused == 1)
        #expect(statistics.connections_refused == 1)
        #expect(statistics.slow_consumers_closed == 0)
    }

    @Test func `at nine tenths of the budget nobody is ended`() async throws {
        Used.set(900_000)
        let ends = Ends()
        let statistics = try await onThread {
            let server = try Self.makeServer(ends)
            let client = try Self.connect(server, holding: 100_000)
            // Past it the connection goes: so it was looked at before.
            try client.send(Frame(Frame.Opcode.ping, "there?".utf8))
            #expect(try client.readFrame().text == "there?")
            #expect(ends.tags.withLock { $0 }.isEmpty)
            Used.set(900_001)
            #expect(try client.readClose() == 1013)
            client.close()
            return server.stop()
        }
        #expect(statistics.memory_budget_closed == 1)
    }

    @Test func `over all loops the largest goes first`() async throws {
        Used.set(0)
        let ends = Ends()
        let counts = try await onThread {
            let first = try Self.makeServer(ends)
            let second = try Self.makeServer(ends, with: first)
            let clients = [
                try Self.connect(first, holding: 30_000), try Self.connect(second, holding: 90_000),
                try Self.connect(second, holding: 60_000), try Self.connect(first, holding: 70_000),
            ]
            // A loop that does not know yet what the other one has waits for its next look.
            Used.set(901_000, less: 1000)
            #expect(Self.wait(ends, for: 1) == ["/90000"])
            for client in clients { client.close() }
            return [second.stop(), first.stop()].map(\.memory_budget_closed)
        }
        #expect(counts.reduce(0, +) == 1)
    }

    @Test func `what the peer does not take counts, and so does a message that has come in part`() async throws {
        Used.set(0)
        let ends = Ends()
        try await onThread {
            let server = try Self.makeServer(ends)
            let partial = try Client(port: server.port)
            try partial.open("/partial")
            let frame = Frame(Frame.Opcode.binary, [UInt8](repeating: 7, count: 200_000)).bytes
            let before = server.counted().bytes_received
            try partial.send(Array(frame.dropLast(50_000)))
            while server.counted().bytes_received < before + UInt64(frame.count - 50_000) { sched_yield() }
            let unread = try Self.connect(server, holding: 100_000)
            Used.set(901_000, less: 1000)
            #expect(Self.wait(ends, for: 1) == ["/partial"])
            #expect(try partial.readClose() == 1013)
            partial.close()
            unread.close()
            server.stop()
        }
    }

    /// Calls `body` on the loop, so many turns later.
    private static func post(to server: CoreServer, after turns: Int, _ body: @escaping @Sendable () -> Void) {
        server.post { if turns == 0 { body() } else { post(to: server, after: turns - 1, body) } }
    }

    /// Runs `body` with a server whose loop has half of a large message over the budget and does not read on, and with
    /// its client and the message's other half. Another loop, which is busy, may have a larger connection, so nobody is
    /// ended yet.
    private static func withHeldMessage(_ body: @Sendable (CoreServer, Client, ArraySlice<UInt8>) throws -> Void) throws
    {
        Used.set(0)
        let ends = Ends()
        let server = try Self.makeServer(ends) { $0.endpoint.inbound_limit = 8 << 20 }
        let other = try Self.makeServer(ends, with: server)
        let (client, large) = (try Client(port: server.port), try Self.connect(other, holding: 300_000))
        try client.open("/large")
        let (isBusy, mayGoOn) = (Blocker(), Blocker())
        other.post {
            isBusy.release()
            mayGoOn.wait()
        }
        isBusy.wait()
        Used.elsewhere.store(UInt(bitPattern: server.admission), ordering: .relaxed)
        let frame = Frame(Frame.Opcode.binary, [UInt8](repeating: 7, count: 400_000)).bytes
        let before = server.counted().bytes_received
        try client.send(Array(frame.prefix(200_000)))
        while server.counted().bytes_received < before + 200_000 { sched_yield() }
        try body(server, client, frame.dropFirst(200_000))
        Used.set(0)
        Used.elsewhere.store(0, ordering: .relaxed)
        mayGoOn.release()
        for each in [client, large] { each.close() }
        #expect(other.stop().memory_budget_closed == 0)
    }

    @Test func `over the budget large messages are not read on, and come once there is memory again`() async throws {
        try await onThread {
            try Self.withHeldMessage { server, client, rest in
                let received = Box<UInt64>()
                let before = server.counted()
                server.run {
                    Used.set(2_000_000)
                    apus__loop_again(server.loop)
                    try? client.send(rest)
                    // The rest is there for some polls, each of which would read a part of it.
                    Self.post(to: server, after: 6) {
                        received.put(server.countedHere().bytes_received)
                        Used.set(0)
                        apus__loop_again(server.loop)
                    }
                }
                while server.counted().messages_received == before.messages_received { sched_yield() }
                #expect(received.all.count == 1)
                #expect(received.all[0] < before.bytes_received + UInt64(rest.count))
                #expect(server.stop().memory_budget_closed == 0)
            }
        }
    }

    @Test func `over the budget a connection that is closed still sees the peer's Close`() async throws {
        try await onThread {
            try Self.withHeldMessage { server, client, rest in
                server.run {
                    Used.set(2_000_000)
                    apus__loop_again(server.loop)
                    try? client.send(rest)
                    Self.post(to: server, after: 6) { server.stopListener(deadline: 3_600_000) }
                }
                let code = try client.readClose()
                #expect(code == 1001)
                let statistics = server.waitForStop()
                #expect(statistics.close_timeouts == 0)
                #expect(statistics.memory_budget_closed == 0)
            }
        }
    }

    @Test func `who holds 16 KiB may be ended, who holds a byte less is not`() async throws {
        Used.set(0)
        let ends = Ends()
        let statistics = try await onThread {
            let connections = Box<Connection>()
            let charges = Box<Int>()
            let server = try Self.makeServer(ends, onConnect: { connection, _ in connections.put(connection) })
            func charge(_ connection: Connection) -> Int {
                server.run { charges.put(apus__connection_charge(connection.pointer)) }
                return charges.take() ?? 0
            }
            // What two messages take besides their bytes.
            var clients = [try Self.connect(server, holding: 12_000)]
            let extra = charge(connections.all[0]) - 12_000
            for size in [16_383, 16_384] { clients.append(try Self.connect(server, holding: size - extra)) }
            #expect(connections.all.map(charge) == [12_000 + extra, 16_383, 16_384])
            Used.set(2_000_000)
            #expect(Self.wait(ends, for: 1) == ["/\(16_384 - extra)"])
            // Another look at all of them.
            for _ in 0..<3 { server.run { apus__loop_again(server.loop) } }
            #expect(ends.tags.withLock { $0.count } == 1)
            Used.set(0)
            for client in clients { client.close() }
            return server.stop()
        }
        #expect(statistics.memory_budget_closed == 1)
    }

    @Test func `a loop that does not answer is not waited for without end`() async throws {
        Used.set(0)
        let ends = Ends()
        try await onThread {
            let server = try Self.makeServer(ends)
            let other = try Self.makeServer(ends, with: server)
            let clients = [
                try Self.connect(server, holding: 30_000), try Self.connect(other, holding: 90_000),
            ]
            let (isBusy, mayGoOn) = (Blocker(), Blocker())
            other.post {
                isBusy.release()
                mayGoOn.wait()
            }
            isBusy.wait()
            Used.set(950_000, less: 100_000)
            while ends.tags.withLock({ $0.isEmpty }) { server.skip(100) }
            #expect(ends.tags.withLock { $0 } == ["/30000"])
            #expect(try clients[0].readClose() == 1013)
            mayGoOn.release()
            for client in clients { client.close() }
            #expect(other.stop().memory_budget_closed == 0)
            #expect(server.stop().memory_budget_closed == 1)
        }
    }

    /// A look at more connections than a turn has time for. Between its turns the largest that it has seen goes, and
    /// so does the one where it is to go on. False where the loop's timer came between.
    private static func sweepInTwoTurns() throws -> Bool {
        Used.set(0)
        Used.reports.withLock { $0 = [] }
        let ends = Ends()
        let connections = Mutex<[String: Connection]>([:])
        let server = try makeServer(ends) { config in
            config.on_budget = { _, count, charge in Used.reports.withLock { $0.append([count, charge]) } }
        } onConnect: { connection, target in
            connections.withLock { $0[target] = connection }
        }
        var clients = [try connect(server, holding: 120_000), try connect(server, holding: 80_000)]
        for _ in 0..<1998 { clients.append(try Client(port: server.port)) }
        clients.append(try connect(server, holding: 0))
        clients.append(try connect(server, holding: 100_000))
        let endedBetween = Box<Int>()
        server.run {
            apus__loop_skip(server.loop, 100)
            Used.set(980_000, less: 30_000)  // below the budget: past it the sweep begins once more
            apus__loop_again(server.loop)
            server.post {
                endedBetween.put(ends.tags.withLock { $0.count })
                for target in ["/120000", "/0"] { connections.withLock { $0[target] }?.abort() }
            }
        }
        let tags = wait(ends, for: 3)
        Used.set(0)
        for client in clients { client.close() }
        let statistics = server.stop()
        if endedBetween.all != [0] { return false }
        #expect(tags == ["/120000", "/0", "/100000"])
        #expect(Used.reports.withLock { $0.map { $0[0] } } == [1])
        #expect(Used.reports.withLock { $0.allSatisfy { (100_000..<120_000).contains($0[1]) } })
        #expect(statistics.memory_budget_closed == 1)
        return true
    }

    /// As many descriptors as the system lets the process have; often it begins with 1024.
    private static func raiseDescriptorLimit() throws {
        var limit = rlimit()
        guard getrlimit(.init(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw SystemError("getrlimit") }
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(.init(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw SystemError("setrlimit") }
    }

    @Test func `a look takes as many turns as it needs, and connections may go between them`() async throws {
        try Self.raiseDescriptorLimit()
        let isDone = try await onThread { try (0..<5).contains { _ in try Self.sweepInTwoTurns() } }
        #expect(isDone, "the first turn has looked at all of them")
    }

    /// How far memory had to fall is remembered for the whole process.
    @Test func `memory that falls far is given back to the system`() async {
        await #expect(processExitsWith: .success) {
            try await onThread {
                let server = try Self.makeServer(Ends()) { $0.memory_budget = 8 << 30 }
                let client = try Self.connect(server, holding: 10)
                let requests = Box<UInt32>()
                server.run {
                    for used in [1 << 30, (1 << 30) - (64 << 20) + 1, (1 << 30) - (64 << 20)] {
                        Used.set(used)
                        apus__loop_skip(server.loop, 1000)
                        requests.put(apus__loop_uv(server.loop).pointee.active_reqs.count)
                    }
                }
                try #require(requests.all == [0, 0, 1])
                client.close()
                server.stop()
            }
        }
    }
}
