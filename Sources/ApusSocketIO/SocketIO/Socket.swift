import Apus
import Logging
import Synchronization

/// A client in a namespace.
///
/// Its events are handled one at a time and in order, on the event loop of its connection; an acknowledgement is no
/// event, and comes through while a handler waits for it. Every method may be called from any task.
public final class Socket: Sendable {
    /// Its identity, new with every connection unless ``isRecovered``.
    public let id: String
    /// The namespace it is connected to.
    public let namespace: Namespace
    /// What the client sent in its CONNECT; an empty object where it sent nothing.
    public let auth: JSON
    /// Whether it goes on where a lost connection ended: with its ``id``, its rooms and its ``data``.
    public let isRecovered: Bool
    /// The request that opened the connection.
    public var handshake: Handshake { client.session.handshake }

    let client: Client
    /// Known to the client alone: with it a later connection can go on.
    let privateID: String?
    let state: Mutex<State>

    /// How far it has come. It never goes back.
    enum Phase: Sendable {
        /// Middlewares have not decided yet.
        case joining
        case connected
        /// Disconnected, refused, or lost.
        case gone
    }

    struct State: Sendable {
        var phase = Phase.joining
        var data = JSON.object(JSON.Object())
        /// The rooms while the adapter does not keep them: before it knows the socket, those that it comes back to and
        /// those that middlewares let it join; at the end, those that it was in.
        var rooms: Set<Name> = []
        /// Whether the adapter keeps its rooms.
        var isWithAdapter = false
        /// Until when a client that was lost may come back; `nil` where it may not.
        var recoveryEnd: ContinuousClock.Instant?
        var handlers: [Name: [@Sendable @concurrent (SocketEvent) async throws -> Void]] = [:]
        var middlewares: [@Sendable @concurrent (SocketEvent) async throws -> Void] = []
        var anyHandlers: [@Sendable @concurrent (SocketEvent) async throws -> Void] = []
        var disconnectingHandlers: [DisconnectHandler] = []
        var disconnectHandlers: [DisconnectHandler] = []
        var acknowledgements: [Int: AcknowledgementHandler] = [:]
        var work: [Work] = []
        var isWorking = false
        /// What works at present, or did last.
        var worker: Task<Void, Never>?
        /// Its place in ``RunningWork``, for as long as it may have work.
        var runs: Int?
        /// Whether its handlers are to hurry.
        var isCancelled = false
    }

    typealias AcknowledgementHandler = @Sendable (Result<[JSON], any Error>) -> Void

    /// What is to be done in order.
    enum Work: Sendable {
        case connection
        case event(SocketEvent, size: Int)
        case disconnection(DisconnectReason)
    }

    init(_ client: Client, in namespace: Namespace, auth: JSON, recovered: RecoveredSession? = nil) {
        self.client = client
        self.namespace = namespace
        self.auth = auth
        isRecovered = recovered != nil
        id = recovered?.id ?? EngineServer.makeID()
        privateID =
            recovered?.privateID ?? (namespace.core.configuration.recovery == nil ? nil : EngineServer.makeID())
        var state = State()
        if let recovered {
            state.data = recovered.data
            state.rooms = recovered.rooms.union([Name(recovered.id)])
        }
        self.state = Mutex(state)
        MemoryGauge.add(Self.ownByteCount + auth.footprint)
    }

    deinit { MemoryGauge.subtract(Self.ownByteCount + auth.footprint) }

    /// For the gauge, as measured: this object, and its entries in tables.
    private static let ownByteCount = 4096

    /// Whether the client is in the namespace. `false` while a middleware decides on it, and once it has left.
    public var isConnected: Bool { phase == .connected }

    var phase: Phase { state.withLock { $0.phase } }

    /// Whatever the application wants to remember of the client; ``Namespace/fetchSockets()`` shows it. An empty object
    /// at first.
    public var data: JSON {
        get { state.withLock { $0.data } }
        set { state.withLock { $0.data = newValue } }
    }

    /// What the packets travel by at present.
    public var transport: Transport { client.session.webSocket == nil ? .polling : .webSocket }

    var logger: Logger { namespace.core.logger }
}

/// Rooms.
extension Socket {
    /// The rooms it is in, its own of the name ``id`` among them; once disconnected, those that it was in then.
    public var rooms: Set<Name> {
        state.withLock { $0.isWithAdapter ? nil : $0.rooms } ?? namespace.adapter.rooms(of: id)
    }

    /// Joins rooms. What is sent to them after this has returned arrives.
    ///
    /// A client that a middleware lets join a room is in it once it is connected. One that has left joins nothing.
    public func join(_ rooms: String...) async { await join(rooms) }

    /// Joins rooms; the same as the form without an array.
    public func join(_ rooms: [String]) async {
        let names = Set(rooms.map { Name($0) })
        let isDone = changeOwnRooms { $0.formUnion(names) }
        if !isDone { await namespace.adapter.join(names, by: self) }
    }

    /// Leaves rooms. What is sent to them after this has returned does not arrive.
    ///
    /// A client can leave its own room, too: then what is sent to the room ``id`` does not reach it any more, and what
    /// is sent to all others reaches it as well. ``emit(_:_:)`` does not go by rooms, and always does.
    public func leave(_ rooms: String...) async { await leave(rooms) }

    /// Leaves rooms; the same as the form without an array.
    public func leave(_ rooms: [String]) async {
        let names = Set(rooms.map { Name($0) })
        let isDone = changeOwnRooms { $0.subtract(names) }
        if !isDone { await namespace.adapter.leave(names, by: self) }
    }

    /// Changes the rooms, unless they are with the adapter. Returns whether nothing is left to do.
    private func changeOwnRooms(_ change: (inout Set<Name>) -> Void) -> Bool {
        state.withLock { state in
            guard !state.isWithAdapter else { return false }
            if state.phase != .gone { change(&state.rooms) }
            return true
        }
    }

    /// Hands its rooms over to the adapter, which calls this while nobody can ask it for them. Returns `nil` where the
    /// client has left already, and is not to be added.
    func enterAdapter() -> Set<Name>? {
        state.withLock { state in
            guard state.phase == .connected else { return nil }
            state.isWithAdapter = true
            return state.rooms.union([Name(id)])
        }
    }

    /// All others in rooms: what is emitted goes to each of them once, and not to this client.
    public func to(_ rooms: String...) -> Broadcast { others.to(rooms) }

    /// All others in rooms; the same as the form without an array.
    public func to(_ rooms: [String]) -> Broadcast { others.to(rooms) }

    /// The same as ``to(_:)-(String...)``.
    public func `in`(_ rooms: String...) -> Broadcast { others.to(rooms) }

    /// The same as ``to(_:)-([String])``.
    public func `in`(_ rooms: [String]) -> Broadcast { others.to(rooms) }

    /// All others in the namespace but those in these rooms.
    public func except(_ rooms: String...) -> Broadcast { others.except(rooms) }

    /// All others in the namespace but those in these rooms; the same as the form without an array.
    public func except(_ rooms: [String]) -> Broadcast { others.except(rooms) }

    /// All others in the namespace.
    public var broadcast: Broadcast { others }

    /// All others in the namespace that are connected to this very server.
    public var local: Broadcast { others.local }

    private var others: Broadcast { Broadcast(namespace).except([Name(id)]) }
}

/// Ending.
extension Socket {
    /// Disconnects the client from the namespace. It is told so, and does not come back by itself.
    ///
    /// What was emitted to it before still arrives. The reason is ``DisconnectReason/serverNamespaceDisconnect``, with
    /// `close` as without. A client that was thrown out cannot recover what it had; neither can one that was lost
    /// before this is called. Within a middleware this does nothing, as upstream: throw to refuse the client.
    ///
    /// - Parameter close: whether to disconnect it from all its namespaces, and to close its connection.
    public func disconnect(close: Bool = false) {
        switch phase {
        case .joining: logger.warning("a middleware cannot disconnect a client: throw to refuse it")
        case .connected where close: client.disconnect()
        case .connected: leaveNamespace()
        case .gone: forgetRecovery()
        }
    }

    func leaveNamespace() {
        guard ends(.serverNamespaceDisconnect) else { return }
        client.left(namespace.name, isThrownOut: true)
        client.session.post(SocketPacket(kind: .disconnect, namespace: namespace.name).encoded(), isLast: true)
    }

    private func forgetRecovery() {
        let mayComeBack = state.withLock { state in
            defer { state.recoveryEnd = nil }
            return state.recoveryEnd != nil
        }
        if mayComeBack, let privateID { namespace.adapter.forget(privateID: privateID) }
    }

    /// Ends what there is of it, unless it has ended already. Returns whether it was this call.
    @discardableResult
    func ends(_ reason: DisconnectReason) -> Bool {
        let recovery = reason.isRecoverable ? namespace.core.configuration.recovery : nil
        let waiting = state.withLock { state -> [AcknowledgementHandler]? in
            guard state.phase == .connected else { return nil }
            state.phase = .gone
            state.recoveryEnd = recovery.map { .now + $0.maxDisconnection }
            defer { state.acknowledgements = [:] }
            return Array(state.acknowledgements.values)
        }
        guard let waiting else { return false }
        // Not before it is removed: it could come back, and be taken for the one that is to be removed.
        let rooms = leaveAdapter()
        if let privateID, recovery != nil {
            namespace.adapter.persist(
                RecoveredSession(id: id, privateID: privateID, rooms: rooms.subtracting([Name(id)]), data: data))
            // It may have been thrown out meanwhile, when there was nothing to forget yet.
            if state.withLock({ $0.recoveryEnd == nil }) { namespace.adapter.forget(privateID: privateID) }
        }
        namespace.forget(self)
        client.awaits(-waiting.count)
        for resume in waiting { resume(.failure(SocketIOError.disconnected)) }
        enqueue(.disconnection(reason))
        return true
    }

    /// Returns the rooms that it was in.
    private func leaveAdapter() -> Set<Name> {
        let rooms = namespace.adapter.remove(self)
        return state.withLock { state in
            // It may not have known the socket yet.
            if let rooms { state.rooms = rooms }
            state.isWithAdapter = false
            return state.rooms
        }
    }
}

/// Why a client left a namespace, in upstream's words.
public struct DisconnectReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The words.
    public let rawValue: String

    /// Takes the words.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The words.
    public var description: String { rawValue }

    /// The client has left the namespace.
    public static let clientNamespaceDisconnect = Self(rawValue: "client namespace disconnect")
    /// The server has thrown the client out, by ``Socket/disconnect(close:)`` or
    /// ``Namespace/disconnectSockets(close:)``.
    public static let serverNamespaceDisconnect = Self(rawValue: "server namespace disconnect")
    /// The server has ended the client's whole connection.
    public static let forcedServerClose = Self(rawValue: "forced server close")
    /// The server stops.
    public static let serverShuttingDown = Self(rawValue: "server shutting down")
    /// The client has sent no pong in time.
    public static let pingTimeout = Self(rawValue: "ping timeout")
    /// The connection was closed, or lost.
    public static let transportClose = Self(rawValue: "transport close")
    /// The connection has failed.
    public static let transportError = Self(rawValue: "transport error")
    /// The client has sent what is no packet.
    public static let parseError = Self(rawValue: "parse error")
    /// The client has sent more, or longer names, than a setting allows.
    public static let limitExceeded = Self(rawValue: "limit exceeded")
    /// The connection was closed, because no packet of the client made sense where it came.
    public static let forcedClose = Self(rawValue: "forced close")

    /// Whether a client may go on later where it was: its connection has ended, and nobody meant it to leave.
    var isRecoverable: Bool {
        [.transportClose, .transportError, .pingTimeout, .forcedClose, .serverShuttingDown, .forcedServerClose]
            .contains(self)
    }
}
