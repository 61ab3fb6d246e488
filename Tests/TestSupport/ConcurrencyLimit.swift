import Synchronization
import Testing

/// Bounds how many tests of a kind run at the same time.
///
/// Swift Testing begins all tests of a process at once, and Swift's tasks share as few threads as the machine has
/// cores. On a small machine hundreds of servers and clients would then wait for each other longer than a client waits
/// for its server. The time that a test waits for its place counts for its time limit, so that must be long.
public struct ConcurrencyLimit: SuiteTrait, TestTrait, TestScoping {
    private let room: Room
    private let hasOwnThread: Bool

    /// It holds for each test of a suite.
    public var isRecursive: Bool { true }

    /// Waits for a place, and runs the test.
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await room.enter()
        defer { room.leave() }
        if hasOwnThread {
            try await withTaskExecutorPreference(ThreadPerJob.shared) { try await function() }
        } else {
            try await function()
        }
    }

    fileprivate static let peers = Self(room: Room(of: 8), hasOwnThread: false)
    fileprivate static let computing = Self(room: Room(of: 1), hasOwnThread: true)
}

extension Trait where Self == ConcurrencyLimit {
    /// For tests that wait for peers: eight at a time.
    public static var withPeers: Self { .peers }
    /// For tests that keep a core busy for long: one at a time, on a thread of its own.
    public static var computing: Self { .computing }
}

/// So many may be inside; who comes later waits, in order.
private final class Room: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(of size: Int) { state = Mutex(State(free: size)) }

    func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free == 0 {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
