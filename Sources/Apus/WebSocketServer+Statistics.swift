extension WebSocketServer {
    /// What a server has seen since it was made. All are counts that only grow, but for ``connectionsNow`` and
    /// ``memoryNow``.
    public struct Statistics: Hashable, Sendable {
        /// Connections taken from the listening socket.
        public internal(set) var connectionsAccepted = 0
        /// Connections open at present, before or after the opening handshake.
        public internal(set) var connectionsNow = 0
        /// Connections answered with 503: ``Configuration/maxConnections``.
        public internal(set) var connectionsRefused = 0
        /// Times that no descriptor was left for a new connection.
        public internal(set) var acceptFailures = 0
        /// Request heads received.
        public internal(set) var requests = 0
        /// Requests that broke HTTP or a limit on it.
        public internal(set) var requestsRefused = 0
        /// Requests whose content passed ``Configuration/maxBodyBytes``.
        public internal(set) var contentSizeErrors = 0
        /// Requests whose content was malformed, or cut off.
        public internal(set) var contentErrors = 0
        /// Requests whose content, or that of their responses, took too long: ``Configuration/bodyTimeout``.
        public internal(set) var contentTimeouts = 0
        /// Requests whose content came slower than ``Configuration/minBodyRate``.
        public internal(set) var contentRateErrors = 0
        /// Requests whose client left before they were answered.
        public internal(set) var requestsAbandoned = 0
        /// Connections dropped for lack of a PROXY header from a trusted address: ``Configuration/proxyProtocol``.
        public internal(set) var proxyErrors = 0
        /// Opening handshakes completed.
        public internal(set) var handshakesAccepted = 0
        /// Opening handshakes that broke RFC 6455, or came from another origin.
        public internal(set) var handshakesRefused = 0
        /// Connections whose request head took too long: ``Configuration/handshakeTimeout``.
        public internal(set) var handshakeTimeouts = 0
        /// Connections ended because no further request came: ``Configuration/keepAliveTimeout``.
        public internal(set) var keepAliveTimeouts = 0
        /// Opening handshakes answered with 504: ``Configuration/upgradeTimeout``.
        public internal(set) var upgradeTimeouts = 0
        /// Opening handshakes from a page of another origin: ``Configuration/originPolicy``.
        public internal(set) var originsRefused = 0
        /// Whole messages from peers.
        public internal(set) var messagesReceived = 0
        /// Messages given to the network or its queue.
        public internal(set) var messagesSent = 0
        /// Bytes read from sockets.
        public internal(set) var bytesReceived = 0
        /// Bytes written to sockets.
        public internal(set) var bytesSent = 0
        /// Compressed messages from peers: ``Configuration/compression``.
        public internal(set) var messagesInflated = 0
        /// Bytes of their payloads as they came.
        public internal(set) var bytesBeforeInflating = 0
        /// Bytes of their payloads once inflated.
        public internal(set) var bytesInflated = 0
        /// Messages compressed; one that is published counts once for each size of window.
        public internal(set) var messagesDeflated = 0
        /// Bytes of their payloads before.
        public internal(set) var bytesBeforeDeflating = 0
        /// Bytes of their payloads compressed.
        public internal(set) var bytesDeflated = 0
        /// Connections failed with 1002.
        public internal(set) var protocolErrors = 0
        /// Connections failed with 1007.
        public internal(set) var utf8Errors = 0
        /// Connections failed with 1009: ``Configuration/maxMessageBytes``.
        public internal(set) var sizeErrors = 0
        /// Connections failed with 1009: ``Configuration/maxFragments``.
        public internal(set) var fragmentErrors = 0
        /// Connections failed with 1007: a compressed message did not inflate.
        public internal(set) var inflateErrors = 0
        /// Connections ended because memory was out.
        public internal(set) var memoryErrors = 0
        /// Messages not sent because a queue was full: ``Configuration/SlowConsumerPolicy/dropMessage``.
        public internal(set) var messagesDropped = 0
        /// Connections closed with 1013 because their peers did not keep up: ``Configuration/slowConsumerLag``,
        /// ``Configuration/maxBurstBytes``.
        public internal(set) var slowConsumersClosed = 0
        /// Connections ended, most of them with 1013, because memory was short and they held the most:
        /// ``Configuration/memoryBudget``.
        public internal(set) var memoryBudgetClosed = 0
        /// Connections answered with 503 because the memory budget was used up: ``Configuration/memoryBudget``. They
        /// count in ``connectionsRefused``, too.
        public internal(set) var memoryBudgetRefused = 0
        /// Publications refused because an event loop had no room for them, once for each attempt:
        /// ``Configuration/maxPendingDeliveries``, ``Configuration/maxPendingBytes``,
        /// ``Configuration/maxDeliveriesPerTurn``, ``Configuration/maxDeliveredBytesPerTurn``.
        public internal(set) var publicationsRefused = 0
        /// Times that a task waited in ``Topic/publish(_:except:)-(String,_)`` until an event loop had room.
        public internal(set) var publicationsDelayed = 0
        /// Times that reading stopped until messages were read: ``Configuration/maxInboundBytes``.
        public internal(set) var readsPaused = 0
        /// Pings sent to idle connections: ``Configuration/pingInterval``.
        public internal(set) var pingsSent = 0
        /// Connections ended because no ping was answered: ``Configuration/maxMissedPings``.
        public internal(set) var pingTimeouts = 0
        /// Connections ended because their peers acknowledged too little: ``Configuration/minOutboundRate``.
        public internal(set) var connectionsStalled = 0
        /// Connections ended because the closing handshake took too long: ``Configuration/closeTimeout``.
        public internal(set) var closeTimeouts = 0
        /// Connections closed with 1001 because of their age: ``Configuration/maxLifetime``.
        public internal(set) var lifetimesEnded = 0
        /// WebSocket connections that ended without a closing handshake.
        public internal(set) var connectionsLost = 0
        /// TLS handshakes completed.
        public internal(set) var tlsHandshakes = 0
        /// TLS handshakes that took up an earlier session.
        public internal(set) var tlsResumptions = 0
        /// Connections that TLS failed, in the handshake or later.
        public internal(set) var tlsFailures = 0
        /// Connections that spoke HTTP without TLS to a port for TLS; they were answered with 400.
        public internal(set) var tlsPlainRefused = 0
        /// WebSocket connections that ended without TLS's close_notify, and so may have been cut by anybody.
        public internal(set) var tlsTruncations = 0

        /// The memory that the whole process holds for connections at the time of reading, in bytes: all servers and
        /// clients in it, what they have queued, and what the core keeps for reuse. A buffer that many connections
        /// share counts once. What handlers keep themselves is not included.
        public internal(set) var memoryNow = 0

        /// Nothing seen yet.
        public init() {}

        private static let counters: [WritableKeyPath<Self, Int> & Sendable] = [
            \.connectionsAccepted, \.connectionsNow, \.connectionsRefused, \.acceptFailures, \.requests,
            \.requestsRefused, \.contentSizeErrors, \.contentErrors, \.contentTimeouts, \.contentRateErrors,
            \.requestsAbandoned, \.proxyErrors, \.handshakesAccepted, \.handshakesRefused, \.handshakeTimeouts,
            \.keepAliveTimeouts, \.upgradeTimeouts, \.originsRefused,
            \.messagesReceived, \.messagesSent, \.bytesReceived, \.bytesSent, \.messagesInflated,
            \.bytesBeforeInflating, \.bytesInflated, \.messagesDeflated, \.bytesBeforeDeflating, \.bytesDeflated,
            \.protocolErrors, \.utf8Errors, \.sizeErrors, \.fragmentErrors, \.inflateErrors, \.memoryErrors,
            \.messagesDropped, \.slowConsumersClosed, \.memoryBudgetClosed, \.memoryBudgetRefused,
            \.publicationsRefused, \.publicationsDelayed, \.readsPaused,
            \.pingsSent, \.pingTimeouts, \.connectionsStalled, \.closeTimeouts,
            \.lifetimesEnded, \.tlsHandshakes, \.tlsResumptions, \.tlsFailures, \.tlsPlainRefused, \.tlsTruncations,
            \.connectionsLost,
        ]

        /// Sets the counters in the order in which they are declared, here and in the core.
        init(counts: UnsafeBufferPointer<UInt64>) {
            precondition(counts.count == Self.counters.count, "the core counts something that is not declared here")
            for (counter, count) in zip(Self.counters, counts) { self[keyPath: counter] = Int(count) }
        }

        mutating func add(_ other: Self) {
            for counter in Self.counters { self[keyPath: counter] += other[keyPath: counter] }
        }
    }
}
