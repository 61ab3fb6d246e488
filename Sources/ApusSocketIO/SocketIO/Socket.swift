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

    struct State: Sendable {
        var isConnected = true
        var data = JSON.object(JSON.Object())
        /// Those that it was in when it was disconnected; at first, those that it comes back to.
        var lastRooms: Set<Name> = []
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
            state.lastRooms = recovered.rooms.union([Name(recovered.id)])
        }
        self.state = Mutex(state)
    }

    /// Whether events can still be exchanged.
    public var isConnected: Bool { state.withLock { $0.isConnected } }

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
        state.withLock { $0.isConnected ? nil : $0.lastRooms } ?? namespace.adapter.rooms(of: id)
    }

    /// Joins rooms. What is sent to them after this has returned arrives.
    public func join(_ rooms: String...) async { await join(rooms) }

    /// Joins rooms. What is sent to them after this has returned arrives.
    public func join(_ rooms: [String]) async {
        await namespace.adapter.join(Set(rooms.map { Name($0) }), Audience(rooms: [Name(id)]))
    }

    /// Leaves a room. What is sent to it after this has returned does not arrive.
    public func leave(_ room: String) async { await namespace.adapter.leave([Name(room)], Audience(rooms: [Name(id)])) }

    /// All others in rooms: what is emitted goes to each of them once, and not to this client.
    public func to(_ rooms: String...) -> Broadcast { others.to(rooms.map { Name($0) }) }

    /// The same as ``to(_:)``.
    public func `in`(_ rooms: String...) -> Broadcast { others.to(rooms.map { Name($0) }) }

    /// All others in the namespace but those in these rooms.
    public func except(_ rooms: String...) -> Broadcast { others.except(rooms.map { Name($0) }) }

    /// All others in the namespace.
    public var broadcast: Broadcast { others }

    /// All others in the namespace that are connected to this very server.
    public var local: Broadcast { others.local }

    private var others: Broadcast { Broadcast(namespace).except([Name(id)]) }
}

/// Ending.
extension Socket {
    /// Disconnects the client from the namespace.
    ///
    /// - Parameter close: whether to end the client's connection, with all its namespaces.
    public func disconnect(close: Bool = false) {
        if close { return client.disconnect() }
        guard ends(.serverNamespaceDisconnect) else { return }
        client.left(namespace.name, isThrownOut: true)
        client.session.post(SocketPacket(kind: .disconnect, namespace: namespace.name).encoded())
    }

    /// Ends what there is of it, unless it has ended already. Returns whether it was this call.
    @discardableResult
    func ends(_ reason: DisconnectReason) -> Bool {
        let rooms = namespace.adapter.rooms(of: id)
        let left = state.withLock { state -> (rooms: Set<Name>, waiting: [AcknowledgementHandler])? in
            guard state.isConnected else { return nil }
            state.isConnected = false
            // The adapter may not know it yet; else there is its own room at least.
            if !rooms.isEmpty { state.lastRooms = rooms }
            defer { state.acknowledgements = [:] }
            return (state.lastRooms, Array(state.acknowledgements.values))
        }
        guard let (rooms, waiting) = left else { return false }
        if let privateID, reason.isRecoverable {
            namespace.adapter.persist(
                RecoveredSession(id: id, privateID: privateID, rooms: rooms.subtracting([Name(id)]), data: data))
        }
        namespace.adapter.remove(id)
        namespace.forget(self)
        client.awaits(-waiting.count)
        for resume in waiting { resume(.failure(SocketIOError.disconnected)) }
        enqueue(.disconnection(reason))
        return true
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
    /// ``Socket/disconnect(close:)`` was called.
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

    /// Whether a client may go on later where it was.
    var isRecoverable: Bool {
        [.transportClose, .transportError, .pingTimeout, .forcedClose, .serverShuttingDown, .forcedServerClose]
            .contains(self)
    }
}
