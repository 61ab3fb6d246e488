import Apus
import Logging
import Synchronization

/// What namespaces and clients need of their server. They do not hold the server itself, which holds them.
final class ServerCore: Sendable {
    let configuration: SocketIOServer.Configuration
    let server: WebSocketServer
    let engine: EngineServer
    /// What is being done for clients.
    let work = RunningWork()
    var logger: Logger { server.logger }
    /// How many namespaces there are that clients have named.
    let dynamicNamespaces = Atomic(0)
    private let ids = Atomic(0)
    private let stopped = Mutex(ContinuousClock.Instant?.none)

    init(_ configuration: SocketIOServer.Configuration, _ server: WebSocketServer, _ engine: EngineServer) {
        self.configuration = configuration
        self.server = server
        self.engine = engine
    }

    /// A number for an acknowledgement, which no other one that waits has.
    func nextID() -> Int { ids.add(1, ordering: .relaxed).oldValue }

    /// The server begins to stop.
    func stop() {
        stopped.withLock { $0 = $0 ?? .now }
        engine.close(.serverShuttingDown)
    }

    /// Returns when all handlers have; the server has stopped.
    func finish() async {
        engine.close(.serverShuttingDown)
        engine.forgetAll()
        let stopped = stopped.withLock { $0 } ?? .now
        await work.finish(by: stopped + server.configuration.stopDeadline)
    }
}

/// The handlers and middlewares that run, or may run yet: the server's end waits for them.
final class RunningWork: Sendable {
    private struct State {
        var last = 0
        var cancellations: [Int: @Sendable () -> Void] = [:]
        var waiter: UnsafeContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Takes on work, which `cancel` cancels, until ``end(_:)`` with the number that is returned.
    func begin(cancel: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.last += 1
            state.cancellations[state.last] = cancel
            return state.last
        }
    }

    /// Runs a task that is work.
    func run(on loop: EventLoop, _ body: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            state.last += 1
            let number = state.last
            let task = Task(executorPreference: loop) {
                await body()
                self.end(number)
            }
            state.cancellations[number] = { task.cancel() }
        }
    }

    func end(_ number: Int) {
        let waiter = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            state.cancellations[number] = nil
            guard state.cancellations.isEmpty else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns once nothing runs; what still does at the deadline is cancelled, and waited for. Once.
    func finish(by deadline: ContinuousClock.Instant) async {
        // A task of its own: ours is cancelled where that is what stops the server.
        let deadline = Task {
            do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
            for cancel in self.state.withLock({ Array($0.cancellations.values) }) { cancel() }
        }
        await withUnsafeContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.cancellations.isEmpty { state.waiter = continuation }
                return state.cancellations.isEmpty
            }
            if isIdle { continuation.resume() }
        }
        deadline.cancel()
    }
}
