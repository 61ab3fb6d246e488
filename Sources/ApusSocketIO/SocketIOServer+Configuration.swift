import Apus
import HTTPTypes

extension SocketIOServer {
    /// The settings of a Socket.IO server; the defaults are upstream's, and work as they stand.
    public struct Configuration: Sendable {
        /// Taking up again a connection that was lost: with the same identity, rooms and data, and with what was sent
        /// meanwhile.
        public struct Recovery: Hashable, Sendable {
            /// How long a client may be away. Default: 2 minutes.
            public var maxDisconnection: Duration
            /// The maximum number of events that are remembered, for all clients of a namespace. Default: 10,000.
            public var maxPackets: Int
            /// The maximum number of bytes of these events' texts and attachments, together, and, counted apart, of the
            /// rooms and the data of lost clients. With more events than that or ``maxPackets``, the older half is
            /// forgotten. Default: 64 MiB.
            public var maxBytes: Int
            /// The maximum number of lost clients that a namespace remembers. With more, those that were lost first
            /// cannot recover. Default: 100,000.
            public var maxClients: Int
            /// Whether middlewares, which have admitted the client before, are not asked again. Default: true.
            public var skipsMiddlewares: Bool

            /// Settings for recovery.
            public init(
                maxDisconnection: Duration = .seconds(120), maxPackets: Int = 10_000, maxBytes: Int = 64 << 20,
                maxClients: Int = 100_000, skipsMiddlewares: Bool = true
            ) {
                self.maxDisconnection = maxDisconnection
                self.maxPackets = maxPackets
                self.maxBytes = maxBytes
                self.maxClients = maxClients
                self.skipsMiddlewares = skipsMiddlewares
            }
        }

        /// The path at which clients connect; with a slash at its end. Default: `/socket.io/`.
        public var path = "/socket.io/"
        /// The time between a pong and the next ping, at most 12 days. Default: 25 seconds.
        public var pingInterval = Duration.seconds(25)
        /// How long to wait for a pong, at most 12 days. On expiry the session ends. Default: 20 seconds.
        public var pingTimeout = Duration.seconds(20)
        /// How long the upgrade of a connection may take, from the WebSocket's opening. Default: 10 seconds.
        public var upgradeTimeout = Duration.seconds(10)
        /// How long a client may take to join its first namespace. On expiry the session ends. Default: 45 seconds.
        public var connectTimeout = Duration.seconds(45)
        /// The maximum size of a POST or of a WebSocket message, in bytes. A larger POST is answered with 413, a larger
        /// message closes with 1009. At most the server's own `maxBodyBytes` and `maxMessageBytes`. Default: 1,000,000.
        public var maxPayloadBytes = 1_000_000
        /// The maximum memory that packets waiting for one client's polls take up, in bytes; each packet counts as 64
        /// bytes more than it holds. At the limit `emit` waits, and a packet that cannot wait ends the session.
        /// Default: 1 MiB.
        public var maxQueuedBytes = 1 << 20
        /// The maximum size of one client's events and requests to join namespaces that wait to be handled, in bytes of
        /// memory. Above it the server stops reading from the client, unless an acknowledgement or a pong is due.
        /// Default: 256 KiB.
        public var maxUnhandledBytes = 256 << 10
        /// The same while an acknowledgement or a pong is due, which may lie behind the events. Above it the session
        /// ends with the reason `limit exceeded`. One packet always has room. Default: 8 MiB.
        public var maxOvertakenBytes = 8 << 20
        /// The maximum size of a packet with all its attachments, in bytes. A client that exceeds it is disconnected
        /// with the reason `limit exceeded`. Default: 4 MiB.
        public var maxPacketBytes = 4 << 20
        /// The maximum number of attachments of a packet from a client; more end the session likewise. Default: 10.
        public var maxAttachments = 10
        /// The maximum size of an event's name from a client, in bytes; a longer one ends the session likewise.
        /// Default: 256.
        public var maxEventNameBytes = 256
        /// The maximum size of a namespace's name from a client, in bytes; a longer one ends the session likewise.
        /// Default: 256.
        public var maxNamespaceBytes = 256
        /// The maximum number of sessions, polling ones included. Further ones are refused with 503. Default: 100,000.
        public var maxSessions = 100_000
        /// The maximum number of sessions whose client has not joined a namespace yet. Further ones are refused with
        /// 503. Default: 10,000.
        public var maxPendingSessions = 10_000
        /// The maximum number of namespaces that one client may be in. Further ones are refused with a `connect_error`.
        /// Default: 100.
        public var maxNamespacesPerClient = 100
        /// The maximum size of what a client sends to join a namespace, ``Socket/auth``, in bytes of memory. It is kept
        /// as long as the client is there. More is refused with a `connect_error`. Default: 64 KiB.
        public var maxAuthBytes = 64 << 10
        /// The maximum number of namespaces that clients may name, see ``SocketIOServer/of(where:)``. Above it those
        /// without clients are forgotten; where there are none, clients get a `connect_error`. Default: 10,000.
        public var maxDynamicNamespaces = 10_000
        /// The transports that clients may use. Default: both.
        public var transports: Set<Transport> = Set(Transport.allCases)
        /// Whether a client that polls may go over to a WebSocket. Default: true.
        public var allowsUpgrades = true
        /// A cookie with the session's identity, for load balancers. Default: `nil`, none.
        public var cookie: SessionCookie?
        /// The pages of other origins that may poll. Where its `headers` are empty, a preflight is allowed the header
        /// fields that it asks for, as upstream. WebSockets go by the server's
        /// `WebSocketServer.Configuration.originPolicy`. Default: `nil`, no pages of other origins.
        public var cors: CORS?
        /// Decides on a new connection. Throwing answers 403, with the words of a ``SocketIOError/refused(_:data:)``.
        /// Default: `nil`, all are admitted.
        public var allowRequest: (@Sendable @concurrent (Handshake) async throws -> Void)?
        /// The minimum size of a poll's answer to compress, in bytes, for clients that take gzip; `nil` for never.
        /// Default: 1024.
        public var compressionThreshold: Int? = 1024
        /// Whether clients can resume lost connections, and how. Default: `nil`, they cannot.
        public var recovery: Recovery?
        /// A file to serve as `socket.io.min.js` below ``path``. Default: `nil`, none.
        public var clientScript: String?
        /// Whether a namespace of ``SocketIOServer/of(where:)`` goes with its last client. Default: false.
        public var forgetsEmptyNamespaces = false
        /// Makes what keeps a namespace's rooms. Default: an ``InMemoryAdapter``.
        public var makeAdapter: @Sendable (Namespace) -> any Adapter = { InMemoryAdapter($0) }

        /// The defaults.
        public init() {}

        var engine: EngineConfiguration {
            var engine = EngineConfiguration()
            engine.path = path
            engine.pingInterval = pingInterval
            engine.pingTimeout = pingTimeout
            engine.upgradeTimeout = upgradeTimeout
            engine.maxPayloadBytes = maxPayloadBytes
            engine.maxQueuedBytes = maxQueuedBytes
            engine.transports = transports
            engine.allowsUpgrades = allowsUpgrades
            engine.cookie = cookie
            engine.cors = cors
            engine.allowRequest = allowRequest
            engine.compressionThreshold = compressionThreshold
            engine.maxSessions = maxSessions
            engine.maxPendingSessions = maxPendingSessions
            return engine
        }

        var packets: PacketLimits {
            PacketLimits(
                namespaceBytes: maxNamespaceBytes, eventNameBytes: maxEventNameBytes, attachments: maxAttachments,
                packetBytes: maxPacketBytes)
        }

        /// Clients wait for two of them together, by timers that take no more than 2^31 milliseconds.
        private static let longestTime = Duration.seconds(12 * 86_400)

        func validate(on server: WebSocketServer.Configuration) throws(WebSocketError) {
            guard maxPayloadBytes <= min(server.maxBodyBytes, server.maxMessageBytes) else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "maxPayloadBytes is \(maxPayloadBytes); raise the server's maxBodyBytes and maxMessageBytes as well"
                )
            }
            guard path.hasPrefix("/"), path.hasSuffix("/"), path.count > 1,
                !path.contains(where: { "?# ".contains($0) })
            else {
                throw WebSocketError(.invalidConfiguration, "path is '\(path)'; write it like /socket.io/")
            }
            guard !transports.isEmpty else {
                throw WebSocketError(.invalidConfiguration, "transports is empty: no client could connect")
            }
            for (name, value) in [
                ("maxPayloadBytes", maxPayloadBytes), ("maxQueuedBytes", maxQueuedBytes),
                ("maxUnhandledBytes", maxUnhandledBytes), ("maxNamespaceBytes", maxNamespaceBytes),
                ("maxEventNameBytes", maxEventNameBytes), ("maxSessions", maxSessions),
                ("maxPendingSessions", maxPendingSessions), ("maxNamespacesPerClient", maxNamespacesPerClient),
                ("maxDynamicNamespaces", maxDynamicNamespaces), ("maxAuthBytes", maxAuthBytes),
                ("recovery.maxPackets", recovery?.maxPackets ?? 1), ("recovery.maxBytes", recovery?.maxBytes ?? 1),
                ("recovery.maxClients", recovery?.maxClients ?? 1),
            ] where value < 1 {
                throw WebSocketError(.invalidConfiguration, "\(name) is \(value); it must be at least 1")
            }
            guard maxOvertakenBytes >= maxUnhandledBytes else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "maxOvertakenBytes is \(maxOvertakenBytes); it must be at least maxUnhandledBytes, "
                        + "\(maxUnhandledBytes)")
            }
            guard maxPacketBytes >= maxPayloadBytes, maxAttachments >= 0 else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "maxPacketBytes is \(maxPacketBytes) and maxAttachments \(maxAttachments); they must be at least "
                        + "maxPayloadBytes, \(maxPayloadBytes), and 0")
            }
            for (name, value) in [
                ("pingInterval", pingInterval), ("pingTimeout", pingTimeout), ("upgradeTimeout", upgradeTimeout),
                ("connectTimeout", connectTimeout),
            ] where !(Duration.milliseconds(1)...Self.longestTime).contains(value) {
                throw WebSocketError(
                    .invalidConfiguration, "\(name) is \(value); it must be from a millisecond to 12 days")
            }
        }
    }
}

extension StaticResources {
    /// The client's script, at the places where pages look for it.
    init(clientScript file: String, at path: String) throws(WebSocketError) {
        self.init()
        let contents = try FileSystem.contents(of: file)
        for name in ["socket.io.min.js", "socket.io.js"] { add(contents, at: path + name, isCompressed: true) }
    }
}
