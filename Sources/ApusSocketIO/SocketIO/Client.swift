import Apus
import Synchronization

/// One Engine.IO session as Socket.IO sees it: the sockets of its namespaces.
final class Client: Sendable {
    let session: EngineSession
    let server: SocketIOServer
    private static let maxLeft = 64
    private let state: Mutex<State>

    private struct State: Sendable {
        var decoder: SocketPacketDecoder
        var sockets: [Name: Socket] = [:]
        /// Namespaces whose middlewares have not decided yet.
        var connecting: Set<Name> = []
        /// Namespaces that the server has thrown it out of; what it sent before it knew is no error.
        var left: Set<Name> = []
        /// Whether it has ever been in a namespace.
        var hasJoined = false
        var end: DisconnectReason?
        /// Bytes of the packet that is not whole yet, as the memory gauge knows them.
        var gaugedParts = 0
        /// Whether it has exceeded a limit, so that nothing more of it is looked at.
        var isRefused = false
        var backlog: Backlog
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    init(_ session: EngineSession, _ server: SocketIOServer) {
        self.session = session
        self.server = server
        let configuration = server.core.configuration
        state = Mutex(
            State(decoder: SocketPacketDecoder(limits: configuration.packets), backlog: Backlog(configuration)))
        session.engine.timers.schedule(at: .now + server.core.configuration.connectTimeout, for: self) { [weak self] in
            self?.closeIfIdle()
        }
    }

    deinit { MemoryGauge.subtract(state.withLock { $0.gaugedParts }) }

    /// Where its handlers run: with its WebSocket, if it has one.
    var loop: EventLoop { session.webSocket?.eventLoop ?? session.loop }

    /// The time in which it has to join a namespace is over.
    func closeIfIdle() {
        let isIdle = state.withLock { !$0.hasJoined && $0.connecting.isEmpty }
        if isIdle { session.close(.forcedClose) }
    }

    /// Throws it out of all its namespaces, and closes the connection.
    func disconnect() {
        let sockets = state.withLock { state in
            // No namespace that it is on its way to lets it in any more.
            state.end = state.end ?? .serverNamespaceDisconnect
            return Array(state.sockets.values)
        }
        for socket in sockets { socket.leaveNamespace() }
        session.close(.forcedClose)
    }

    /// It has left a namespace, of itself or because the server threw it out.
    func left(_ namespace: String, isThrownOut: Bool) {
        state.withLock { state in
            let namespace = Name(namespace)
            state.sockets[namespace] = nil
            guard isThrownOut else { return }
            // With names of the client's own choice it could make this grow; it loses no more than our patience.
            if state.left.count == Self.maxLeft { state.left = [] }
            state.left.insert(namespace)
        }
    }

    private func end(_ reason: DisconnectReason) {
        let (sockets, waiters) = state.withLock { state in
            state.end = state.end ?? reason
            defer { (state.sockets, state.waiters) = ([:], []) }
            return (Array(state.sockets.values), state.waiters)
        }
        for waiter in waiters { waiter.resume() }
        for socket in sockets { socket.ends(reason) }
    }
}

extension Client: EngineApplication {
    func received(_ message: Message) {
        switch state.withLock({ decode(message, &$0) }) {
        case .nothing: return
        case .broken(let failure): end(because: failure)
        case .overrun: overrun()
        case .packet(let packet, let size, let socket?): socket.receive(packet, size: size)
        case .packet(let packet, let size, nil): received(packet, size: size)
        }
    }

    /// What a message comes to.
    private enum Decoded {
        /// Attachments are still missing.
        case nothing
        case packet(SocketPacket, size: Int, Socket?)
        case broken(PacketFailure)
        case overrun
    }

    private func decode(_ message: Message, _ state: inout State) -> Decoded {
        guard !state.isRefused else { return .nothing }
        do {
            let packet = try state.decoder.decode(message)
            let size = state.decoder.footprint
            gauge(parts: packet == nil ? size : 0, &state)
            guard let packet else {
                // Parts of a packet are held as well.
                return state.backlog.hasRoom(for: size) ? .nothing : .overrun
            }
            return .packet(packet, size: size, state.sockets[Name(packet.namespace)])
        } catch {
            return .broken(error)
        }
    }

    /// Reports the parts of a packet that is not whole yet.
    private func gauge(parts bytes: Int, _ state: inout State) {
        guard bytes != state.gaugedParts else { return }
        MemoryGauge.add(bytes - state.gaugedParts)
        state.gaugedParts = bytes
    }

    private func end(because failure: PacketFailure) {
        guard let setting = failure.exceededSetting else { return session.close(.parseError) }
        let isName = failure == .namespaceTooLong || failure == .eventNameTooLong
        refuse(exceeding: setting, isName ? \.names : \.packets)
    }

    /// Ends the session because of a limit; once, though more may have come meanwhile.
    private func refuse(exceeding setting: String, _ count: WritableKeyPath<Refusals.Counts, Int> & Sendable) {
        let isFirst = state.withLock { state in
            defer { state.isRefused = true }
            return !state.isRefused
        }
        guard isFirst else { return }
        session.engine.refusals.count(count)
        session.close(exceeding: setting)
    }

    /// A packet for a namespace that it is not in.
    private func received(_ packet: SocketPacket, size: Int) {
        guard packet.kind == .connect else {
            // It may not know yet that it is not in the namespace any more.
            if !state.withLock({ $0.left.contains(Name(packet.namespace)) }) { session.close(.forcedClose) }
            return
        }
        connect(to: packet.namespace, auth: packet.data ?? .object(JSON.Object()), size: size)
    }

    func upgraded(to webSocket: WebSocket) {
        for socket in state.withLock({ Array($0.sockets.values) }) {
            socket.namespace.adapter.attach(socket, webSocket)
        }
    }

    func pongIsDue(_ isDue: Bool) { wake { $0.isPongDue = isDue } }

    func ended(_ reason: EngineEnd) { end(DisconnectReason(rawValue: reason.rawValue)) }
}

/// Joining namespaces.
extension Client {
    private func connect(to name: String, auth: JSON, size: Int) {
        let limit = server.core.configuration.maxNamespacesPerClient
        let (isNew, hasRoom) = state.withLock { state in
            guard !state.connecting.contains(Name(name)) else { return (false, false) }
            let hasRoom = state.sockets.count + state.connecting.count < limit
            if hasRoom { state.connecting.insert(Name(name)) }
            return (true, hasRoom)
        }
        guard isNew else { return session.close(.forcedClose) }
        guard hasRoom else {
            session.engine.refusals.count(\.namespaces)
            return refuse(name, SocketIOError(.invalidNamespace, "Too many namespaces"))
        }
        guard auth.footprint <= server.core.configuration.maxAuthBytes else {
            session.engine.refusals.count(\.namespaces)
            return refuse(name, .refused("The auth object is too large"))
        }
        // It counts as an event does: who asks for many namespaces waits for those before.
        guard began(size) else { return }
        server.core.work.run(on: loop) {
            await self.decide(on: name, auth)
            self.ended(size)
        }
    }

    private func decide(on name: String, _ auth: JSON) async {
        let namespace: Namespace
        do {
            namespace = try await server.namespace(for: name, auth)
        } catch {
            return refuse(name, error)
        }
        defer { namespace.clientCame() }
        let recovered = namespace.recovery(by: auth)
        let socket = Socket(self, in: namespace, auth: auth, recovered: recovered?.session)
        do {
            try await namespace.admit(socket)
        } catch let error as SocketIOError {
            socket.drop()
            return refuse(name, error)
        } catch {
            socket.logger.error("a Socket.IO middleware threw", metadata: ["error": "\(error)"])
            socket.drop()
            return refuse(name, .refused("The connection was refused"))
        }
        socket.holdWork()
        let end = state.withLock { state -> DisconnectReason? in
            let name = Name(name)
            state.connecting.remove(name)
            guard state.end == nil else { return state.end }
            state.sockets[name] = socket
            state.hasJoined = true
            state.left.remove(name)
            return nil
        }
        guard let end else {
            session.accept()
            return welcome(socket, recovered)
        }
        socket.drop()
        // It was lost again before it was back, and has missed the same.
        if let recovered, end.isRecoverable { namespace.adapter.persist(recovered.session) }
    }

    private func welcome(_ socket: Socket, _ recovered: Recovery?) {
        socket.namespace.remember(socket)
        socket.namespace.adapter.add(socket, recovered)
        socket.startWork()
        // The session may have ended, or moved, before the adapter knew the socket.
        if let webSocket = session.webSocket { socket.namespace.adapter.attach(socket, webSocket) }
        if !socket.isConnected {
            _ = socket.namespace.adapter.remove(socket)
            socket.namespace.forget(socket)
        }
    }

    private func refuse(_ name: String, _ error: SocketIOError) {
        state.withLock { _ = $0.connecting.remove(Name(name)) }
        var answer = JSON.Object([.init(key: "message", value: .string(error.message))])
        answer["data"] = error.data
        session.post(SocketPacket(kind: .connectError, namespace: name, data: .object(answer)).encoded())
    }
}

/// Holding back a client that sends more than is handled.
extension Client {
    /// An event waits for its handler, or a request for its answer. Returns whether there was room for it; where not,
    /// the session is over.
    func began(_ size: Int) -> Bool {
        let hasRoom = state.withLock { $0.backlog.begin(size) }
        if hasRoom { MemoryGauge.add(size) } else { overrun() }
        return hasRoom
    }

    /// It was dealt with.
    func ended(_ size: Int) {
        MemoryGauge.subtract(size)
        wake { $0.end(size) }
    }

    /// What it has sent and nobody has dealt with yet, as far as it is counted.
    var unhandledBytes: Int { state.withLock { $0.backlog.bytes } }

    /// So many more acknowledgements are awaited from it, or so many fewer.
    func awaits(_ change: Int) { wake { $0.acknowledgementsDue += change } }

    private func overrun() {
        refuse(exceeding: "maxOvertakenBytes", \.overruns)
    }

    /// Lets those go on who wait for room, if there is some.
    private func wake(_ change: (inout Backlog) -> Void) {
        let waiters = state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            change(&state.backlog)
            guard !state.waiters.isEmpty, state.backlog.mayGoOn else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func waitForRoom() async {
        guard state.withLock({ mustWait($0) }) else { return }
        await withUnsafeContinuation { continuation in
            let waits = state.withLock { state in
                guard mustWait(state) else { return false }
                state.waiters.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
    }

    private func mustWait(_ state: borrowing State) -> Bool { state.end == nil && state.backlog.mustWait }
}
