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
        let destination = Destination(url, configuration: configuration)
        try await reconnecting(
            reconnection: reconnection, eventLoop: eventLoop, logger: logger, destination: { _ in destination },
            handler: handler)
    }

    /// The same, with a closure that says for each attempt where to connect to, and with which fields and subprotocols:
    /// for tokens that expire, or several servers in turns.
    ///
    /// ```swift
    /// var reconnection = WebSocketClient.Reconnection()
    /// reconnection.shouldReconnect = { $0.isTransient || $0.status == .unauthorized }
    /// try await WebSocketClient.reconnecting(reconnection: reconnection) { attempt in
    ///     if attempt.lastEnd?.status == .unauthorized { try await tokens.refresh() }
    ///     var destination = WebSocketClient.Destination("wss://example.org/")
    ///     destination.configuration.headerFields[.authorization] = "Bearer \(tokens.current)"
    ///     return destination
    /// } handler: { socket in … }
    /// ```
    ///
    /// - Parameters:
    ///   - reconnection: how long to wait, and when to give up.
    ///   - eventLoop: as for ``connect(_:configuration:eventLoop:logger:handler:)``.
    ///   - logger: likewise.
    ///   - destination: called before each attempt, after the wait for it. What it throws ends the attempts, and is
    ///     thrown here.
    ///   - handler: has one connection after the other.
    /// - Throws: what `destination` throws; else as
    ///   ``reconnecting(_:configuration:reconnection:eventLoop:logger:handler:)``.
    public static func reconnecting(
        reconnection: Reconnection = .init(),
        eventLoop: EventLoop? = nil,
        logger: Logger = Logger(label: "apus"),
        destination: @escaping @Sendable (Attempt) async throws -> Destination,
        handler: @escaping Handler<Void>
    ) async throws {
        try reconnection.validate()
        try await reconnecting(
            reconnection, clock: ContinuousClock(), random: { Double.random(in: 0...1) }, logger,
            destination: destination
        ) { destination in
            try await connect(
                destination.url, configuration: destination.configuration, eventLoop: eventLoop, logger: logger
            ) { socket in
                try await handler(socket)
                return socket.closeCode
            }
        }
    }

    /// An attempt to open a WebSocket, before it is made.
    public struct Attempt: Sendable {
        /// How many attempts were made before; 0 for the first.
        public var number = 0
        /// How many connections or attempts have failed in a row; none of them lasted for
        /// ``Reconnection/stableAfter``.
        public var failures = 0
        /// How the last one ended; `nil` for the first.
        public var lastEnd: Reconnection.End?
    }

    /// Where an attempt connects to, and how.
    public struct Destination: Sendable {
        /// As for ``connect(_:configuration:eventLoop:logger:handler:)``.
        public var url: String
        /// The settings, with the fields and subprotocols of the opening handshake.
        public var configuration: Configuration

        /// A URL, and settings.
        public init(_ url: String, configuration: Configuration = .init()) {
            self.url = url
            self.configuration = configuration
        }
    }

    /// The same with time and chance as parameters. `connect` returns the code by which the connection had ended when
    /// its handler returned, or `nil` where it was open.
    static func reconnecting<C: Clock, Target>(
        _ reconnection: Reconnection, clock: C, random: () -> Double, _ logger: Logger,
        destination: (Attempt) async throws -> Target, connect: (Target) async throws -> CloseCode?
    ) async throws where C.Duration == Duration {
        var backoff = Backoff(reconnection)
        var attempt = Attempt()
        while true {
            let target = try await destination(attempt)
            let start = clock.now
            let end: Reconnection.End
            do {
                guard let code = try await connect(target) else { return }
                end = .closed(code)
            } catch let error as WebSocketError {
                end = .failed(error)
            }
            guard !Task.isCancelled else { throw WebSocketError.cancelledConnecting }
            guard reconnection.shouldReconnect(end),
                let backoffDelay = backoff.nextDelay(after: start.duration(to: clock.now), random: random())
            else {
                if case .failed(let error) = end { throw error }
                return
            }
            // The server's own wait comes first, and chance keeps its clients apart behind that.
            let delay = backoffDelay + min(end.retryAfter ?? .zero, reconnection.maxRetryAfter)
            logger.info("reconnecting", metadata: ["in": "\(delay)", "after": "\(end)"])
            try await wait(delay, clock)
            attempt = Attempt(number: attempt.number + 1, failures: backoff.failures, lastEnd: end)
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
