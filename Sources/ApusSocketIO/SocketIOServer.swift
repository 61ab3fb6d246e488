import Apus
import HTTPTypes
import Logging
import Synchronization

/// A Socket.IO server (Engine.IO protocol 4, Socket.IO protocol 5) for the clients that exist: version 3 and 4 of the
/// JavaScript one, and those that speak with it.
///
/// ```swift
/// let server = try WebSocketServer(configuration: .init(port: 5000))
/// let io = try SocketIOServer(on: server)
/// io.onConnection { socket in
///     socket.on("message") { (text: String) in
///         try await io.emit("message", text)
///     }
/// }
/// try await io.run(http: { page.response(to: $0) ?? .notFound })
/// ```
///
/// What it offers itself is the namespace `/`; ``of(_:)`` gives others.
public final class SocketIOServer: Sendable {
    /// The settings it was made with.
    public var configuration: Configuration { core.configuration }
    let core: ServerCore
    private var engine: EngineServer { core.engine }
    private let script: StaticResources?
    private let state = Mutex(State())

    private struct State: Sendable {
        var namespaces: [Name: Namespace] = [:]
        var dynamic: [DynamicNamespace] = []
    }

    /// Makes a Socket.IO server that lives on a server and ends with it.
    ///
    /// When that has stopped for good, and all handlers have returned, it forgets its handlers, middlewares and
    /// adapters. So closures may hold it, as the one above does; only with a server that is never run they would keep
    /// it for ever.
    ///
    /// - Throws: ``SocketIOError``, or `WebSocketError` with the code `invalidConfiguration`, or `unreadableFile` for
    ///   the client's script.
    public init(on server: WebSocketServer, configuration: Configuration = .init()) throws(WebSocketError) {
        try configuration.validate(on: server.configuration)
        script = try configuration.clientScript.map { path throws(WebSocketError) in
            try StaticResources(clientScript: path, at: configuration.path)
        }
        let reference = Reference()
        let engine = EngineServer(on: server, configuration: configuration.engine) { session in
            guard let server = reference.server.withLock({ $0.value }) else { return Nobody() }
            return Client(session, server)
        }
        core = ServerCore(configuration, server, engine)
        bind(reference)
    }

    /// Lets the server tell of its end, and its sessions find us, who are not held for that.
    private func bind(_ reference: Reference) {
        core.server.onStop { [weak core] in core?.stop() }
        core.server.onEnd {
            guard let server = reference.server.withLock({ $0.value }) else { return }
            await server.core.finish()
            server.forgetHandlers()
        }
        reference.server.withLock { $0.value = self }
        _ = root  // which every client may join, whether anybody listens or not
    }

    /// A closure that holds its namespace, but not the server, is forgotten too.
    deinit { forgetHandlers() }

    private func forgetHandlers() {
        let state = state.withLock { $0 }
        for namespace in state.namespaces.values { namespace.forgetHandlers() }
        for parent in state.dynamic { parent.forgetHandlers() }
    }

    /// Ourselves, for sessions, none of which comes before `init` returns.
    private final class Reference: Sendable {
        struct Weak: Sendable { weak var value: SocketIOServer? }

        let server = Mutex(Weak())
    }

    /// The namespace of that name, which is made where there is none; `/` in front may be left out.
    public func of(_ name: String) -> Namespace {
        let text = name.utf8.first == UInt8(ascii: "/") ? name : "/\(name)"
        let name = Name(text)
        return state.withLock { state in
            if let namespace = state.namespaces[name] { return namespace }
            for parent in state.dynamic {
                if let child = parent.child(name) { return child }
            }
            let namespace = Namespace(text, in: core)
            state.namespaces[name] = namespace
            return namespace
        }
    }

    /// Namespaces that are made where a client asks for a name that `predicate` agrees to; one that throws refuses.
    public func of(where predicate: @escaping DynamicNamespace.Predicate) -> DynamicNamespace {
        let namespace = DynamicNamespace(core, predicate)
        state.withLock { $0.dynamic.append(namespace) }
        return namespace
    }

    /// The namespace `/`.
    public var root: Namespace { of("/") }

    /// The namespace that a client asks for.
    ///
    /// - Throws: what the client is told where there is none.
    func namespace(for name: String, _ auth: JSON) async throws(SocketIOError) -> Namespace {
        let (known, dynamic) = state.withLock { ($0.namespaces[Name(name)], $0.dynamic) }
        if let known { return known }
        for parent in dynamic {
            if let child = parent.expectClient(in: name) { return child }
            guard await admits(parent, name, auth) else { continue }
            if let child = parent.expectClient(in: name, orMake: true) { return child }
            core.engine.refusals.count(\.namespaces)
            throw SocketIOError(.invalidNamespace, "Too many namespaces")
        }
        throw SocketIOError(.invalidNamespace, "Invalid namespace")
    }

    private func admits(_ parent: DynamicNamespace, _ name: String, _ auth: JSON) async -> Bool {
        do {
            return try await parent.predicate(name, auth)
        } catch {
            core.logger.error("a namespace's predicate threw", metadata: ["name": "\(name)", "error": "\(error)"])
            return false
        }
    }

    /// How many clients are connected, whatever their namespaces.
    public var clientCount: Int { engine.sessionCount }

    /// Throws all clients out of all namespaces, as ``Socket/disconnect(close:)`` with `close` does, and closes their
    /// connections. Those that were lost cannot come back with what they had, either. Clients that connect later are
    /// served; to end for good, stop the server.
    public func disconnectAll() {
        // All of them, not only those in namespaces: one that is on its way to what it had is thrown out as well.
        for client in engine.applications { (client as? Client)?.disconnect() }
        for namespace in allNamespaces { namespace.adapter.forget(Audience()) }
        engine.closeSessions(.forcedClose)
    }

    private var allNamespaces: [Namespace] {
        let state = state.withLock { $0 }
        return Array(state.namespaces.values) + state.dynamic.flatMap(\.children.values)
    }
}

/// Serving.
extension SocketIOServer {
    /// Runs the server it lives on, as `WebSocketServer.run` does, for Socket.IO and for what `http` answers.
    ///
    /// - Parameters:
    ///   - onListening: called once connections are accepted, with the address and the real port.
    ///   - http: answers the requests that are not for Socket.IO; 404 by default.
    /// - Throws: as `WebSocketServer.run`.
    public func run(
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in },
        http: @escaping @Sendable @concurrent (Request) async throws -> Response = { _ in .notFound }
    ) async throws {
        try await core.server.run(
            onListening: onListening,
            upgrade: { try await self.upgrade($0) ?? .reject(.notFound) },
            http: { request in
                if let response = try await self.response(to: request) { return response }
                return try await http(request)
            },
            handler: { _ in }
        )
    }

    /// What to answer to an opening handshake for Socket.IO; `nil` where it is none. For the `upgrade` closure of a
    /// server that also has WebSockets of its own.
    public func upgrade(_ request: Request) async throws -> UpgradeResponse? {
        guard engine.owns(request.head) else { return nil }
        return await engine.upgrade(request)
    }

    /// What to answer to a request for Socket.IO; `nil` where it is none. For the `http` closure of a server; a poll
    /// waits for something to send.
    public func response(to request: Request) async throws -> Response? {
        if engine.owns(request.head) { return try await engine.response(to: request) }
        return script?.response(to: request)
    }
}

/// The namespace `/`.
extension SocketIOServer {
    /// Calls `handler` with every client that has connected to `/`; as ``Namespace/onConnection(_:)``.
    public func onConnection(_ handler: @escaping Namespace.ConnectionHandler) { root.onConnection(handler) }

    /// Lets `middleware` decide on every client of `/`; as ``Namespace/use(_:)``.
    public func use(_ middleware: @escaping Namespace.Middleware) { root.use(middleware) }

    /// Emits an event to all clients of `/`; as ``Broadcast/emit(_:_:)``.
    public func emit<each Value: Encodable>(_ event: String, _ values: repeat each Value) async throws {
        try await root.emit(event, repeat each values)
    }

    /// Those of `/` in rooms.
    public func to(_ rooms: String...) -> Broadcast { root.everybody.to(rooms) }

    /// Those of `/` in rooms; as ``Broadcast/to(_:)-([String])``.
    public func to(_ rooms: [String]) -> Broadcast { root.everybody.to(rooms) }

    /// The same as ``to(_:)-(String...)``.
    public func `in`(_ rooms: String...) -> Broadcast { root.everybody.to(rooms) }

    /// The same as ``to(_:)-([String])``.
    public func `in`(_ rooms: [String]) -> Broadcast { root.everybody.to(rooms) }

    /// All of `/` but those in rooms.
    public func except(_ rooms: String...) -> Broadcast { root.everybody.except(rooms) }

    /// All of `/` but those in rooms; the same as the form without an array.
    public func except(_ rooms: [String]) -> Broadcast { root.everybody.except(rooms) }

    /// Lets all clients of `/` join rooms.
    public func socketsJoin(_ rooms: String...) async { await root.everybody.socketsJoin(rooms) }

    /// Lets all clients of `/` join rooms; the same as the form without an array.
    public func socketsJoin(_ rooms: [String]) async { await root.everybody.socketsJoin(rooms) }

    /// Lets all clients of `/` leave rooms.
    public func socketsLeave(_ rooms: String...) async { await root.everybody.socketsLeave(rooms) }

    /// Lets all clients of `/` leave rooms; the same as the form without an array.
    public func socketsLeave(_ rooms: [String]) async { await root.everybody.socketsLeave(rooms) }

    /// Disconnects all clients of `/`; as ``Namespace/disconnectSockets(close:)``.
    public func disconnectSockets(close: Bool = false) async { await root.disconnectSockets(close: close) }
}

/// An application for sessions whose server is gone.
private final class Nobody: EngineApplication {
    func received(_ message: Message) {}
    func upgraded(to webSocket: WebSocket) {}
    func pongIsDue(_ isDue: Bool) {}
    func ended(_ reason: EngineEnd) {}
    func waitForRoom() async {}
}
