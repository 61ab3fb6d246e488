import Logging
import Synchronization

/// The part of a server that lives on one event loop: a listener, and the tasks of its connections.
final class ServerShard: Sendable {
    let loop: EventLoop
    private let logger: Logger
    private let listener = Mutex(Listener.none)
    /// Only the loop's thread touches these.
    @exclusivity(unchecked) private nonisolated(unsafe) var arrived: [HTTPConnection] = []
    @exclusivity(unchecked) private nonisolated(unsafe) var hasStopped = false
    @exclusivity(unchecked) private nonisolated(unsafe) var acceptor: UnsafeContinuation<HTTPConnection?, Never>?

    @exclusivity(unchecked) private nonisolated(unsafe) var budgetLog = RateLimitedCount()
    private let refusals: RefusalLog

    init(loop: EventLoop, logger: Logger, refusals: RefusalLog) {
        self.loop = loop
        self.logger = logger
        self.refusals = refusals
    }

    /// A client was turned away.
    func refused(_ refusal: Refusal) { refusals.tell(of: refusal) }

    var currentListener: Listener { listener.withLock { $0 } }

    func setListener(_ new: Listener) { listener.withLock { $0 = new } }

    func addStatistics(to sum: inout WebSocketServer.Statistics) {
        listener.withLock { $0.addStatistics(to: &sum) }
    }

    /// Runs `serve` as a task for every connection that sends a request, until the listener has stopped; then what
    /// still runs is cancelled and waited for. On the loop.
    func acceptConnections(_ serve: @escaping @Sendable (HTTPConnection) async -> Void) async {
        await withDiscardingTaskGroup { group in
            while let connection = await nextConnection() {
                group.addTask { await serve(connection) }
            }
            group.cancelAll()
        }
    }

    private func nextConnection() async -> HTTPConnection? {
        if !arrived.isEmpty { return arrived.removeFirst() }
        if hasStopped { return nil }
        return await withUnsafeContinuation { acceptor = $0 }
    }

    /// A connection has sent its first request.
    func connectionCame(_ connection: HTTPConnection) {
        guard let acceptor else {
            arrived.append(connection)
            return
        }
        self.acceptor = nil
        acceptor.resume(returning: connection)
    }

    /// The core has ended `count` connections, the largest of which held `charge` bytes, because memory was short. On
    /// the loop.
    func endedLargest(_ count: Int, charge: Int) {
        guard let total = budgetLog.add(count, now: .now) else { return }
        logger.warning(
            "memory is short: the connections that hold the most were closed",
            metadata: ["connections": "\(total)", "largest": "\(charge)", "memory": "\(MemoryGauge.current)"])
    }

    /// The core has freed the listener; every connection is gone.
    func stopped(_ statistics: WebSocketServer.Statistics) {
        setListener(.stopped(statistics))
        hasStopped = true
        acceptor?.resume(returning: nil)
        acceptor = nil
    }
}
