import Synchronization

/// Emitting to many: all of a namespace, or those in rooms.
///
/// ```swift
/// try await io.to("lobby").except("muted").emit("news", text)
/// ```
public struct Broadcast: Sendable {
    let namespace: Namespace
    private(set) var audience = Audience()
    private var timeout = Duration.seconds(20)

    init(_ namespace: Namespace) { self.namespace = namespace }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }

    /// Those in these rooms, beside those in the rooms named before; each hears it once.
    public func to(_ rooms: String...) -> Self { to(rooms) }

    /// Those in these rooms; the same as the form without an array. An empty array names no room, and changes nothing:
    /// a broadcast that names none goes to all.
    public func to(_ rooms: [String]) -> Self { to(Set(rooms.map { Name($0) })) }

    /// Those in these rooms, as of ``Socket/rooms``; as ``to(_:)-([String])``.
    public func to(_ rooms: Set<Name>) -> Self { with { $0.audience.rooms.formUnion(rooms) } }

    /// The same as ``to(_:)-(String...)``.
    public func `in`(_ rooms: String...) -> Self { to(rooms) }

    /// The same as ``to(_:)-([String])``.
    public func `in`(_ rooms: [String]) -> Self { to(rooms) }

    /// But not those in these rooms.
    public func except(_ rooms: String...) -> Self { except(rooms) }

    /// But not those in these rooms; the same as the form without an array.
    public func except(_ rooms: [String]) -> Self { except(Set(rooms.map { Name($0) })) }

    /// But not those in these rooms; the same as the form without an array.
    public func except(_ rooms: Set<Name>) -> Self { with { $0.audience.except.formUnion(rooms) } }

    /// Only for those who can take it at once.
    public var volatile: Self { with { $0.audience.isVolatile = true } }

    /// Only for those who are connected to this very process.
    public var local: Self { with { $0.audience.isLocal = true } }

    /// Accepted for upstream's sake; see ``Socket/compress(_:)``.
    public func compress(_ isCompressed: Bool) -> Self { self }

    /// How long ``emitWithAck(_:_:)`` waits; 20 s.
    public func timeout(_ timeout: Duration) -> Self { with { $0.timeout = timeout } }

    /// Emits an event to each of them. Encoded once, and on WebSockets framed once for all, attachments too.
    ///
    /// Never waits for a client: one that is too slow to take what is sent to all is disconnected
    /// (`WebSocketServer.Configuration.slowConsumerPolicy`).
    ///
    /// - Throws: `EncodingError` for a value; ``SocketIOError``: `reservedEvent`, `tooManyAttachments`.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        try await emit(event, arguments: try encodeArguments(repeat each values))
    }

    /// Emits an event with arguments that are passed on as they are.
    public func emit(_ event: String, arguments: [JSON]) async throws {
        let packet = BroadcastPacket(try .event(event, arguments, namespace: namespace.name))
        try await namespace.adapter.broadcast(packet, to: audience)
    }

    /// Emits an event to each of them, and returns all their acknowledgements, in the order in which they came.
    ///
    /// - Throws: ``BroadcastAckError`` where one of them did not acknowledge in time, or left; and as ``emit(_:_:)``.
    public func emitWithAck<Reply: Decodable, each Value: Encodable>(
        _ event: String, _ values: repeat each Value
    ) async throws -> [Reply] {
        let packet = try SocketPacket.event(
            event, try encodeArguments(repeat each values), namespace: namespace.name)
        let collector = AcknowledgementCollector()
        let count = try await namespace.adapter.broadcast(BroadcastPacket(packet), to: audience, timeout: timeout) {
            collector.add($0)
        }
        let (answers, missing) = await collector.answers(of: count)
        guard missing == 0 else { throw BroadcastAckError(acknowledgements: answers, missing: missing) }
        return try answers.map { try ($0.first ?? .null).decoded() }
    }
}

/// Clients as a group.
extension Broadcast {
    /// What is known of them.
    public func fetchSockets() async -> [RemoteSocket] { await namespace.adapter.fetch(audience) }

    /// Lets them join rooms.
    public func socketsJoin(_ rooms: String...) async { await socketsJoin(rooms) }

    /// Lets them join rooms; the same as the form without an array.
    public func socketsJoin(_ rooms: [String]) async {
        await namespace.adapter.join(Set(rooms.map { Name($0) }), audience)
    }

    /// Lets them leave rooms.
    public func socketsLeave(_ rooms: String...) async { await socketsLeave(rooms) }

    /// Lets them leave rooms; the same as the form without an array.
    public func socketsLeave(_ rooms: [String]) async {
        await namespace.adapter.leave(Set(rooms.map { Name($0) }), audience)
    }

    /// Disconnects them; as ``Socket/disconnect(close:)``. Those of them who were lost cannot come back any more,
    /// either.
    public func disconnectSockets(close: Bool = false) async {
        await namespace.adapter.disconnect(audience, close: close)
    }
}

/// Not everybody has acknowledged a broadcast.
public struct BroadcastAckError: Error, Sendable {
    /// What those who did have said, each with all its arguments.
    public let acknowledgements: [[JSON]]
    /// How many did not.
    public let missing: Int
}

/// Acknowledgements of many, as they come.
private final class AcknowledgementCollector: Sendable {
    private struct State {
        var answers: [[JSON]] = []
        var missing = 0
        var awaited: (count: Int, continuation: UnsafeContinuation<Void, Never>)?

        mutating func resumeIfComplete() {
            guard let awaited, answers.count + missing >= awaited.count else { return }
            self.awaited = nil
            awaited.continuation.resume()
        }
    }

    private let state = Mutex(State())

    func add(_ result: Result<[JSON], any Error>) {
        state.withLock { state in
            switch result {
            case .success(let arguments): state.answers.append(arguments)
            case .failure: state.missing += 1
            }
            state.resumeIfComplete()
        }
    }

    func answers(of count: Int) async -> (answers: [[JSON]], missing: Int) {
        await withUnsafeContinuation { continuation in
            state.withLock { state in
                state.awaited = (count, continuation)
                state.resumeIfComplete()
            }
        }
        return state.withLock { ($0.answers, $0.missing) }
    }
}

/// Those whose acknowledgements of a broadcast are awaited. What waits for each of them holds it: when all have
/// acknowledged, or are gone, nothing is kept until the time is over.
final class AwaitedSockets: Sendable {
    let all: [Socket]

    init(_ all: [Socket]) { self.all = all }
}
