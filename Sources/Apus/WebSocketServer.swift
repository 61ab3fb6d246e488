import HTTPTypes
import Logging
import ServiceLifecycle
import Synchronization

/// A server for WebSockets and the HTTP around them.
///
/// ```swift
/// let server = try WebSocketServer(configuration: .init(port: 8080))
/// let lobby = server.topic("lobby")
/// try await server.run { socket in
///     await socket.subscribe(to: lobby)
///     for try await message in socket {
///         lobby.publish(message)
///     }
/// }
/// ```
///
/// Connections are spread over ``Configuration/threads`` event loops. A handler runs, as one task a connection, on its
/// connection's loop; it must not block there. When it returns the connection closes with 1000, when it throws with
/// 1011, when the server stops with ``Configuration/stopCode``, 1001 by default.
public final class WebSocketServer: Sendable {
    /// The settings it was made with.
    public let configuration: Configuration
    package let logger: Logger
    package let loops: [EventLoop]
    private let topics = Mutex<[String: Topic]>([:])
    let listeners = Mutex<[ServerShard]>([])
    /// For connections to come; `nil` where the server speaks no TLS.
    let tls: Mutex<TLSContext?>
    private let hasRun = Mutex(false)
    let draining = DrainSignal()
    /// Waits for so long, or until the task is cancelled; tests have their own.
    let sleep: @Sendable (Duration) async throws -> Void
    private let hooks = Mutex(Hooks())

    private struct Hooks {
        var stop: [@Sendable () -> Void] = []
        var end: [@Sendable () async -> Void] = []
    }

    /// Makes a server and the threads of its event loops; it listens once it runs.
    ///
    /// - Throws: ``WebSocketError``: `invalidConfiguration`, `unreadableFile` of a certificate, or `outOfResources`.
    public convenience init(
        configuration: Configuration = .init(), logger: Logger = Logger(label: "apus")
    ) throws(WebSocketError) {
        try self.init(configuration, logger) { try await Task.sleep(for: $0) }
    }

    init(
        _ configuration: Configuration, _ logger: Logger, sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws(WebSocketError) {
        try configuration.validate()
        self.sleep = sleep
        self.configuration = configuration
        self.logger = logger
        var context: TLSContext?
        if let tls = configuration.tls { context = try Self.makeTLS(tls, logger: logger) }
        tls = Mutex(context)
        var loops: [EventLoop] = []
        for index in 0..<configuration.threads {
            loops.append(try EventLoop(name: "apus-\(index)"))
        }
        self.loops = loops
    }

    /// The topic of that name; the same one for the same name.
    public func topic(_ name: String) -> Topic {
        topics.withLock { topics in
            if let topic = topics[name] { return topic }
            let topic = Topic(name: name, loops: loops)
            topics[name] = topic
            return topic
        }
    }

    /// A topic that the server does not know by name, and so forgets with its last reference.
    package func makeTopic(_ name: String) -> Topic { Topic(name: name, loops: loops) }

    /// Calls `body` when the server begins to stop, before its connections are closed; on any thread.
    package func onStop(_ body: @escaping @Sendable () -> Void) {
        hooks.withLock { $0.stop.append(body) }
    }

    /// Calls `body` once the server has run for good: when no connection is left, and before `run` returns.
    package func onEnd(_ body: @escaping @Sendable () async -> Void) {
        hooks.withLock { $0.end.append(body) }
    }

    func callStopHooks() {
        for hook in hooks.withLock({ $0.stop }) { hook() }
    }

    /// The last use of any of them.
    func callEndHooks() async {
        let end = hooks.withLock { hooks in
            defer { hooks = Hooks() }
            return hooks.end
        }
        for hook in end { await hook() }
    }

    /// The counters, over all connections since the server was made.
    public var statistics: Statistics {
        listeners.withLock { listeners in
            var statistics = Statistics()
            for listener in listeners { listener.addStatistics(to: &statistics) }
            statistics.memoryNow = MemoryGauge.current
            return statistics
        }
    }

    /// Runs once; the listeners' counters go on.
    func markRunning() throws(WebSocketError) {
        let ranBefore = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return hasRun
        }
        guard !ranBefore else {
            throw WebSocketError(.invalidConfiguration, "a server runs once; make another one to run again")
        }
    }
}
