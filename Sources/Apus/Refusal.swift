/// A client that a server turned away, or whose connection failed before it could be served.
public struct Refusal: Sendable {
    /// Why a client was turned away. More causes may be added.
    public struct Cause: RawRepresentable, Hashable, Sendable {
        /// The cause as it is logged.
        public let rawValue: String

        /// Creates a cause.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The opening handshake came from a page of another origin: ``WebSocketServer/Configuration/originPolicy``.
        public static let origin = Self(rawValue: "origin")
        /// The opening handshake is not one of RFC 6455.
        public static let handshake = Self(rawValue: "handshake")
        /// The request is not one of HTTP, or asks for something that this server does not support.
        public static let malformedRequest = Self(rawValue: "malformedRequest")
        /// The request is over a limit on its head or its content.
        public static let tooLarge = Self(rawValue: "tooLarge")
        /// The request head took too long: ``WebSocketServer/Configuration/handshakeTimeout``.
        public static let timeout = Self(rawValue: "timeout")
        /// The `upgrade` closure took too long: ``WebSocketServer/Configuration/upgradeTimeout``.
        public static let upgradeTimeout = Self(rawValue: "upgradeTimeout")
        /// There are too many connections: ``WebSocketServer/Configuration/maxConnections``.
        public static let connectionLimit = Self(rawValue: "connectionLimit")
        /// The PROXY protocol's header is missing or malformed: ``WebSocketServer/Configuration/proxyProtocol``.
        public static let proxy = Self(rawValue: "proxy")
        /// TLS failed, in the handshake or later.
        public static let tls = Self(rawValue: "tls")
        /// The client spoke HTTP without TLS to a port for TLS.
        public static let plaintext = Self(rawValue: "plaintext")
    }

    /// Why it was turned away.
    public let cause: Cause
    /// The client's address: the peer's, or the one that ``WebSocketServer/Configuration/trustedProxies`` tell.
    public let address: SocketAddress
    /// What was wrong, in words; for an origin also which one, as the client wrote it (at most 200 bytes of it).
    public let detail: String
}
