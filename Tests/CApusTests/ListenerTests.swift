import CApus
import CApusCore
import Glibc
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ListenerTests {
    @Test func `the defaults are those of the documentation`() {
        var config = apus_listener_config()
        apus_listener_config_init(&config)
        #expect(config.endpoint.session.role == APUS_ROLE_SERVER)
        #expect(config.endpoint.session.limits.size == 1 << 20)
        #expect(config.endpoint.session.limits.fragments == 4096)
        #expect(config.endpoint.head.size == 16 << 10)
        #expect(config.endpoint.head.fields == UInt32(APUS_HEAD_MOST_FIELDS))
        #expect(config.endpoint.handshake_timeout == 10_000)
        #expect(config.endpoint.ping_interval == 30_000)
        #expect(config.endpoint.pings_missed == 2)
        #expect(config.endpoint.close_timeout == 5000)
        #expect(config.most_connections == 100_000)
        #expect(config.endpoint.inbound_limit == 64 << 10)
        #expect(config.endpoint.outbound_limit == 1 << 20)
        #expect(config.endpoint.slow_consumer == APUS_SLOW_CONSUMER_SUSPEND)
        #expect(config.origin_policy == APUS_ORIGIN_SAME)
        #expect(config.origin_count == 0)
    }

    @Test func `a listener without connections stops at once`() async throws {
        let statistics = try await onThread { try CoreServer().stop() }
        #expect(statistics.connections_accepted == 0)
    }

    @Test func `a listener may be stopped from within a connection's callback`() async throws {
        let (events, statistics) = try await onThread {
            var behaviour = CoreServer.Behaviour()
            behaviour.onMessage = { connection, _, _ in connection.stopListener() }
            let server = try CoreServer({ _ in }, behaviour)
            let client = try Client.webSocket(port: server.port)
            let other = try Client.webSocket(port: server.port)
            try client.send(.text("stop"))
            guard try client.readClose() == 1001, try other.readClose() == 1001 else { throw Client.Failure.ended }
            client.close()
            other.close()
            // Stopping what stops does nothing.
            let statistics = server.waitForStop()
            return (server.events, statistics)
        }
        #expect(events.count { $0 == .free } == 2)
        #expect(statistics.connections_now == 0)
        #expect(statistics.connections_lost == 0)
    }

    @Test func `what is left at the deadline is dropped`() async throws {
        let (events, statistics) = try await onThread {
            let server = try CoreServer()
            let silent = try Client.webSocket(port: server.port)
            let asking = try Client(port: server.port)
            try asking.send("GET / HTTP/1.1\r\n")
            while server.events.count < 1 { sched_yield() }
            let statistics = server.stop(deadline: 1)
            silent.close()
            return (server.events, statistics)
        }
        #expect(events.count { $0 == .free } == statistics.connections_accepted)
        #expect(events.contains(.end(code: 1006, reason: "", error: APUS_ETIMEDOUT)))
        #expect(statistics.connections_now == 0)
    }

    @Test func `what cannot be watched cannot listen`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("no socket", to: "file")
        let loop = try #require(apus_loop_new())
        defer { apus_loop_free(loop) }
        var config = apus_listener_config()
        apus_listener_config_init(&config)
        var admission = apus_admission()
        var listener: OpaquePointer?
        let file = open(folder.path(of: "file"), O_RDONLY)
        #expect(apus_listener_open(&listener, loop, file, &config, &admission, nil) < 0)
        #expect(close(file) == 0, "the descriptor is still the caller's")
        #expect(apus_listener_open(&listener, loop, -1, &config, &admission, nil) < 0)
        #expect(listener == nil)
    }

    /// The sockets of this process that a server at this port has accepted.
    private static func accepted(port: Int) -> [CInt] {
        (0..<4096).filter { descriptor in
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            return withUnsafeMutablePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    guard getsockname(descriptor, generic, &size) == 0, size == MemoryLayout<sockaddr_in>.size else {
                        return false
                    }
                    let isOurs = UInt16(bigEndian: address.pointee.sin_port) == UInt16(port)
                    return isOurs && getpeername(descriptor, generic, &size) == 0
                }
            }
        }
    }

    @Test func `an accepted socket sends small pieces at once`() async throws {
        try await onThread {
            let server = try CoreServer()
            let client = try Client.webSocket(port: server.port)
            let sockets = Self.accepted(port: server.port)
            #expect(sockets.count == 1)
            for socket in sockets {
                var isSet: CInt = 0
                var size = socklen_t(MemoryLayout<CInt>.size)
                #expect(getsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &isSet, &size) == 0)
                #expect(isSet != 0)
            }
            client.close()
            server.stop()
        }
    }

    @Test func `counts add up`() {
        var sum = apus_statistics()
        var more = apus_statistics()
        more.connections_accepted = 1
        more.connections_lost = 2
        apus_statistics_add(&sum, &more)
        apus_statistics_add(&sum, &more)
        #expect(sum.connections_accepted == 2)
        #expect(sum.connections_lost == 4)
        #expect(sum.messages_sent == 0)
    }

    @Test func `when descriptors run out, connections that wait are closed, and later ones served`() async {
        // A process of its own: the limit is the whole process's.
        await #expect(processExitsWith: .success) {
            try await onThread {
                let server = try CoreServer()
                let canAccept = Blocker()
                // The kernel takes connections that the loop cannot see yet.
                let isHeld = Blocker()
                let holder = Holder(server) {
                    isHeld.release()
                    canAccept.wait()
                }
                isHeld.wait()
                let clients = try (0..<3).map { _ in try Client(port: server.port) }
                let limit = try DescriptorLimit.lowerToPresentUse()
                canAccept.release()
                holder.wait()
                // One may find a descriptor that another thread has just closed: it is refused for what it says.
                // The others get a FIN, or RST for that.
                let answers = clients.map { client in
                    try? client.send("?\r\n\r\n")
                    return (try? client.readToEnd()) ?? []
                }
                let answered = answers.count { $0.starts(with: Array("HTTP/1.1 400 ".utf8)) }
                guard answers.count(where: \.isEmpty) == clients.count - answered, answered < clients.count else {
                    throw Client.Failure.malformed("\(answers)")
                }
                // Not before: a client that closes leaves a descriptor to the server, which is the same process.
                for client in clients { client.close() }
                try limit.restore()
                let client = try Client.webSocket(port: server.port)
                try client.send(.text("again"))
                guard try client.readText() == "again" else { throw Client.Failure.ended }
                try client.closeNormally()
                client.close()
                let statistics = server.stop()
                // One for each that was closed, and for each rest since: thousands, if the loop did not rest.
                guard (clients.count - answered...1000).contains(Int(statistics.accept_failures)),
                    statistics.connections_accepted == answered + 1
                else {
                    throw Client.Failure.malformed("\(statistics)")
                }
            }
        }
    }

    @Test func `a listener that stops lets go of its descriptor, whose number may be another socket's at once`() async {
        // A process of its own: nobody else takes the number.
        await #expect(processExitsWith: .success) {
            try await onThread {
                let server = try CoreServer()
                let last = try Client.webSocket(port: server.port)
                let ports = Box<Int>()
                server.run {
                    server.stopListener(deadline: 10_000)
                    var descriptor: CInt = -1
                    var address = apus_address()
                    var next: OpaquePointer?
                    let admission = UnsafeMutablePointer<apus_admission>.allocate(capacity: 1)
                    admission.initialize(to: apus_admission())
                    #expect(apus_socket_listen_tcp("127.0.0.1", 0, 64, &descriptor, 1) == 0)
                    #expect(apus_socket_local(descriptor, &address) == 0)
                    let context = Unmanaged.passUnretained(server).toOpaque()
                    #expect(apus_listener_open(&next, server.loop, descriptor, server.config, admission, context) == 0)
                    ports.put(Int(address.port))
                }
                // With its last connection the first listener goes.
                _ = try last.readClose()
                last.close()
                while !server.events.contains(.free) { sched_yield() }
                server.run {}
                let client = try Client.webSocket(port: ports.take() ?? 0)
                try client.send(.text("here"))
                guard try client.readText() == "here" else { throw Client.Failure.ended }
                // The loop goes on until the process has ended, and with it the second listener.
                _ = Unmanaged.passRetained(server)
            }
        }
    }

    @Test func `a reserve that could not be had is taken as soon as a descriptor is free`() async {
        await #expect(processExitsWith: .success) {
            try await onThread {
                let loop = try #require(apus_loop_new())
                var descriptor: CInt = -1
                #expect(apus_socket_listen_tcp("127.0.0.1", 0, 64, &descriptor, 1) == 0)
                var address = apus_address()
                #expect(apus_socket_local(descriptor, &address) == 0)
                let waiting = try Client(port: Int(address.port))
                let config = UnsafeMutablePointer<apus_listener_config>.allocate(capacity: 1)
                apus_listener_config_init(config)
                let admission = UnsafeMutablePointer<apus_admission>.allocate(capacity: 1)
                admission.initialize(to: apus_admission())
                // So the listener gets none, as where another thread is quicker.
                let limit = try DescriptorLimit.lowerToPresentUse()
                var listener: OpaquePointer?
                #expect(apus_listener_open(&listener, loop, descriptor, config, admission, nil) == 0)
                #expect(apus_loop_start(loop, "reserve") == 0)
                // Sooner it could be the connection's that waits.
                var counts = apus_statistics()
                while counts.accept_failures == 0 {
                    counts = apus_statistics()
                    apus_listener_add_statistics(try #require(listener), &counts)
                    sched_yield()
                }
                // It is the reserve's: whoever waits is closed, not accepted.
                try limit.raise(by: 1)
                let answer = try waiting.readToEnd()
                guard answer.isEmpty else { throw Client.Failure.malformed("\(answer)") }
            }
        }
    }
}

/// Runs something on a server's loop, and waits for it when told.
private final class Holder: @unchecked Sendable {
    private let isDone = Blocker()

    init(_ server: CoreServer, _ body: @escaping @Sendable () -> Void) {
        let isDone = isDone
        server.post {
            body()
            isDone.release()
        }
    }

    func wait() { isDone.wait() }
}

/// How many descriptors the process may have.
private struct DescriptorLimit {
    private var before: rlimit
    private var lowered: rlimit

    /// No more than are open already.
    static func lowerToPresentUse() throws -> Self {
        var before = rlimit()
        guard getrlimit(.init(RLIMIT_NOFILE.rawValue), &before) == 0 else { throw SystemError("getrlimit") }
        let next = dup(0)  // the lowest that is free
        close(next)
        var lowered = rlimit(rlim_cur: rlim_t(next), rlim_max: before.rlim_max)
        guard setrlimit(.init(RLIMIT_NOFILE.rawValue), &lowered) == 0 else { throw SystemError("setrlimit") }
        return Self(before: before, lowered: lowered)
    }

    /// Allows so many more.
    func raise(by count: rlim_t) throws {
        var raised = rlimit(rlim_cur: lowered.rlim_cur + count, rlim_max: lowered.rlim_max)
        guard setrlimit(.init(RLIMIT_NOFILE.rawValue), &raised) == 0 else { throw SystemError("setrlimit") }
    }

    func restore() throws {
        var before = before
        guard setrlimit(.init(RLIMIT_NOFILE.rawValue), &before) == 0 else { throw SystemError("setrlimit") }
    }
}
