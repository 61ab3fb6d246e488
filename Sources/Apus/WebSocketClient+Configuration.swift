import HTTPTypes

extension WebSocketClient {
    /// The settings of a client; the defaults work as they stand.
    public struct Configuration: Sendable {
        /// An HTTP proxy, which is asked to `CONNECT` to the server (RFC 9110 §9.3.6).
        public struct Proxy: Hashable, Sendable {
            /// A name or a numeric address, without brackets.
            public var host: String
            /// The port.
            public var port: Int
            /// Fields for the proxy alone, such as `Proxy-Authorization`.
            public var headerFields: HTTPFields

            /// A proxy at `host:port`.
            public init(host: String, port: Int, headerFields: HTTPFields = [:]) {
                self.host = host
                self.port = port
                self.headerFields = headerFields
            }
        }

        /// Further fields of the opening handshake, such as `Authorization` or `Cookie`. Those that the handshake
        /// writes itself are refused, and so are those that would frame content.
        public var headerFields: HTTPFields = [:]
        /// The subprotocols to offer (RFC 6455 §1.9), the preferred one first; at most 64 different tokens. The server
        /// takes one or none: ``WebSocket/subprotocol``.
        public var subprotocols: [String] = []
        /// Whether to offer permessage-deflate (RFC 7692), and how to compress; off.
        public var compression = Compression.off
        /// TLS, for `wss`: whom to trust, and what to show; the roots of the operating system, and nothing. Its files
        /// are read by each `connect`; connections with the same contents share their TLS sessions, so that a later one
        /// needs fewer round trips.
        public var tls = ClientTLSConfiguration()
        /// The proxy to go through, if any; not for Unix sockets. TLS goes through it to the server.
        public var proxy: Proxy?
        /// Redirects (301, 302, 303, 307, 308) that are followed; 0. With more, the response is an error. A redirect
        /// from `wss` to `ws` is never followed, and another origin is told neither `Authorization` nor `Cookie`.
        public var maxRedirects = 0
        /// Until the host's addresses are found and one has taken the connection; 10 s. Addresses are tried a quarter
        /// of a second apart, IPv6 and IPv4 in turns (RFC 8305).
        public var connectTimeout = Duration.seconds(10)
        /// From the connection to the server's answer, the proxy's and TLS included; 10 s.
        public var handshakeTimeout = Duration.seconds(10)
        /// Bytes of a response head. 16 KiB.
        public var maxHeadBytes = 16 << 10
        /// Fields of a response head. 100, which is also the most.
        public var maxHeadFields = 100
        /// Bytes that are kept of the content of a response that refuses. 16 KiB.
        public var maxRefusalBytes = 16 << 10
        /// Bytes of a message; a larger one closes with 1009. 1 MiB.
        public var maxMessageBytes = 1 << 20
        /// Fragments of a message, empty ones included; more close with 1009. 4096.
        public var maxFragments = 4096
        /// Bytes of messages that nobody has read yet; with more, reading stops until half of them are read, and what
        /// the last read brought beyond stays as it came (128 KiB at most). 64 KiB.
        public var maxInboundBytes = 64 << 10
        /// The memory that may wait for the server, in bytes, before ``slowConsumerPolicy`` applies. Default: 1 MiB.
        public var maxOutboundBytes = 1 << 20
        /// The memory that a burst may make wait for the server, in bytes. Under
        /// ``WebSocketServer/Configuration/SlowConsumerPolicy/dropMessage``, messages beyond it are dropped. Values
        /// below ``maxOutboundBytes`` mean that limit. Default: 16 MiB.
        public var maxBurstBytes = 16 << 20
        /// How long the server may stay above ``maxOutboundBytes`` without catching up, under
        /// ``WebSocketServer/Configuration/SlowConsumerPolicy/close``. It catches up while what waits for it becomes
        /// less, or while it acknowledges at least that limit, or 64 KiB if that is less, in this time. Default:
        /// 2 seconds.
        public var slowConsumerLag = Duration.seconds(2)
        /// The minimum rate at which the server has to acknowledge what it is sent, in bytes per second, measured over
        /// ``outboundTimeout``. A slower server is dropped, whatever its connection is used for. 0 turns this off.
        /// Default: 1,024.
        public var minOutboundRate = 1024
        /// The time over which ``minOutboundRate`` is measured, and after which the system gives up a TCP connection
        /// whose peer acknowledges nothing. Default: 60 seconds.
        public var outboundTimeout = Duration.seconds(60)
        /// What to do with a message while ``maxOutboundBytes`` wait. Default: the sender waits.
        public var slowConsumerPolicy = WebSocketServer.Configuration.SlowConsumerPolicy.suspendSender
        /// Silence after which a Ping is sent; `nil` for never. 30 s.
        public var pingInterval: Duration? = .seconds(30)
        /// Unanswered Pings in a row that end a connection. 2.
        public var maxMissedPings = 2
        /// How long the connection may stay open; then it is closed with 1001. `nil` for as long as it likes.
        public var maxLifetime: Duration?
        /// For the closing handshake, and then once more for the server to close the stream. 5 s.
        public var closeTimeout = Duration.seconds(5)

        /// The defaults.
        public init() {}

        func validate() throws(WebSocketError) {
            if let proxy { try check(proxy.port, in: 1...65535, "the proxy's port") }
            try check(maxRedirects, in: 0...100, "maxRedirects")
            try check(maxRefusalBytes, in: 0...(16 << 20), "maxRefusalBytes")
            try validateConnections(andTimeouts: [connectTimeout])
        }
    }
}
