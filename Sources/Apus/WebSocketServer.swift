import HTTPTypes
import Logging
import ServiceLifecycle
import Synchronization

/// A server for WebSockets and the HTTP around them.
///
/// ```swift
/// let server = try WebSocketServer(configuration: .init(port: 8080))
/// let lobby = try server.topic("lobby")
/// try await server.run { socket in
///     try await socket.subscribe(to: lobby)
///     for try await message in socket {
///         try await lobby.publish(message)
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
    let topics = TopicRegistry()
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
            loops.append(try EventLoop(name: "apus-\(index)", limits: configuration))
        }
        self.loops = loops
    }

    /// The topic of that name; the same one for the same name, for as long as somebody holds it or has subscribed to
    /// it. Then it is forgotten.
    ///
    /// The name may come from a peer. It is compared by its UTF-8 bytes, not by canonical equivalence.
    ///
    /// - Throws: ``WebSocketError`` with the code `invalidArgument` if the name is longer than
    ///   ``Topic/maxNameBytes``.
    public func topic(_ name: String) throws(WebSocketError) -> Topic {
        guard name.utf8.count <= Topic.maxNameBytes else {
            throw WebSocketError(
                .invalidArgument, "the name of a topic has \(name.utf8.count) bytes; \(Topic.maxNameBytes) are allowed")
        }
        return topics.topic(name) { Topic(name: name, loops: loops, registry: topics) }
    }

    /// Makes a topic that only those who get it know: ``topic(_:)`` does not find it by its name.
    ///
    /// - Parameter name: any text, as a description; empty by default.
    public func makeTopic(_ name: String = "") -> Topic { Topic(name: name, loops: loops, registry: nil) }

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
