import CApus
import CApusCore
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct PairTests {
    private static let callbacks = apus_connection_callbacks(
        on_request: { _, _, _ in }, on_body: { _, _, _ in }, on_body_end: { _, _ in }, on_peer_end: { _ in },
        on_pull: { _ in }, on_refused: nil,
        on_message: { _, _ in }, on_drain: { _ in }, on_pong: { _, _, _ in }, on_stop: nil, on_end: { _, _ in },
        on_free: { _ in })

    private static func config(_ role: apus_role, level: CInt = 6) -> apus_endpoint_config {
        var config = apus_endpoint_config()
        apus_endpoint_config_init(&config, role)
        config.compression.mode = APUS_COMPRESSION_DEDICATED
        config.compression.level = level
        config.callbacks = callbacks
        return config
    }

    /// Opens a pair on the loop with the `nth` allocation failing (0: none), and stops it again; the error of opening.
    private static func openAndStop(_ loop: CoreLoop, failing nth: UInt32, level: CInt = 6) -> CInt? {
        let result = Box<CInt>()
        let hasStopped = Blocker()
        loop.run {
            var (server, client) = (config(APUS_ROLE_SERVER, level: level), config(APUS_ROLE_CLIENT))
            var pair: OpaquePointer?
            apus_alloc_fail(nth)
            let error = apus_pair_open(
                &pair, loop.pointer, &server, &client, { _, _, _, _ in }, nil)
            apus_alloc_fail(0)
            result.put(error)
            guard let pair else {
                hasStopped.release()
                return
            }
            let context = Unmanaged.passRetained(hasStopped)
            apus_pair_stop(
                pair,
                { context in
                    guard let context else { return }
                    Unmanaged<Blocker>.fromOpaque(context).takeRetainedValue().release()
                }, context.toOpaque())
        }
        hasStopped.wait()
        return result.take()
    }

    @Test func `without memory no pair opens, and nothing is left of it`() async throws {
        try await onThread {
            let loop = try CoreLoop()
            defer { loop.free() }
            for nth in 1...100 as ClosedRange<UInt32> {
                let error = Self.openAndStop(loop, failing: nth)
                if error == 0 {
                    #expect(nth > 7, "keys, pair, connections, pipes, heads")
                    return
                }
                #expect(error == APUS_ENOMEM.rawValue)
            }
            Issue.record("after a hundred allocations there is no end to them")
        }
    }

    @Test func `a level of compression that zlib has not is refused`() async throws {
        let error = try await onThread {
            let loop = try CoreLoop()
            defer { loop.free() }
            return Self.openAndStop(loop, failing: 0, level: 10)
        }
        #expect(error == APUS_EINVAL.rawValue)
    }
}
