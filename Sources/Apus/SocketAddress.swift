/// One end of a connection.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// A numeric address such as `127.0.0.1` or `::1`, or the path of a Unix socket (empty for an unnamed one).
    public let host: String
    /// The port; 0 for a Unix socket.
    public let port: Int
    /// Whether it is a Unix socket.
    public let isUnix: Bool

    init(host: String, port: Int, isUnix: Bool) {
        self.host = host
        self.port = port
        self.isUnix = isUnix
    }

    static let unknown = Self(host: "", port: 0, isUnix: false)

    /// `host:port`, `[host]:port` for IPv6, `unix:path`.
    public var description: String {
        if isUnix { return "unix:\(host)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
