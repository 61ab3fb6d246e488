import HTTPTypes

extension WebSocketClient {
    /// When and how often to open a connection again: exponential back-off with full jitter.
    public struct Reconnection: Sendable {
        /// How a connection ended, or the attempt to open it.
        public enum End: Sendable {
            /// By a closing handshake, or while the handler did not look.
            case closed(CloseCode)
            /// By an error: there was no connection, or it was lost.
            case failed(WebSocketError)

            /// Whether it is of a kind that passes: no connection, a lost one, a status of 408, 425, 429 or 5xx, and
            /// the close codes 1001, 1006, 1011, 1012, 1013 and 1014.
            public var isTransient: Bool {
                switch self {
                case .closed(let code): Self.transientCodes.contains(code)
                case .failed(let error): error.isTransient
                }
            }

            /// The status with which the server refused the opening handshake, if it did.
            public var status: HTTPResponse.Status? {
                guard case .failed(let error) = self, error.code == .handshakeRefused else { return nil }
                return error.response?.status
            }

            /// How long the server that refused wants us to stay away (RFC 9110 §10.2.3), if it says so.
            var retryAfter: Duration? {
                guard status != nil, case .failed(let error) = self, let fields = error.response?.headerFields else {
                    return nil
                }
                return fields[.retryAfter].flatMap { RetryAfter.duration($0, date: fields[.date]) }
            }

            private static let transientCodes: Set<CloseCode> = [
                .goingAway, .abnormalClosure, .internalError, .serviceRestart, .tryAgainLater, .badGateway,
            ]
        }

        /// The longest wait before the first attempt in a row. Default: half a second.
        public var initialDelay = Duration.milliseconds(500)
        /// The longest wait of all. Default: 30 seconds.
        public var maxDelay = Duration.seconds(30)
        /// The factor by which the longest wait grows with each failure in a row. Default: 2.
        public var multiplier = 2.0
        /// Which part of the wait is left to chance, from 0 to 1, so that not all clients of a server that restarts
        /// come at once. Default: 1, all of it.
        public var jitter = 1.0
        /// How long a connection has to last to end the row of failures. Default: 30 seconds.
        public var stableAfter = Duration.seconds(30)
        /// The longest time that a server which refuses may make us stay away by `Retry-After`, beside the other wait;
        /// a longer one is cut to it. Default: 5 minutes.
        public var maxRetryAfter = Duration.seconds(300)
        /// The number of failures in a row after which to give up. Default: `nil`, never.
        public var maxAttempts: Int?
        /// Whether to go on. A status such as 401 may be worth another attempt where a closure gives each attempt its
        /// fields. Default: ``End/isTransient``.
        public var shouldReconnect: @Sendable (End) -> Bool = { $0.isTransient }

        /// The defaults.
        public init() {}

        func validate() throws(WebSocketError) {
            try check(initialDelay.milliseconds, in: 0...Int(UInt32.max), "initialDelay, in milliseconds,")
            try check(maxDelay.milliseconds, in: 0...Int(UInt32.max), "maxDelay, in milliseconds,")
            try check(maxRetryAfter.milliseconds, in: 0...Int(UInt32.max), "maxRetryAfter, in milliseconds,")
            if let maxAttempts { try check(maxAttempts, in: 0...Int.max, "maxAttempts") }
            guard multiplier >= 1, multiplier.isFinite, (0...1).contains(jitter) else {
                throw WebSocketError(
                    .invalidConfiguration,
                    "multiplier must be at least 1, and jitter from 0 to 1, not \(multiplier) and \(jitter)")
            }
        }
    }
}

extension WebSocketError {
    static let cancelledConnecting = Self(.cancelled, "the task was cancelled before the connection was open")

    fileprivate var isTransient: Bool {
        switch code {
        case .cannotConnect, .connectionLost, .timedOut, .slowConsumer, .outOfResources: true
        case .handshakeRefused:
            response.map { [408, 425, 429].contains($0.status.code) || $0.status.code >= 500 } ?? false
        default: false
        }
    }
}

/// How long to wait before the next attempt.
struct Backoff: Sendable {
    private let settings: WebSocketClient.Reconnection
    private(set) var failures = 0

    init(_ settings: WebSocketClient.Reconnection) { self.settings = settings }

    /// The wait after a connection, or an attempt, that lasted `duration`; `nil` after too many failures in a row.
    ///
    /// - Parameter random: from 0 to 1, where 1 is the longest wait.
    mutating func nextDelay(after duration: Duration, random: Double) -> Duration? {
        if duration >= settings.stableAfter { failures = 0 }
        if let maxAttempts = settings.maxAttempts, failures >= maxAttempts { return nil }
        let longest = longestDelay
        failures += 1
        return min(longest * (1 - settings.jitter * (1 - random)), longest)  // which rounding may pass
    }

    private var longestDelay: Duration {
        var delay = settings.initialDelay
        for _ in 0..<failures where delay < settings.maxDelay {
            // Before it is multiplied, it is below the largest that is allowed: it cannot overflow by much.
            delay = min(delay * min(settings.multiplier, 1e9), settings.maxDelay)
            if settings.multiplier == 1 || delay == .zero { break }
        }
        return min(delay, settings.maxDelay)
    }
}
