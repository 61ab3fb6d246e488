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
        /// writes itself are refused, and so are those that would frame content. Default: none.
        public var headerFields: HTTPFields = [:]
        /// The subprotocols to offer (RFC 6455 §1.9), the preferred one first; at most 64 different tokens. The server
        /// takes one or none: ``WebSocket/subprotocol``. Default: none.
        public var subprotocols: [String] = []
        /// Whether to offer permessage-deflate (RFC 7692), and how to compress. Default: off.
        public var compression = Compression.off
        /// TLS, for `wss`: which roots to trust, and which certificate to show. Its files are read by each `connect`;
        /// connections with the same contents share their TLS sessions, so that a later one needs fewer round trips.
        /// Default: the roots of the operating system, and no certificate.
        public var tls = ClientTLSConfiguration()
        /// The proxy to go through; not for Unix sockets. TLS goes through it to the server. Default: `nil`, none.
        public var proxy: Proxy?
        /// The maximum number of redirects (301, 302, 303, 307, 308) to follow. With more, the response is an error. A
        /// redirect from `wss` to `ws` is never followed, and another origin gets neither `Authorization` nor `Cookie`.
        /// Default: 0.
        public var maxRedirects = 0
        /// How long to look for the host's addresses and to connect to one of them. Addresses are tried a quarter of a
        /// second apart, IPv6 and IPv4 in turns (RFC 8305). Default: 10 seconds.
        public var connectTimeout = Duration.seconds(10)
        /// How long to wait for the server's answer once connected, the proxy's and TLS included. Default: 10 seconds.
        public var handshakeTimeout = Duration.seconds(10)
        /// The maximum size of a response head, in bytes. Default: 16 KiB.
        public var maxHeadBytes = 16 << 10
        /// The maximum number of fields of a response head, at most 100. Default: 100.
        public var maxHeadFields = 100
        /// The maximum size of what is kept of a refusing response's content, in bytes. Default: 16 KiB.
        public var maxRefusalBytes = 16 << 10
        /// The maximum size of a message, once inflated, in bytes. A larger one closes with 1009. Default: 1 MiB.
        public var maxMessageBytes = 1 << 20
        /// The maximum number of fragments of a message, empty ones included. More close with 1009. Default: 4096.
        public var maxFragments = 4096
        /// The maximum size of messages that have come and were not read yet, in bytes. Above it the client stops
        /// reading from the socket until half of them are read. What the last read brought beyond the limit, at most
        /// 128 KiB, is kept. Default: 64 KiB.
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
        /// How long the server may be silent before it is sent a Ping; `nil` for ever. Default: 30 seconds.
        public var pingInterval: Duration? = .seconds(30)
        /// The number of unanswered Pings in a row that ends a connection. Default: 2.
        public var maxMissedPings = 2
        /// How long the connection may stay open. Then it is closed with 1001. Default: `nil`, without limit.
        public var maxLifetime: Duration?
        /// How long to wait for the closing handshake, and then once more for the server to close the stream. Default:
        /// 5 seconds.
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
