import Apus
import Synchronization

/// What the server emits to one client.
extension Socket {
    /// Emits an event, with any values as its arguments; `[UInt8]` becomes an attachment.
    ///
    /// Suspends only while the client has too much before it to take. What one task emits arrives in order. Where lost
    /// connections can be recovered, an event for a client that was lost is remembered, and sent when it comes back.
    ///
    /// - Throws: `EncodingError` for a value; ``SocketIOError``: `disconnected`, `reservedEvent`, `tooManyAttachments`;
    ///   or `CancellationError`.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        try await emit(event, arguments: try encodeArguments(repeat each values))
    }

    /// Emits an event with arguments that are passed on as they are; else as ``emit(_:_:)``.
    public func emit(_ event: String, arguments: [JSON]) async throws {
        let packet = BroadcastPacket(try .event(event, arguments, namespace: namespace.name))
        guard phase != .gone else { return try await emitToLost(packet) }
        let recorded = try recorded(packet)
        do {
            try await client.session.send(try recorded.packet.checked())
        } catch let error as SocketIOError where error.code == .disconnected && mayComeBack {
            // It was lost meanwhile, and is sent what was remembered when it comes back.
        }
    }

    /// The packet with its place among those that are remembered, where any are.
    private func recorded(_ packet: BroadcastPacket) throws(SocketIOError) -> BroadcastPacket {
        guard privateID != nil else { return packet }
        try packet.packet.checkAttachments()
        return namespace.adapter.recorded(packet, to: Audience(rooms: [Name(id)]))
    }

    /// Emits to a client that was lost: it is remembered until it comes back, and reaches one that has come back.
    private func emitToLost(_ packet: BroadcastPacket) async throws {
        guard mayComeBack || hasComeBack else { throw SocketIOError.disconnected }
        try await namespace.adapter.broadcast(packet, to: Audience(rooms: [Name(id)]))
    }

    private var hasComeBack: Bool {
        state.withLock { $0.recoveryEnd != nil } && namespace.sockets[Name(id)] != nil
    }

    private var mayComeBack: Bool {
        state.withLock { state in
            guard state.phase == .gone else { return privateID != nil }
            return state.recoveryEnd.map { .now <= $0 } ?? false
        }
    }

    /// Emits an event, and waits for the client's acknowledgement, whose first argument is returned.
    ///
    /// - Throws: as ``emit(_:_:)``; `DecodingError` where the argument is of another type. Without ``timeout(_:)`` it
    ///   waits until the client has gone.
    public func emitWithAck<Reply: Decodable, each Value: Encodable>(
        _ event: String, _ values: repeat each Value
    ) async throws -> Reply {
        let arguments = try await emitWithAck(event, arguments: try encodeArguments(repeat each values))
        return try (arguments.first ?? .null).decoded()
    }

    /// Emits an event with arguments that are passed on as they are, and returns those of the acknowledgement.
    public func emitWithAck(_ event: String, arguments: [JSON]) async throws -> [JSON] {
        try await emitWithAck(event, arguments, timeout: nil)
    }

    /// For the gauge, as measured: what a task needs while it waits for an acknowledgement.
    private static let acknowledgementByteCount = 2400

    func emitWithAck(_ event: String, _ arguments: [JSON], timeout: Duration?) async throws -> [JSON] {
        let id = namespace.core.nextID()
        let messages = try SocketPacket.event(event, arguments, namespace: namespace.name, id: id).checked()
        let wait = AcknowledgementWait()
        MemoryGauge.add(Self.acknowledgementByteCount)
        defer { MemoryGauge.subtract(Self.acknowledgementByteCount) }
        return try await withTaskCancellationHandler {
            expectAcknowledgement(id) { wait.end($0) }
            if let timeout {
                client.session.engine.timers.schedule(at: .now + timeout, for: self) { [weak self] in
                    self?.giveUp(id, SocketIOError.timedOut)
                }
            }
            do {
                // A cancellation may have come before there was anything to give up.
                try Task.checkCancellation()
                try await client.session.send(messages)
            } catch {
                giveUp(id, error)
            }
            return try await wait.result()
        } onCancel: {
            giveUp(id, CancellationError())
        }
    }

    /// Calls `body` once: with the acknowledgement's arguments, or when there will be none.
    func expectAcknowledgement(_ id: Int, _ body: @escaping @Sendable (Result<[JSON], any Error>) -> Void) {
        let isConnected = state.withLock { state in
            if state.phase != .gone { state.acknowledgements[id] = body }
            return state.phase != .gone
        }
        if isConnected { client.awaits(1) } else { body(.failure(SocketIOError.disconnected)) }
    }

    func giveUp(_ id: Int, _ error: any Error) { endAcknowledgement(id, .failure(error)) }

    /// An acknowledgement has come, or will not come any more.
    func endAcknowledgement(_ id: Int, _ result: Result<[JSON], any Error>) {
        guard let resume = state.withLock({ $0.acknowledgements.removeValue(forKey: id) }) else { return }
        client.awaits(-1)
        resume(result)
    }

    /// Emits what may be lost: where it cannot leave at once, it is dropped.
    public var volatile: SocketEmission { SocketEmission(socket: self, isVolatile: true) }

    /// Waits for acknowledgements so long and no longer.
    public func timeout(_ timeout: Duration) -> SocketEmission { SocketEmission(socket: self, timeout: timeout) }

    /// Accepted for upstream's sake: whether messages are compressed is the server's
    /// `Configuration.compression` and its threshold.
    public func compress(_ isCompressed: Bool) -> SocketEmission { SocketEmission(socket: self) }
}

/// Emitting to one client, by other rules than usual.
public struct SocketEmission: Sendable {
    let socket: Socket
    var isVolatile = false
    var timeout: Duration?

    /// The same, for what may be lost.
    public var volatile: Self {
        var copy = self
        copy.isVolatile = true
        return copy
    }

    /// The same, with a limit for acknowledgements.
    public func timeout(_ timeout: Duration) -> Self {
        var copy = self
        copy.timeout = timeout
        return copy
    }

    /// Emits an event; as ``Socket/emit(_:_:)``. What is volatile never waits, and never tells that it was dropped.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        let arguments = try encodeArguments(repeat each values)
        guard isVolatile else { return try await socket.emit(event, arguments: arguments) }
        let packet = try SocketPacket.event(event, arguments, namespace: socket.namespace.name)
        guard socket.phase != .gone else { return }
        socket.client.session.postIfWritable(try packet.checked())
    }

    /// Emits an event, and waits for the acknowledgement; as ``Socket/emitWithAck(_:_:)``.
    ///
    /// - Throws: ``SocketIOError`` with the code `timedOut`, beside what that throws.
    public func emitWithAck<Reply: Decodable, each Value: Encodable>(
        _ event: String, _ values: repeat each Value
    ) async throws -> Reply {
        let arguments = try encodeArguments(repeat each values)
        return try (try await socket.emitWithAck(event, arguments, timeout: timeout).first ?? .null).decoded()
    }
}

/// One wait for one acknowledgement, which may come before anybody waits.
final class AcknowledgementWait: Sendable {
    private enum State: Sendable {
        case open
        case waiting(CheckedContinuation<[JSON], any Error>)
        case ended(Result<[JSON], any Error>)
        case done
    }

    private let state = Mutex(State.open)

    func end(_ result: Result<[JSON], any Error>) {
        state.withLock { state in
            switch state {
            case .open: state = .ended(result)
            case .waiting(let continuation):
                state = .done
                continuation.resume(with: result)
            case .ended, .done: return
            }
        }
    }

    func result() async throws -> [JSON] {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                if case .ended(let result) = state {
                    state = .done
                    continuation.resume(with: result)
                } else {
                    state = .waiting(continuation)
                }
            }
        }
    }
}
