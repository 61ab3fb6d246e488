import Apus
import HTTPTypes

/// The settings of an Engine.IO endpoint.
package struct EngineConfiguration: Sendable {
    package var path = "/engine.io/"
    package var pingInterval = Duration.seconds(25)
    package var pingTimeout = Duration.seconds(20)
    package var upgradeTimeout = Duration.seconds(10)
    package var maxPayloadBytes = 1_000_000
    package var maxQueuedBytes = 1 << 20
    package var transports: Set<Transport> = [.polling, .webSocket]
    package var allowsUpgrades = true
    package var cookie: SessionCookie?
    package var cors: CORS?
    package var allowRequest: (@Sendable @concurrent (Handshake) async throws -> Void)?
    package var compressionThreshold: Int? = 1024
    package var maxSessions = 100_000
    /// Of sessions that the application has not accepted yet.
    package var maxPendingSessions = 10_000

    package init() {}

    var limits: SessionMachine.Limits {
        var limits = SessionMachine.Limits()
        limits.pingInterval = pingInterval
        limits.pingTimeout = pingTimeout
        limits.upgradeTimeout = upgradeTimeout
        limits.queuedBytes = maxQueuedBytes
        return limits
    }
}

/// A way of the packets.
public enum Transport: String, Hashable, Sendable, CaseIterable {
    /// HTTP long-polling: a GET that waits for packets, and a POST for each batch of them.
    case polling
    /// A WebSocket.
    case webSocket = "websocket"

    /// The one that a query names.
    init?(in query: Query) {
        guard let transport = Self.allCases.first(where: { query.has("transport", $0.rawValue) }) else { return nil }
        self = transport
    }
}

/// The cookie that a client is given with its session, so that a balancer sends it to the same node again.
public struct SessionCookie: Hashable, Sendable {
    /// Whether pages of other sites send it along.
    public enum SameSite: String, Hashable, Sendable {
        case strict = "Strict"
        case lax = "Lax"
        case none = "None"
    }

    /// Its name.
    public var name: String
    /// The path it is for; `nil` for the request's own.
    public var path: String?
    /// Whether scripts cannot read it.
    public var isHTTPOnly: Bool
    /// Whether only TLS carries it.
    public var isSecure: Bool
    /// Whether pages of other sites send it along.
    public var sameSite: SameSite
    /// For how long it is kept; `nil` until the browser is closed.
    public var maxAge: Duration?

    /// A cookie; as upstream's where nothing else is said.
    public init(
        name: String = "io", path: String? = "/", isHTTPOnly: Bool = true, isSecure: Bool = false,
        sameSite: SameSite = .lax, maxAge: Duration? = nil
    ) {
        self.name = name
        self.path = path
        self.isHTTPOnly = isHTTPOnly
        self.isSecure = isSecure
        self.sameSite = sameSite
        self.maxAge = maxAge
    }

    /// The value of `Set-Cookie` (RFC 6265 §4.1).
    func field(_ id: String) -> String {
        var text = "\(name)=\(id)"
        if let maxAge { text += "; Max-Age=\(maxAge.components.seconds)" }
        if let path { text += "; Path=\(path)" }
        if isHTTPOnly { text += "; HttpOnly" }
        if isSecure { text += "; Secure" }
        return text + "; SameSite=\(sameSite.rawValue)"
    }
}
