import Logging

extension WebSocketClient {
    /// Opens a WebSocket again and again: whenever the connection, or the attempt to open it, ends by what may pass.
    ///
    /// `handler` runs once for each connection. When it returns while its connection is open, all is done, and this
    /// returns. When it throws anything but a ``WebSocketError``, that is thrown here. Otherwise
    /// ``Reconnection/shouldReconnect`` decides whether to go on: after a wait that grows with each failure in a row.
    ///
    /// - Parameters:
    ///   - reconnection: how long to wait, and when to give up.
    ///   - handler: has one connection after the other.
    /// - Throws: what `handler` throws; the ``WebSocketError`` that is no reason to go on, or the last one where there
    ///   were too many in a row; or one with the code `cancelled`. Else as
    ///   ``connect(_:configuration:eventLoop:logger:handler:)``, whose other parameters are the same.
    public static func reconnecting(
        _ url: String,
        configuration: Configuration = .init(),
        reconnection: Reconnection = .init(),
        eventLoop: EventLoop? = nil,
        logger: Logger = Logger(label: "apus"),
        handler: @escaping Handler<Void>
    ) async throws {
        try reconnection.validate()
        try await reconnecting(reconnection, clock: ContinuousClock(), random: { Double.random(in: 0...1) }, logger) {
            try await connect(url, configuration: configuration, eventLoop: eventLoop, logger: logger) { socket in
                try await handler(socket)
                return socket.closeCode
            }
        }
    }

    /// The same with time and chance as parameters. `connect` returns the code by which the connection had ended when
    /// its handler returned, or `nil` where it was open.
    static func reconnecting<C: Clock>(
        _ reconnection: Reconnection, clock: C, random: () -> Double, _ logger: Logger,
        connect: () async throws -> CloseCode?
    ) async throws where C.Duration == Duration {
        var backoff = Backoff(reconnection)
        while true {
            let start = clock.now
            let end: Reconnection.End
            do {
                guard let code = try await connect() else { return }
                end = .closed(code)
            } catch let error as WebSocketError {
                end = .failed(error)
            }
            guard !Task.isCancelled else { throw WebSocketError.cancelledConnecting }
            guard reconnection.shouldReconnect(end),
                let delay = backoff.nextDelay(after: start.duration(to: clock.now), random: random())
            else {
                if case .failed(let error) = end { throw error }
                return
            }
            logger.info("reconnecting", metadata: ["in": "\(delay)", "after": "\(end)"])
            try await wait(delay, clock)
        }
    }

    private static func wait<C: Clock>(_ delay: Duration, _ clock: C) async throws where C.Duration == Duration {
        do {
            try await clock.sleep(until: clock.now.advanced(by: delay), tolerance: nil)
        } catch is CancellationError {
            throw WebSocketError.cancelledConnecting
        }
    }
}

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

            private static let transientCodes: Set<CloseCode> = [
                .goingAway, .abnormalClosure, .internalError, .serviceRestart, .tryAgainLater, .badGateway,
            ]
        }

        /// The longest wait before the first attempt in a row; half a second.
        public var initialDelay = Duration.milliseconds(500)
        /// The longest wait of all; 30 s.
        public var maxDelay = Duration.seconds(30)
        /// By how much the longest wait grows with each failure in a row; 2.
        public var multiplier = 2.0
        /// Which part of the wait is left to chance, from 0 to 1, so that not all clients of a server that restarts
        /// come at once; 1, all of it.
        public var jitter = 1.0
        /// A connection that lasts so long ends the row of failures; 30 s.
        public var stableAfter = Duration.seconds(30)
        /// Failures in a row after which to give up; `nil` for never.
        public var maxAttempts: Int?
        /// Whether to go on; by default where ``End/isTransient`` says so.
        public var shouldReconnect: @Sendable (End) -> Bool = { $0.isTransient }

        /// The defaults.
        public init() {}

        func validate() throws(WebSocketError) {
            try check(initialDelay.milliseconds, in: 0...Int(UInt32.max), "initialDelay, in milliseconds,")
            try check(maxDelay.milliseconds, in: 0...Int(UInt32.max), "maxDelay, in milliseconds,")
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
    private var failures = 0

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
