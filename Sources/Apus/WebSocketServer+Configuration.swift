import Logging
import UnixSignals

extension WebSocketServer {
    /// The settings of a server; the defaults work as they stand.
    ///
    /// Every limit has its counter in ``WebSocketServer/Statistics``.
    public struct Configuration: Sendable {
        /// Where to listen.
        public enum Address: Hashable, Sendable {
            /// A TCP port of a numeric address or a host name; port 0 is any free one. `::` is all addresses.
            case tcp(host: String, port: Int)
            /// A Unix socket. A file that a dead server left is replaced.
            case unix(path: String)
        }

        /// Which pages may open a WebSocket, told by `Origin` (RFC 6455 §10.2). A request without it comes from no
        /// browser and passes.
        public enum OriginPolicy: Hashable, Sendable {
            /// Pages of the server's own origin: that of `Host`.
            case same
            /// These as well, each as `scheme://host[:port]`.
            case sameOr([String])
            /// Any page. Only for a service that knows its users by something a foreign page cannot send.
            case any
        }

        /// What to do with a message for a peer for which more than ``maxOutboundBytes`` wait, and whose socket is
        /// full. Nobody is judged before its socket has had time to take what was sent.
        public enum SlowConsumerPolicy: Hashable, Sendable {
            /// `send` waits. A topic's message cannot wait, so it is queued; a peer that does not catch up within
            /// ``slowConsumerLag``, or passes ``maxBurstBytes``, is closed with 1013 and knows that it missed
            /// something.
            case suspendSender
            /// The message is dropped and counted.
            case dropMessage
            /// As `suspendSender`; and a peer that makes `send` wait for longer than ``slowConsumerLag`` is closed
            /// with 1013, too.
            case close
        }

        /// Whether connections begin with the header in which a proxy tells the client's address: the PROXY protocol,
        /// version 1 or 2.
        public enum ProxyProtocol: Hashable, Sendable {
            /// They do not.
            case off
            /// All of them do, and come from ``trustedProxies``; any other is dropped, and counted in
            /// ``WebSocketServer/Statistics/proxyErrors``.
            case required
        }

        /// The fields in which ``trustedProxies`` tell who sent a request. Fields of the other kind are not
        /// read: a proxy that does not set them passes on what the client wrote.
        public enum ForwardedFields: Hashable, Sendable {
            /// None.
            case none
            /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`; the proxies set all three, or drop those
            /// that a client sends.
            case xForwarded
            /// `Forwarded` (RFC 7239).
            case forwarded
        }

        /// Where to listen. Default: 127.0.0.1, port 8080.
        public var address: Address
        /// TLS, with the server's certificates. With it requests have the scheme `https`, and an origin is the server's
        /// own only with that scheme. Default: `nil`, no TLS.
        public var tls: TLSConfiguration?
        /// The number of event loops, each a thread. Default: the number of cores.
        public var threads = defaultThreads
        /// The maximum number of connections that wait to be accepted. The system has a limit, too. Default: 4096.
        public var backlog = 4096
        /// The maximum number of open connections. Further connections are answered with 503. Default: 100,000.
        public var maxConnections = 100_000
        /// The maximum size of a request head, in bytes. Larger ones are answered with 431. Default: 16 KiB.
        public var maxHeadBytes = 16 << 10
        /// The maximum number of fields of a request head, at most 100. More are answered with 431. Default: 100.
        public var maxHeadFields = 100
        /// The maximum size of a request's content, in bytes. Larger content is answered with 413. Default: 1 MiB.
        public var maxBodyBytes = 1 << 20
        /// How long to wait for more of a request's content while a handler waits for it, and for a client to take more
        /// of a streamed response. On expiry the request is answered with 408, or the connection is dropped. Default:
        /// 30 seconds.
        public var bodyTimeout = Duration.seconds(30)
        /// The minimum rate, in bytes per second, at which a client sends content that a handler waits for. A client
        /// that falls behind it by more than ``bodyTimeout`` gets 408. The time in which the handler does not wait does
        /// not count. 0 is no minimum. Default: 240.
        public var minBodyRate = 240
        /// The addresses of reverse proxies whose word on a client's address, scheme and host is taken: each as
        /// `address` or `address/prefix`, such as `127.0.0.0/8` or `2001:db8::/32`. Default: none.
        public var trustedProxies: [String] = []
        /// Whether all peers of a Unix socket are such proxies, too. Default: false.
        public var trustsUnixPeers = false
        /// Whether connections begin with a header of the PROXY protocol. Not together with ``tls``. Default: off.
        public var proxyProtocol = ProxyProtocol.off
        /// The fields in which trusted proxies tell who sent a request. Default: the three of `X-Forwarded-`.
        public var forwardedFields = ForwardedFields.xForwarded
        /// The maximum size of a message, once inflated, in bytes. A larger one closes with 1009. Default: 1 MiB.
        public var maxMessageBytes = 1 << 20
        /// The maximum number of fragments of a message, empty ones included. More close with 1009. Default: 4096.
        public var maxFragments = 4096
        /// Whether messages are compressed (permessage-deflate, RFC 7692), if the client offers it. Default: off.
        public var compression = Compression.off
        /// The maximum size of messages that have come and were not read yet, in bytes. Above it the server stops
        /// reading from the socket until half of them are read. What the last read brought beyond the limit, at most
        /// 128 KiB, is kept. Default: 64 KiB.
        public var maxInboundBytes = 64 << 10
        /// The memory that may wait for one peer, in bytes, before ``slowConsumerPolicy`` applies. A shared message
        /// counts in full for each peer that it waits for. Default: 1 MiB.
        public var maxOutboundBytes = 1 << 20
        /// The memory that a burst may make wait for one peer, in bytes. A peer whose socket is full when a topic's
        /// message would pass this is closed with 1013, or misses the message, as ``slowConsumerPolicy`` says. Values
        /// below ``maxOutboundBytes`` mean that limit. Default: 16 MiB.
        public var maxBurstBytes = 16 << 20
        /// How long a peer may stay above ``maxOutboundBytes`` without catching up. A peer catches up while what waits
        /// for it becomes less, or while it acknowledges at least that limit, or 64 KiB if that is less, in this time.
        /// Default: 2 seconds.
        public var slowConsumerLag = Duration.seconds(2)
        /// The minimum rate at which a peer has to acknowledge what it is sent, in bytes per second, measured over
        /// ``outboundTimeout``. A slower peer is dropped, whatever its connection is used for. 0 turns this off.
        /// Default: 1,024.
        public var minOutboundRate = 1024
        /// The time over which ``minOutboundRate`` is measured, and after which the system gives up a TCP connection
        /// whose peer acknowledges nothing. Default: 60 seconds.
        public var outboundTimeout = Duration.seconds(60)
        /// How many bytes of memory the process may hold for its connections, as ``Statistics/memoryNow`` counts them.
        ///
        /// When more than nine tenths of it are used, the connections that hold the most are closed with 1013 ("try
        /// again later"), the largest first over all event loops, and never one that holds less than 16 KiB. While all
        /// of it is used, new connections are answered with 503, and large messages are not read on. The counters
        /// are ``Statistics/memoryBudgetClosed`` and ``Statistics/memoryBudgetRefused``; the log has at most one line
        /// a second for each event loop.
        ///
        /// `nil` stands for half of the memory that the process may use: the least of the limits of its control groups,
        /// `RLIMIT_AS`, `RLIMIT_DATA` and the physical memory. Handlers have to live in the other half. At least 16
        /// MiB; `Int.max` turns it off. Default: `nil`.
        public var memoryBudget: Int?
        /// What to do with a message for a peer for which ``maxOutboundBytes`` wait. Default: the sender waits.
        public var slowConsumerPolicy = SlowConsumerPolicy.suspendSender
        /// The maximum number of deliveries on their way to one event loop from other threads: published messages, each
        /// times its subscribers on that loop. With more, ``Topic/tryPublish(_:except:)-(String,_)`` answers
        /// ``PublishResult/full`` and ``Topic/publish(_:except:)-(String,_)`` waits; one message always has room.
        /// Default: 65,536.
        public var maxPendingDeliveries = 64 << 10
        /// The maximum size of the messages on their way to one event loop from other threads, in bytes of memory,
        /// treated like ``maxPendingDeliveries``. Default: 4 MiB.
        public var maxPendingBytes = 4 << 20
        /// The maximum number of deliveries that an event loop takes on between two looks at the network: of what is
        /// published on its own thread, and as many more of what comes from other threads. It bounds how long one loop
        /// turn takes. What is published on its thread beyond that is treated like ``maxPendingDeliveries``.
        /// Default: 16,384.
        public var maxDeliveriesPerTurn = 16 << 10
        /// The maximum size of these deliveries, in bytes: the size of each message times its subscribers on the loop.
        /// Default: 16 MiB.
        public var maxDeliveredBytesPerTurn = 16 << 20
        /// Which pages may open a WebSocket. Default: those of the same origin.
        public var originPolicy = OriginPolicy.same
        /// How long to wait for a complete request head: from the connection's start, or from the first byte of a
        /// later request. On expiry the server answers 408. Default: 10 seconds.
        public var handshakeTimeout = Duration.seconds(10)
        /// How long a connection may stay idle between a response and the next request; then it is closed. It must be
        /// longer than a load balancer in front keeps idle connections (often 60 seconds), or the balancer sends
        /// requests on connections that are just being closed, and answers 502. Default: 75 seconds.
        public var keepAliveTimeout = Duration.seconds(75)
        /// How long the `upgrade` closure may take to decide on an opening handshake. On expiry the closure is
        /// cancelled and the client gets 504. Default: 10 seconds.
        public var upgradeTimeout = Duration.seconds(10)
        /// Is called for each client that is turned away (refused origins, malformed requests, failed TLS and others),
        /// on an event loop: it must not block, and it may be called often under attack. Default: `nil`.
        ///
        /// Independently of it, each cause is logged at most once a second, at the level `notice`.
        public var onRefused: (@Sendable (Refusal) -> Void)?
        /// How often to look at a client that has ended its sending direction, or sends more than is read, while its
        /// request is being answered: it may have gone.
        var departureInterval = Duration.seconds(1)
        /// How long a peer may be silent before it is sent a Ping; `nil` for ever. A peer that takes a large message is
        /// not silent. Default: 30 seconds.
        public var pingInterval: Duration? = .seconds(30)
        /// The number of unanswered Pings in a row that ends a connection. Default: 2.
        public var maxMissedPings = 2
        /// How long to wait for the end of the closing handshake, or of a response, while the peer takes nothing of
        /// what is queued for it. On expiry the connection is dropped. Default: 5 seconds.
        public var closeTimeout = Duration.seconds(5)
        /// How long a WebSocket may stay open. Then it is closed with 1001, and a client that comes again may find
        /// another server. Default: `nil`, without limit.
        public var maxLifetime: Duration?
        /// Whether the answer to a client's Close waits while the handler works on messages that came before it: until
        /// it asks for another message, returns or closes, at most for ``closeTimeout``. What it sends meanwhile, and
        /// what is queued, goes out before the Close (RFC 6455 §5.5.1). It concerns handlers that pull messages; the
        /// closure of ``WebSocket/receive(_:)`` has always answered all of them. Default: true.
        public var answersBeforeClosing = true
        /// How long the server goes on as before once it was told to stop gracefully. ``WebSocketServer/isDraining`` is
        /// true from the start, so that a health check can fail, and a load balancer send new clients elsewhere, before
        /// connections are refused. Cancellation cuts it short. Default: 0.
        public var drainDelay = Duration.zero
        /// The code with which WebSockets are closed when the server stops. Default: 1001.
        public var stopCode = CloseCode.goingAway
        /// The reason in that Close, at most 123 bytes of UTF-8. Default: none.
        public var stopReason = ""
        /// How long connections have to end when the server stops, after ``drainDelay``; those left are dropped.
        /// Default: 10 seconds.
        public var stopDeadline = Duration.seconds(10)
        /// The signals that end ``WebSocketServer/run(onListening:upgrade:http:handler:)``. Default: SIGTERM, SIGINT.
        public var shutdownSignals: [UnixSignal] = [.sigterm, .sigint]

        /// Settings for a TCP port.
        public init(host: String = "127.0.0.1", port: Int = 8080) {
            address = .tcp(host: host, port: port)
        }

        /// Settings for a Unix socket.
        public init(unixSocketPath path: String) {
            address = .unix(path: path)
        }

        func validate() throws(WebSocketError) {
            if case .tcp(_, let port) = address { try check(port, in: 0...65535, "port") }
            try check(threads, in: 1...1024, "threads")
            try check(backlog, in: 1...65535, "backlog")
            try check(maxConnections, in: 1...Int(UInt32.max), "maxConnections")
            try check(memoryBudget ?? .max, in: AllowedMemory.leastBudget...Int.max, "memoryBudget")
            try check(maxPendingDeliveries, in: 1...Int(UInt32.max), "maxPendingDeliveries")
            try check(maxPendingBytes, in: 1...Int.max, "maxPendingBytes")
            try check(maxDeliveriesPerTurn, in: 1...Int(UInt32.max), "maxDeliveriesPerTurn")
            try check(maxDeliveredBytesPerTurn, in: 1...Int.max, "maxDeliveredBytesPerTurn")
            try check(maxBodyBytes, in: 0...Int.max, "maxBodyBytes")
            try check(drainDelay.milliseconds, in: 0...Int(UInt32.max), "drainDelay, in milliseconds,")
            guard stopCode.isSendable(with: stopReason) else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "stopCode and stopReason must be what a Close may carry: 1000 to 1003, 1007 to 1014 or 3000 to "
                        + "4999, and at most 123 bytes")
            }
            try checkProxies()
            try check(minBodyRate, in: 0...1 << 30, "minBodyRate")
            try validateConnections(
                andTimeouts: [bodyTimeout, keepAliveTimeout, upgradeTimeout, departureInterval, stopDeadline])
        }

        private func checkProxies() throws(WebSocketError) {
            for proxy in trustedProxies where AddressRange(proxy) == nil {
                throw WebSocketError(
                    .invalidConfiguration,
                    "trustedProxies holds '\(proxy)', which is neither an IP address nor a range such as 10.0.0.0/8 "
                        + "without bits behind its prefix")
            }
            guard proxyProtocol == .off || !trustedProxies.isEmpty || trustsUnixPeers else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "proxyProtocol is required, but of nobody: name the proxies in trustedProxies")
            }
            guard proxyProtocol == .off || tls == nil else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "proxyProtocol is not read before TLS yet: turn it off, or let the proxy end TLS and leave out tls")
            }
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up; the largest or smallest number where there are too many.
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        let (product, isTooMuch) = Int(seconds).multipliedReportingOverflow(by: 1000)
        // A division cuts towards zero, which is up where the number is negative.
        let rest = Int((attoseconds > 0 ? attoseconds + 999_999_999_999_999 : attoseconds) / 1_000_000_000_000_000)
        let (sum, isTooMuchMore) = product.addingReportingOverflow(rest)
        guard !isTooMuch, !isTooMuchMore else { return seconds < 0 ? .min : .max }
        return sum
    }
}
