import Apus

/// Where a namespace keeps who is in which room, and how it reaches them.
///
/// ``InMemoryAdapter`` knows the clients of this process. One that joins several nodes has such a one inside, gives it
/// every call, and passes on to the other nodes what is not ``Audience/isLocal``. Every method may be called from any
/// thread.
public protocol Adapter: Sendable {
    /// A client has joined the namespace: tells it so, and what it has missed, and lets it have its own room and those
    /// in ``Socket/rooms``: middlewares may have let it join some. Does not wait.
    func add(_ socket: Socket, _ recovery: Recovery?)
    /// A client's packets travel by a WebSocket from now on.
    func attach(_ socket: Socket, _ webSocket: WebSocket)
    /// A client has left the namespace, and so all its rooms, which are returned; `nil` where it is not known. One that
    /// has come back, with the same identity, is another.
    func remove(_ socket: Socket) -> Set<Name>?
    /// The rooms of one of this process's clients; empty where there is none of this identity.
    func rooms(of id: String) -> Set<Name>

    /// Puts one of this process's clients into rooms.
    func join(_ rooms: Set<Name>, by socket: Socket) async
    /// Takes one of this process's clients out of rooms, its own perhaps.
    func leave(_ rooms: Set<Name>, by socket: Socket) async
    /// Puts clients into rooms.
    func join(_ rooms: Set<Name>, _ audience: Audience) async
    /// Takes clients out of rooms.
    func leave(_ rooms: Set<Name>, _ audience: Audience) async
    /// Sends a packet to all of an audience.
    func broadcast(_ packet: BroadcastPacket, to audience: Audience) async throws
    /// Sends a packet to all of an audience, and calls `body` with each one's acknowledgement, or that there is none.
    ///
    /// - Returns: how often `body` is called in all.
    func broadcast(
        _ packet: BroadcastPacket, to audience: Audience, timeout: Duration,
        acknowledgement body: @escaping @Sendable (Result<[JSON], any Error>) -> Void
    ) async throws -> Int
    /// What is known of the clients of an audience.
    func fetch(_ audience: Audience) async -> [RemoteSocket]
    /// Disconnects the clients of an audience. Those of them who were lost are forgotten.
    func disconnect(_ audience: Audience, close: Bool) async

    /// The packet as it goes to those of an audience: where connections can be taken up again, with its place in what
    /// is remembered for those who miss it.
    func recorded(_ packet: BroadcastPacket, to audience: Audience) -> BroadcastPacket
    /// Remembers a client that was lost.
    func persist(_ session: RecoveredSession)
    /// Forgets a client that was lost: it is not to come back.
    func forget(privateID: String)
    /// Forgets the clients of an audience that were lost; as ``forget(privateID:)``.
    func forget(_ audience: Audience)
    /// Gives back a client that was lost, with all it has missed behind `offset`, once; `nil` where too much time has
    /// gone by.
    func restore(privateID: String, offset: String) -> Recovery?
}

/// The recipients of a broadcast.
public struct Audience: Hashable, Sendable {
    /// Those in any of these rooms; all of the namespace where there is none.
    public var rooms: Set<Name>
    /// But not those in any of these. A client's identity is a room.
    public var except: Set<Name>
    /// Only those who can take it at once.
    public var isVolatile: Bool
    /// Only those of this very process.
    public var isLocal: Bool

    /// Names the recipients.
    public init(
        rooms: Set<Name> = [], except: Set<Name> = [], isVolatile: Bool = false, isLocal: Bool = false
    ) {
        self.rooms = rooms
        self.except = except
        self.isVolatile = isVolatile
        self.isLocal = isLocal
    }

    /// Whether one who is in `rooms` is meant.
    func includes(_ rooms: Set<Name>) -> Bool {
        (self.rooms.isEmpty || !self.rooms.isDisjoint(with: rooms)) && except.isDisjoint(with: rooms)
    }
}

/// An event on its way to many.
public struct BroadcastPacket: Hashable, Sendable {
    var packet: SocketPacket

    init(_ packet: SocketPacket) { self.packet = packet }

    /// An event with its arguments.
    ///
    /// - Throws: ``SocketIOError``: `reservedEvent`, `tooManyAttachments`.
    public init(namespace: String, event: String, arguments: [JSON]) throws(SocketIOError) {
        packet = try .event(event, arguments, namespace: namespace)
        _ = try packet.checked()
    }

    /// The namespace's name.
    public var namespace: String { packet.namespace }
    /// The event's name and its arguments.
    public var content: [JSON] { packet.data?.array ?? [] }
}

/// A client that was lost, and may come back.
public struct RecoveredSession: Hashable, Sendable {
    /// Its ``Socket/id``.
    public var id: String
    /// What it will name itself by; a secret between it and the server.
    public var privateID: String
    /// The rooms it was in, its own left out.
    public var rooms: Set<Name>
    /// Its ``Socket/data``.
    public var data: JSON

    /// Says what there is to come back to.
    public init(id: String, privateID: String, rooms: Set<Name>, data: JSON) {
        self.id = id
        self.privateID = privateID
        self.rooms = rooms
        self.data = data
    }
}

/// A client that came back, and what it has missed.
public struct Recovery: Hashable, Sendable {
    /// What there was.
    public var session: RecoveredSession
    /// In order.
    public var missed: [BroadcastPacket]
    /// How much the memory had been given by then.
    var count: UInt64?

    /// Says what there was, and is to be sent.
    public init(session: RecoveredSession, missed: [BroadcastPacket]) {
        self.session = session
        self.missed = missed
    }

    init(session: RecoveredSession, missed: [BroadcastPacket], count: UInt64) {
        self.init(session: session, missed: missed)
        self.count = count
    }
}

/// A client as ``Namespace/fetchSockets()`` shows it, of this process or another.
public struct RemoteSocket: Sendable {
    /// Its identity.
    public let id: String
    /// The rooms it is in, its own among them.
    public let rooms: Set<Name>
    /// What the application has remembered of it.
    public let data: JSON
    /// The request that opened its connection.
    public let handshake: Handshake
    let namespace: Namespace

    /// Says what is known of a client.
    public init(id: String, rooms: Set<Name>, data: JSON, handshake: Handshake, namespace: Namespace) {
        self.id = id
        self.rooms = rooms
        self.data = data
        self.handshake = handshake
        self.namespace = namespace
    }

    /// The client alone, to emit to, to let join rooms, or to disconnect.
    public var audience: Broadcast { Broadcast(namespace).to([Name(id)]) }
}
