import CApus
import CApusCore
import CApusInternals
import Glibc
import Synchronization
import TestSupport
import Testing

/// How an attempt to connect ended.
private struct Outcome: Equatable, Sendable {
    /// Whom the socket is connected to.
    var port: UInt16?
    var error = APUS_OK
    var system: CInt = 0
}

/// What `on_done` tells, for a thread that waits for it.
private final class Waiter: Sendable {
    private let outcome = Mutex<Outcome?>(nil)
    private let isDone = Blocker()

    func wait() -> Outcome? {
        isDone.wait()
        return outcome.withLock { $0 }
    }

    var isTold: Bool { outcome.withLock { $0 != nil } }

    static let onDone: apus_connect_cb = { context, descriptor, error, system in
        guard let context else { return }
        let waiter = Unmanaged<Waiter>.fromOpaque(context).takeUnretainedValue()
        var told = Outcome(error: apus_error(rawValue: error), system: system)
        if descriptor >= 0 {
            var address = apus_address()
            if apus_socket_peer(descriptor, &address) == 0 { told.port = address.port }
            close(descriptor)
        }
        let outcome = told
        waiter.outcome.withLock { $0 = outcome }
        waiter.isDone.release()
    }

    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
}

private func address(port: Int, _ host: UInt32 = 0x7f00_0001) -> apus_socket_address {
    var address = apus_socket_address()
    withUnsafeMutableBytes(of: &address.storage) { bytes in
        var inner = sockaddr_in()
        inner.sin_family = sa_family_t(AF_INET)
        inner.sin_port = UInt16(port).bigEndian
        inner.sin_addr.s_addr = host.bigEndian
        withUnsafeBytes(of: inner) { bytes.copyMemory(from: $0) }
    }
    address.len = socklen_t(MemoryLayout<sockaddr_in>.size)
    return address
}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ConnectTests {
    /// Starts to connect on a loop and waits for the end.
    private func outcome(
        _ start: @escaping @Sendable (OpaquePointer, UnsafeMutableRawPointer) -> OpaquePointer?
    ) async throws -> Outcome? {
        try await onThread {
            let loop = try CoreLoop()
            defer { loop.free() }
            let waiter = Waiter()
            loop.run {
                let connect = start(loop.pointer, waiter.context)
                #expect(connect != nil)
                #expect(!waiter.isTold, "it ends in a later turn")
            }
            return waiter.wait()
        }
    }

    private func race(_ ports: [Int], timeout: UInt32 = 20_000) async throws -> Outcome? {
        try await outcome { loop, context in
            let addresses = ports.map { address(port: $0) }
            return apus__connect_race(loop, addresses, addresses.count, timeout, Waiter.onDone, context)
        }
    }

    // MARK: Order (RFC 8305 §4)

    @Test(arguments: [
        ("", ""), ("4", "4"), ("6666", "6666"), ("6644", "6464"), ("4466", "4646"), ("66644", "64646"),
        ("644", "644"), ("6444466", "6464644"), ("46", "46"),
    ])
    func `the families take turns, the first one's first, each in its order`(before: String, after: String) {
        var addresses = before.enumerated().map { index, family in
            var address = apus_socket_address(storage: sockaddr_storage(), len: socklen_t(index))
            address.storage.ss_family = sa_family_t(family == "6" ? AF_INET6 : AF_INET)
            return address
        }
        apus__connect_interleave(&addresses, addresses.count)
        #expect(addresses.map { $0.storage.ss_family == sa_family_t(AF_INET6) ? "6" : "4" }.joined() == after)
        for family in [AF_INET, AF_INET6] {
            let places = addresses.filter { $0.storage.ss_family == sa_family_t(family) }.map(\.len)
            #expect(places == places.sorted())
        }
    }

    // MARK: Racing (RFC 8305 §5)

    @Test func `an address that takes the connection is the end`() async throws {
        let server = try RawServer()
        #expect(try await race([server.port, RawServer.closedPort()]) == Outcome(port: UInt16(server.port)))
    }

    @Test func `after one that refuses the next is tried`() async throws {
        let server = try RawServer()
        let ports = [try RawServer.closedPort(), try RawServer.closedPort(), server.port]
        #expect(try await race(ports) == Outcome(port: UInt16(server.port)))
    }

    @Test func `one that is silent does not hold up the next`() async throws {
        let silent = try RawServer.blackHole()
        let server = try RawServer()
        #expect(try await race([silent.port, server.port]) == Outcome(port: UInt16(server.port)))
        withExtendedLifetime(silent) {}
    }

    @Test func `when all refuse, the first one's reason is told`() async throws {
        let ports = [try RawServer.closedPort(), try RawServer.closedPort()]
        #expect(try await race(ports) == Outcome(error: APUS_ECONNECT, system: -ECONNREFUSED))
    }

    @Test func `when none answers in time, that is told`() async throws {
        let silent = try RawServer.blackHole()
        #expect(try await race([silent.port, silent.port], timeout: 50) == Outcome(error: APUS_ETIMEDOUT))
        withExtendedLifetime(silent) {}
    }

    @Test func `an address that cannot be connected to at once is passed over`() async throws {
        let server = try RawServer()
        let outcome = try await outcome { loop, context in
            var wrong = address(port: 1)
            wrong.storage.ss_family = 0xff
            return apus__connect_race(loop, [wrong, address(port: server.port)], 2, 20_000, Waiter.onDone, context)
        }
        #expect(outcome == Outcome(port: UInt16(server.port)))
    }

    @Test func `without any address there is no connection, which is told later`() async throws {
        #expect(try await race([]) == Outcome(error: APUS_ECONNECT))
    }

    // MARK: Hosts

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `a host may be an address or a name`(host: String) async throws {
        let server = try RawServer()
        let outcome = try await outcome { loop, context in
            apus__connect_tcp(loop, host, UInt16(server.port), 20_000, Waiter.onDone, context)
        }
        #expect(outcome == Outcome(port: UInt16(server.port)))
    }

    @Test func `a host that has no address is told`() async throws {
        let outcome = try await outcome { loop, context in
            // A label of more than 63 characters (RFC 1035 §2.3.4): no resolver asks anybody.
            apus__connect_tcp(
                loop, String(repeating: "a", count: 64) + ".invalid", 1, 20_000, Waiter.onDone, context)
        }
        #expect(outcome?.error == APUS_ERESOLVE)
        #expect(outcome?.system != 0)
    }

    @Test func `a Unix socket that is not there, or cannot be, is told`() async throws {
        let missing = try await outcome { loop, context in
            apus__connect_unix(loop, "/nowhere/at/all", 20_000, Waiter.onDone, context)
        }
        #expect(missing == Outcome(error: APUS_ECONNECT, system: -ENOENT))
        let long = try await outcome { loop, context in
            apus__connect_unix(loop, "/" + String(repeating: "a", count: 200), 20_000, Waiter.onDone, context)
        }
        #expect(long == Outcome(error: APUS_ECONNECT, system: -ENAMETOOLONG))
    }

    // MARK: Giving up

    @Test func `what is cancelled is never told, and leaves nothing`() async throws {
        let silent = try RawServer.blackHole()
        try await onThread {
            let loop = try CoreLoop()
            let waiter = Waiter()
            for host in ["127.0.0.1", "localhost"] {
                loop.run {
                    let connect = apus__connect_tcp(
                        loop.pointer, host, UInt16(silent.port), 20_000, Waiter.onDone, waiter.context)
                    if let connect { apus__connect_cancel(connect) }
                }
            }
            loop.free()  // aborts where a handle is left open
            #expect(!waiter.isTold)
        }
    }

    @Test func `without memory nothing is started`() async throws {
        try await onThread {
            let loop = try CoreLoop()
            defer { loop.free() }
            let waiter = Waiter()
            loop.run {
                apus_alloc_fail(1)
                #expect(apus__connect_tcp(loop.pointer, "127.0.0.1", 1, 1, Waiter.onDone, waiter.context) == nil)
                apus_alloc_fail(0)
            }
        }
    }
}

struct RandomTests {
    @Test func `keys are fresh, and forgotten once handed out`() {
        var random = apus_random()
        let keys = (0..<1000).map { _ in apus__random_key(&random) }
        // Of a thousand numbers of 32 bits two are the same in one of 8600 runs; ten are, never.
        #expect(Set(keys).count > 990)
        let kept = withUnsafeBytes(of: &random.keys) { Array($0.bindMemory(to: UInt32.self)) }
        #expect(kept.suffix(Int(APUS_RANDOM_KEYS) - Int(random.left)).allSatisfy { $0 == 0 })
    }
}
