import Apus
import Synchronization

/// One Engine.IO session as Socket.IO sees it: the sockets of its namespaces.
final class Client: Sendable {
    let session: EngineSession
    let server: SocketIOServer
    private static let maxLeft = 64
    private let state = Mutex(State())

    private struct State: Sendable {
        var decoder = SocketPacketDecoder()
        var sockets: [String: Socket] = [:]
        /// Namespaces whose middlewares have not decided yet.
        var connecting: Set<String> = []
        /// Namespaces that the server has thrown it out of; what it sent before it knew is no error.
        var left: Set<String> = []
        /// Whether it has ever been in a namespace.
        var hasJoined = false
        var end: DisconnectReason?
        /// Bytes of events that no handler has dealt with yet.
        var unhandledBytes = 0
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    init(_ session: EngineSession, _ server: SocketIOServer) {
        self.session = session
        self.server = server
        session.engine.timers.schedule(at: .now + server.core.configuration.connectTimeout) { [weak self] in
            self?.closeIfIdle()
        }
    }

    /// Where its handlers run: with its WebSocket, if it has one.
    var loop: EventLoop { session.webSocket?.eventLoop ?? session.loop }

    private func closeIfIdle() {
        let isIdle = state.withLock { !$0.hasJoined && $0.connecting.isEmpty }
        if isIdle { session.close(.forcedClose) }
    }

    /// Ends the connection, with all its sockets.
    func disconnect() {
        end(.forcedServerClose)
        session.close(.forcedClose)
    }

    /// It has left a namespace, of itself or because the server threw it out.
    func left(_ namespace: String, isThrownOut: Bool) {
        state.withLock { state in
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
        let packet: SocketPacket?
        do {
            packet = try state.withLock { state in try state.decoder.decode(message) }
        } catch {
            return session.close(.parseError)
        }
        guard let packet else { return }
        let size = 64 + message.byteCount
        let socket = state.withLock { $0.sockets[packet.namespace] }
        if let socket { return socket.receive(packet, size: size) }
        guard packet.kind == .connect else {
            // It may not know yet that it is not in the namespace any more.
            if !state.withLock({ $0.left.contains(packet.namespace) }) { session.close(.forcedClose) }
            return
        }
        connect(to: packet.namespace, auth: packet.data ?? .object(JSON.Object()), size: size)
    }

    func upgraded(to webSocket: WebSocket) {
        for socket in state.withLock({ Array($0.sockets.values) }) {
            socket.namespace.adapter.attach(socket, webSocket)
        }
    }

    func ended(_ reason: EngineEnd) { end(DisconnectReason(rawValue: reason.rawValue)) }
}

/// Joining namespaces.
extension Client {
    private func connect(to name: String, auth: JSON, size: Int) {
        guard state.withLock({ $0.connecting.insert(name).inserted }) else { return session.close(.forcedClose) }
        // It counts as an event does: who asks for many namespaces waits for those before.
        began(size)
        server.core.work.run(on: loop) {
            await self.decide(on: name, auth)
            self.ended(size)
        }
    }

    private func decide(on name: String, _ auth: JSON) async {
        guard let namespace = await server.namespace(for: name, auth) else {
            return refuse(name, SocketIOError(.invalidNamespace, "Invalid namespace"))
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
        guard socket.holdWork() else {
            // A middleware has disconnected it, which the client has been told.
            return state.withLock { _ = $0.connecting.remove(name) }
        }
        let isOpen = state.withLock { state in
            state.connecting.remove(name)
            guard state.end == nil else { return false }
            state.sockets[name] = socket
            state.hasJoined = true
            state.left.remove(name)
            return true
        }
        if isOpen { welcome(socket, recovered) } else { socket.drop() }
    }

    private func welcome(_ socket: Socket, _ recovered: Recovery?) {
        socket.namespace.remember(socket)
        socket.namespace.adapter.add(socket, recovered)
        socket.startWork()
        // The session may have ended, or moved, before the adapter knew the socket.
        if let webSocket = session.webSocket { socket.namespace.adapter.attach(socket, webSocket) }
        if !socket.isConnected {
            socket.namespace.adapter.remove(socket.id)
            socket.namespace.forget(socket)
        }
    }

    private func refuse(_ name: String, _ error: SocketIOError) {
        _ = state.withLock { $0.connecting.remove(name) }
        var answer = JSON.Object([.init(key: "message", value: .string(error.message))])
        answer["data"] = error.data
        session.post(SocketPacket(kind: .connectError, namespace: name, data: .object(answer)).encoded())
    }
}

/// Holding back a client that sends more than is handled.
extension Client {
    func began(_ size: Int) { state.withLock { $0.unhandledBytes += size } }

    func ended(_ size: Int) {
        let waiters = state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            state.unhandledBytes -= size
            guard state.unhandledBytes <= server.core.configuration.maxUnhandledBytes / 2 else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func waitForRoom() async {
        guard state.withLock({ isFull($0) }) else { return }
        await withUnsafeContinuation { continuation in
            let waits = state.withLock { state in
                guard isFull(state) else { return false }
                state.waiters.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
    }

    private func isFull(_ state: borrowing State) -> Bool {
        state.end == nil && state.unhandledBytes > server.core.configuration.maxUnhandledBytes
    }
}
