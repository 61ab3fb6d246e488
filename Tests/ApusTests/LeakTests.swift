@testable import Apus
import CMalloc
import Glibc
import Synchronization
import TestSupport
import Testing

private let wantedCount = getenv("APUS_ENDINGS").flatMap { Int(String(cString: $0)) } ?? 0

/// However often connections end, and however, the process is as large as before.
///
/// Only where `APUS_ENDINGS` says how often, as `Scripts/check-leaks` does: the bytes that are counted are the whole
/// process's, so nothing else may run in it.
@Suite(.serialized, .enabled(if: wantedCount > 0, "APUS_ENDINGS says how many connections"))
struct LeakTests {
    /// Less than anything that a connection keeps. Swift Testing itself remembers some 60 bytes of each error thrown.
    private static let bytesAConnection = 100
    /// What the C library keeps for threads that come and go.
    private static let noise = 64 << 10

    private static var bytesInUse: Int {
        malloc_trim(0)
        return Int(mallinfo2().uordblks)
    }

    @Test(arguments: EndingTests.endings)
    func `the process is no larger after many connections`(_ ending: EndingTests.Ending) async throws {
        // These wait for a timeout or fill a megabyte each.
        let isSlow = ["slowly", "no ping", "not answer"].contains { ending.name.contains($0) }
        let count = isSlow ? wantedCount / 20 : wantedCount
        let tasks = Tally()
        let server = try makeServer(.with(ending.change))
        try await withServer(
            server,
            handler: { socket in
                tasks.began()
                defer { tasks.ended() }
                try await ending.handler(socket)
            }
        ) { server, port in
            func end(_ count: Int) async throws {
                try await ending.play(count, port: port)
                try await until { server.statistics.connectionsNow == 0 && tasks.count == 0 }
            }
            // What is made once is made now.
            try await end(400)
            let before = Self.bytesInUse
            try await end(count)
            let grown = Self.bytesInUse - before
            print("\(ending.name): \(count) connections, \(grown) bytes more")
            #expect(grown < Self.noise + count * Self.bytesAConnection)
        }
    }

    /// Handlers' tasks that run.
    private final class Tally: Sendable {
        private let running = Atomic(0)

        var count: Int { running.load(ordering: .relaxed) }

        func began() { running.add(1, ordering: .relaxed) }

        func ended() { running.subtract(1, ordering: .relaxed) }
    }
}
