import Apus
import Logging

/// What a client emits.
extension Socket {
    /// What hears of a client's leaving.
    public typealias DisconnectHandler = @Sendable @concurrent (DisconnectReason) async throws -> Void

    /// Calls `handler` with the arguments of every event of this name.
    ///
    /// ```swift
    /// socket.on("move") { (x: Int, y: Int) in try await game.move(socket.id, x, y) }
    /// ```
    ///
    /// Arguments are decoded into the closure's types; surplus ones are left out, missing ones are null, and so `nil`
    /// for an optional. Where they do not fit, or the handler throws, that is logged, and nothing else happens. An
    /// event waits until the handlers of those before it have returned.
    public func on<each Argument: Decodable & Sendable>(
        _ event: String, _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Void
    ) {
        on(event) { (event: SocketEvent) in
            var arguments = ArgumentReader(event)
            try await handler(repeat try arguments.next((each Argument).self))
        }
    }

    /// The same, for a handler whose result is the acknowledgement, if the client asked for one.
    public func on<each Argument: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ event: String, _ handler: @escaping @Sendable @concurrent (repeat each Argument) async throws -> Reply
    ) {
        on(event) { (event: SocketEvent) in
            var arguments = ArgumentReader(event)
            let reply = try await handler(repeat try arguments.next((each Argument).self))
            try await event.acknowledge(reply)
        }
    }

    /// Calls `handler` with every event of this name, as it came.
    public func on(_ event: String, _ handler: @escaping @Sendable @concurrent (SocketEvent) async throws -> Void) {
        precondition(
            !SocketPacket.isReserved(event), "no client emits '\(event)'; see onDisconnect(_:) and its kin"
        )
        state.withLock { $0.handlers[Name(event), default: []].append(handler) }
    }

    /// Ends what ``on(_:_:)-(String,_)`` began, for all handlers of this name.
    public func off(_ event: String) { state.withLock { $0.handlers[Name(event)] = nil } }

    /// Calls `handler` with every event, before those of its name.
    public func onAny(_ handler: @escaping @Sendable @concurrent (SocketEvent) async throws -> Void) {
        state.withLock { $0.anyHandlers.append(handler) }
    }

    /// Calls `middleware` with every event, before any handler; where it throws, no handler is called.
    public func use(_ middleware: @escaping @Sendable @concurrent (SocketEvent) async throws -> Void) {
        state.withLock { $0.middlewares.append(middleware) }
    }

    /// Calls `handler` when the client is gone, while ``rooms`` are those that it was in. Before
    /// ``onDisconnect(_:)``'s.
    public func onDisconnecting(_ handler: @escaping DisconnectHandler) {
        state.withLock { $0.disconnectingHandlers.append(handler) }
    }

    /// Calls `handler` when the client is gone.
    public func onDisconnect(_ handler: @escaping DisconnectHandler) {
        state.withLock { $0.disconnectHandlers.append(handler) }
    }
}

/// Reads an event's arguments one after the other.
private struct ArgumentReader {
    let event: SocketEvent
    var index = 0

    init(_ event: SocketEvent) { self.event = event }

    mutating func next<T: Decodable>(_ type: T.Type) throws -> T {
        defer { index += 1 }
        return try event.argument(index)
    }
}

/// Handling it, one after the other.
extension Socket {
    /// A packet of the client's, for this namespace.
    func receive(_ packet: SocketPacket, size: Int) {
        switch packet.kind {
        case .event:
            guard let event = SocketEvent(packet, of: self) else { return }
            guard client.began(size) else { return }
            enqueue(.event(event, size: size))
        case .acknowledgement:
            guard let id = packet.id, let arguments = packet.data?.array else { return }
            endAcknowledgement(id, .success(arguments))
        case .disconnect:
            client.left(namespace.name, isThrownOut: false)
            ends(.clientNamespaceDisconnect)
        case .connect, .connectError: client.session.close(.forcedClose)
        }
    }

    func enqueue(_ work: Work) {
        let mustStart = state.withLock { state in
            state.work.append(work)
            defer { state.isWorking = true }
            return !state.isWorking
        }
        if mustStart { startWork() }
    }

    /// Middlewares have admitted it. The connection's handlers come first, but not before the client has heard that it
    /// is connected.
    func holdWork() {
        state.withLock { state in
            state.phase = .connected
            state.runs = namespace.core.work.begin { self.cancelWork() }
            state.work = [.connection]
            state.isWorking = true
        }
    }

    /// Ends what ``holdWork()`` began; nothing is to come of a client that was refused, or left before it was welcomed.
    func drop() {
        // Disconnecting it later does not mean the one that may be in its place by then.
        let waiting = state.withLock { state -> [AcknowledgementHandler] in
            state.phase = .gone
            defer { state.acknowledgements = [:] }
            return Array(state.acknowledgements.values)
        }
        client.awaits(-waiting.count)
        for resume in waiting { resume(.failure(SocketIOError.disconnected)) }
        forgetHandlers()
        endWork()
    }

    private func endWork() {
        if let number = state.withLock({ $0.runs }) { namespace.core.work.end(number) }
    }

    func startWork() {
        let worker = Task(executorPreference: client.loop) { await self.doWork() }
        let isCancelled = state.withLock { state in
            state.worker = worker
            return state.isCancelled
        }
        if isCancelled { worker.cancel() }
    }

    /// Cancels its handlers, those to come among them.
    private func cancelWork() {
        let worker = state.withLock { state in
            state.isCancelled = true
            return state.worker
        }
        worker?.cancel()
    }

    private func doWork() async {
        while true {
            let work = state.withLock { state -> [Work] in
                defer { state.work = [] }
                state.isWorking = !state.work.isEmpty
                return state.work
            }
            guard !work.isEmpty else { return }
            for item in work { await perform(item) }
        }
    }

    private func perform(_ work: Work) async {
        switch work {
        case .connection:
            for handler in namespace.connectionHandlers { await attempt("connection") { try await handler(self) } }
        case .event(let event, let size):
            // A client that has left is not heard any more.
            if isConnected { await handle(event) }
            client.ended(size)
        case .disconnection(let reason):
            let handlers = state.withLock { $0.disconnectingHandlers + $0.disconnectHandlers }
            for handler in handlers { await attempt("disconnect") { try await handler(reason) } }
            forgetHandlers()
            endWork()
        }
    }

    private func handle(_ event: SocketEvent) async {
        let (middlewares, handlers) = state.withLock { state in
            (state.middlewares, state.anyHandlers + (state.handlers[Name(event.name)] ?? []))
        }
        for middleware in middlewares {
            guard await attempt(event.name, { try await middleware(event) }) else { return }
        }
        for handler in handlers { await attempt(event.name) { try await handler(event) } }
    }

    /// Runs a handler; an error ends nothing but its call. Returns whether there was none.
    @discardableResult
    private func attempt(_ event: String, _ body: () async throws -> Void) async -> Bool {
        do {
            try await body()
            return true
        } catch {
            logger.log(
                level: isConnected ? .error : .debug, "a Socket.IO handler threw",
                metadata: ["namespace": "\(namespace.name)", "event": "\(event)", "error": "\(error)"])
            return false
        }
    }

    /// Handlers often hold the socket that holds them.
    func forgetHandlers() {
        state.withLock { state in
            state.handlers = [:]
            state.middlewares = []
            state.anyHandlers = []
            state.disconnectingHandlers = []
            state.disconnectHandlers = []
        }
    }
}

extension SocketEvent {
    /// The event of a packet; `nil` where it has no name.
    fileprivate init?(_ packet: SocketPacket, of socket: Socket) {
        guard var arguments = packet.data?.array, !arguments.isEmpty else { return nil }
        switch arguments.removeFirst() {
        case .string(let string): name = string
        case .number(let number): name = number.text
        default: return nil
        }
        self.arguments = arguments
        acknowledgement = packet.id.map { Acknowledgement($0, of: socket) }
    }
}
