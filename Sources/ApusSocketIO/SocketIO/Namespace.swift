import Apus
import Synchronization

/// A namespace: clients that hear one another, apart from those of other namespaces on the same connections.
public final class Namespace: Sendable {
    /// What decides whether a client may connect.
    public typealias Middleware = @Sendable @concurrent (Socket) async throws -> Void
    /// What hears of a new client.
    public typealias ConnectionHandler = @Sendable @concurrent (Socket) async throws -> Void

    /// Its name, with a slash in front.
    public let name: String
    let core: ServerCore
    /// The one that it was made by; see ``SocketIOServer/of(where:)``.
    private let parent: DynamicNamespace?
    private let state = Mutex(State())

    private struct State: Sendable {
        var adapter: (any Adapter)?
        var sockets: [Name: Socket] = [:]
        var middlewares: [Middleware] = []
        var connectionHandlers: [ConnectionHandler] = []
        /// Whether the server has ended.
        var isOver = false
    }

    init(_ name: String, in core: ServerCore, parent: DynamicNamespace? = nil) {
        self.name = name
        self.core = core
        self.parent = parent
        MemoryGauge.add(Self.ownByteCount)
    }

    deinit { MemoryGauge.subtract(Self.ownByteCount) }

    /// For the gauge, as measured: this object, its adapter, and their tables.
    private static let ownByteCount = 1024

    /// Where its clients and rooms are kept.
    public var adapter: any Adapter {
        if let adapter = state.withLock({ $0.adapter }) { return adapter }
        let new = core.configuration.makeAdapter(self)
        return state.withLock { state in
            let adapter = state.adapter ?? new
            if !state.isOver { state.adapter = adapter }
            return adapter
        }
    }

    /// Lets go of all that may hold us in turn.
    func forgetHandlers() {
        state.withLock { state in
            state = State()
            state.isOver = true
        }
    }

    /// Calls `handler` with every client that has connected.
    ///
    /// It is the place to register handlers for the client's events, which wait until it has returned. Where it
    /// throws, that is logged, and the client stays connected.
    public func onConnection(_ handler: @escaping ConnectionHandler) {
        state.withLock { if !$0.isOver { $0.connectionHandlers.append(handler) } }
    }

    /// Lets `middleware` decide on every client that wants to connect, behind those before it.
    ///
    /// Throwing refuses the client, which gets a `connect_error`: with the words and the data of a
    /// ``SocketIOError/refused(_:data:)``, or with no more than that it was refused, for any other error, which is
    /// logged.
    public func use(_ middleware: @escaping Middleware) {
        state.withLock { if !$0.isOver { $0.middlewares.append(middleware) } }
    }

    /// The clients that are connected to it, by ``Socket/id``; of this process only.
    public var sockets: [Name: Socket] { state.withLock { $0.sockets } }

    var connectionHandlers: [ConnectionHandler] {
        (parent?.connectionHandlers ?? []) + state.withLock { $0.connectionHandlers }
    }

    func admit(_ socket: Socket) async throws {
        if socket.isRecovered, core.configuration.recovery?.skipsMiddlewares == true { return }
        for middleware in (parent?.middlewares ?? []) + state.withLock({ $0.middlewares }) {
            try await middleware(socket)
        }
    }

    func remember(_ socket: Socket) { state.withLock { $0.sockets[Name(socket.id)] = socket } }

    func forget(_ socket: Socket) {
        let isEmpty = state.withLock { state in
            // One that comes back has the same identity.
            if state.sockets[Name(socket.id)] === socket { state.sockets[Name(socket.id)] = nil }
            return state.sockets.isEmpty
        }
        if isEmpty { parent?.forget(self) }
    }

    var isEmpty: Bool { state.withLock { $0.sockets.isEmpty } }

    /// A client that was on its way is with us, or was refused.
    func clientCame() { parent?.clientCame(to: self) }

    /// The maximum size of what a client names to go on: its secret, and its place among the events.
    private static let maxRecoveryBytes = 64

    /// What a client that names what it had can go on with.
    func recovery(by auth: JSON) -> Recovery? {
        // No adapter makes longer ones; so none has to look for what a client has made up.
        guard core.configuration.recovery != nil, let privateID = auth["pid"]?.string,
            privateID.utf8.count <= Self.maxRecoveryBytes, let offset = auth["offset"]?.string,
            offset.utf8.count <= Self.maxRecoveryBytes
        else { return nil }
        return adapter.restore(privateID: privateID, offset: offset)
    }
}

/// Emitting to all of a namespace, or some.
extension Namespace {
    /// All of it.
    public var everybody: Broadcast { Broadcast(self) }

    /// Emits an event to all clients; as ``Broadcast/emit(_:_:)``.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        try await everybody.emit(event, repeat each values)
    }

    /// Emits an event to all clients, and returns their acknowledgements; as ``Broadcast/emitWithAck(_:_:)``.
    public func emitWithAck<Reply: Decodable, each Value: Encodable>(
        _ event: String, _ values: repeat each Value
    ) async throws -> [Reply] {
        try await everybody.emitWithAck(event, repeat each values)
    }

    /// Those in rooms.
    public func to(_ rooms: String...) -> Broadcast { everybody.to(rooms) }

    /// Those in rooms; as ``Broadcast/to(_:)-([String])``.
    public func to(_ rooms: [String]) -> Broadcast { everybody.to(rooms) }

    /// The same as ``to(_:)-(String...)``.
    public func `in`(_ rooms: String...) -> Broadcast { everybody.to(rooms) }

    /// The same as ``to(_:)-([String])``.
    public func `in`(_ rooms: [String]) -> Broadcast { everybody.to(rooms) }

    /// All but those in rooms.
    public func except(_ rooms: String...) -> Broadcast { everybody.except(rooms) }

    /// All but those in rooms; the same as the form without an array.
    public func except(_ rooms: [String]) -> Broadcast { everybody.except(rooms) }

    /// All who can take what is emitted at once.
    public var volatile: Broadcast { everybody.volatile }

    /// All who are connected to this very process.
    public var local: Broadcast { everybody.local }

    /// All, with a limit for acknowledgements.
    public func timeout(_ timeout: Duration) -> Broadcast { everybody.timeout(timeout) }

    /// What is known of all clients.
    public func fetchSockets() async -> [RemoteSocket] { await everybody.fetchSockets() }

    /// Lets all clients join rooms.
    public func socketsJoin(_ rooms: String...) async { await everybody.socketsJoin(rooms) }

    /// Lets all clients join rooms; the same as the form without an array.
    public func socketsJoin(_ rooms: [String]) async { await everybody.socketsJoin(rooms) }

    /// Lets all clients leave rooms.
    public func socketsLeave(_ rooms: String...) async { await everybody.socketsLeave(rooms) }

    /// Lets all clients leave rooms; the same as the form without an array.
    public func socketsLeave(_ rooms: [String]) async { await everybody.socketsLeave(rooms) }

    /// Disconnects all clients, those that were lost and may come back among them; as ``Socket/disconnect(close:)``.
    public func disconnectSockets(close: Bool = false) async { await everybody.disconnectSockets(close: close) }
}

/// Namespaces that are made as clients ask for them.
public final class DynamicNamespace: Sendable {
    /// Whether a namespace of this name may be made, for a client with this auth object.
    public typealias Predicate = @Sendable @concurrent (_ name: String, _ auth: JSON) async throws -> Bool

    private let core: ServerCore
    let predicate: Predicate
    private let state = Mutex(State())

    private struct State: Sendable {
        var middlewares: [Namespace.Middleware] = []
        var connectionHandlers: [Namespace.ConnectionHandler] = []
        var children: [Name: Namespace] = [:]
        /// Clients on their way to a child, which is not to go meanwhile.
        var expected: [Name: Int] = [:]
        /// Children without clients, which go where there is no room for another.
        var idle: Set<Name> = []
        /// Whether the server has ended.
        var isOver = false
    }

    init(_ core: ServerCore, _ predicate: @escaping Predicate) {
        self.core = core
        self.predicate = predicate
    }

    var middlewares: [Namespace.Middleware] { state.withLock { $0.middlewares } }
    var connectionHandlers: [Namespace.ConnectionHandler] { state.withLock { $0.connectionHandlers } }

    /// Calls `handler` with every client of any of the namespaces; as ``Namespace/onConnection(_:)``.
    public func onConnection(_ handler: @escaping Namespace.ConnectionHandler) {
        state.withLock { if !$0.isOver { $0.connectionHandlers.append(handler) } }
    }

    /// Lets `middleware` decide on every client of any of the namespaces; as ``Namespace/use(_:)``.
    public func use(_ middleware: @escaping Namespace.Middleware) {
        state.withLock { if !$0.isOver { $0.middlewares.append(middleware) } }
    }

    /// Those that were made, by name.
    public var children: [Name: Namespace] { state.withLock { $0.children } }

    func child(_ name: Name) -> Namespace? { state.withLock { $0.children[name] } }

    /// Emits an event to all clients of all of them.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        for child in children.values { try await child.emit(event, repeat each values) }
    }

    /// The child of that name, for a client that is on its way to it until ``Namespace/clientCame()``.
    func expectClient(in name: String, orMake makes: Bool = false) -> Namespace? {
        let (child, forgotten) = state.withLock { state -> (Namespace?, Namespace?) in
            let key = Name(name)
            var forgotten: Namespace?
            if state.children[key] == nil {
                guard makes, makeRoom(&forgotten, &state) else { return (nil, forgotten) }
                state.children[key] = Namespace(name, in: core, parent: self)
            }
            state.expected[key, default: 0] += 1
            state.idle.remove(key)
            return (state.children[key], forgotten)
        }
        forgotten?.forgetHandlers()
        return child
    }

    /// Takes a place for one more child; where there is none, an idle child has to go.
    private func makeRoom(_ forgotten: inout Namespace?, _ state: inout State) -> Bool {
        let count = core.dynamicNamespaces.add(1, ordering: .relaxed).newValue
        guard count > core.configuration.maxDynamicNamespaces else { return true }
        core.dynamicNamespaces.subtract(1, ordering: .relaxed)
        while let name = state.idle.popFirst() {
            guard let child = state.children[name], child.isEmpty else { continue }
            forgotten = state.children.removeValue(forKey: name)
            return true
        }
        return false
    }

    func clientCame(to child: Namespace) {
        state.withLock { state in
            let name = Name(child.name)
            let left = (state.expected[name] ?? 1) - 1
            state.expected[name] = left == 0 ? nil : left
        }
        if child.isEmpty { forget(child) }
    }

    func forget(_ child: Namespace) {
        let isForgotten = state.withLock { state in
            let name = Name(child.name)
            guard state.children[name] === child, state.expected[name] == nil, child.isEmpty else {
                return false
            }
            guard core.configuration.forgetsEmptyNamespaces else {
                state.idle.insert(name)
                return false
            }
            state.children[name] = nil
            return true
        }
        guard isForgotten else { return }
        core.dynamicNamespaces.subtract(1, ordering: .relaxed)
        child.forgetHandlers()
    }

    /// Lets go of all that may hold us in turn.
    func forgetHandlers() {
        let children = state.withLock { state in
            defer {
                state = State()
                state.isOver = true
            }
            return state.children.values
        }
        for child in children { child.forgetHandlers() }
    }
}
