import Synchronization

extension WebSocketServer {
    /// Whether the server was told to stop: by a signal, a graceful shutdown of its `ServiceGroup`, ``shutDown()`` or a
    /// cancellation. Never false again. From any task.
    ///
    /// ```swift
    /// try await server.run(http: { _ in .text("", status: server.isDraining ? .serviceUnavailable : .ok) }) { … }
    /// ```
    public var isDraining: Bool { draining.hasBegun }

    /// Tells the server to stop gracefully, as a signal does, and waits for nothing: `run` returns when it has stopped.
    /// Where the server is not running yet, it stops as soon as it does. From any task, as often as one likes.
    public func shutDown() { draining.begin() }
}

/// Tells one task, once, that the server is to stop.
final class DrainSignal: Sendable {
    private struct State {
        var hasBegun = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    func begin() {
        let waiter = state.withLock { state in
            state.hasBegun = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns once it has begun, whether the task is cancelled or not.
    func wait() async {
        await withCheckedContinuation { continuation in
            let hasBegun = state.withLock { state in
                if !state.hasBegun { state.waiter = continuation }
                return state.hasBegun
            }
            if hasBegun { continuation.resume() }
        }
    }
}
