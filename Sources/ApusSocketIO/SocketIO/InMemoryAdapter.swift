import Apus
import Synchronization

/// The adapter of one process.
///
/// Each room has a topic, so a broadcast is encoded once and framed once for all who hear it by WebSocket; those who
/// poll get it in their queues. One lock holds who is where, and a broadcast is handed out under it: of what one thread
/// sends, that which goes by the topic and that which goes by queues has one order for every client, even while it
/// moves from the one to the other. Broadcasts of different threads may reach a client in another order than that in
/// which they are remembered: what is sent on the loop of its WebSocket goes out at once, before what other threads
/// have posted to that loop.
public final class InMemoryAdapter: Adapter {
    private let name: String
    /// Not the namespace, which holds the adapter.
    private let core: ServerCore
    private let state: Mutex<State>

    /// A room, or the whole namespace.
    private struct Room {
        var members: Set<Name> = []
        /// Those who do not hear the topic.
        var apart: Set<Name> = []
        let topic: Topic
    }

    private struct Member {
        let socket: Socket
        var rooms: Set<Name>
        /// Set once it hears the topics of its rooms.
        var webSocket: WebSocket?
    }

    private struct State: Sendable {
        var everybody: Room
        var rooms: [Name: Room] = [:]
        var members: [Name: Member] = [:]
        var memory: RecoveryMemory?
    }

    /// The adapter of a namespace.
    public init(_ namespace: Namespace) {
        name = namespace.name
        core = namespace.core
        let everybody = Room(topic: core.server.makeTopic(name))
        let memory = core.configuration.recovery.map(RecoveryMemory.init)
        state = Mutex(State(everybody: everybody, memory: memory))
    }
}

/// Who is there.
extension InMemoryAdapter {
    /// A client has joined; see ``Adapter/add(_:_:)``.
    public func add(_ socket: Socket, _ recovery: Recovery?) {
        let id = Name(socket.id)
        state.withLock { state in
            let rooms = recovery?.session.rooms ?? []
            state.members[id] = Member(socket: socket, rooms: rooms.union([id]))
            state.everybody.members.insert(id)
            state.everybody.apart.insert(id)
            for room in rooms { enter(room, id, &state) }
            // Nothing that is broadcast may come before it, and nothing may be missed behind it.
            socket.client.session.post(socket.welcomePacket.encoded())
            guard let recovery else { return }
            // Middlewares may have taken their time since it was given back.
            let missed = recovery.missed + (state.memory?.missed(since: recovery) ?? [])
            for packet in missed { socket.client.session.post(packet.packet.encoded()) }
        }
    }

    /// A client has a WebSocket now; see ``Adapter/attach(_:_:)``.
    public func attach(_ socket: Socket, _ webSocket: WebSocket) {
        let id = Name(socket.id)
        if webSocket.eventLoop.isCurrent {
            state.withLock { attach(id, webSocket, &$0) }
        } else {
            webSocket.eventLoop.post { self.state.withLock { self.attach(id, webSocket, &$0) } }
        }
    }

    /// On the WebSocket's loop.
    private func attach(_ id: Name, _ webSocket: WebSocket, _ state: inout State) {
        guard let member = state.members[id] else { return }
        state.members[id]?.webSocket = webSocket
        if state.everybody.apart.remove(id) != nil { webSocket.subscribeNow(to: state.everybody.topic) }
        for name in member.rooms where state.rooms[name]?.apart.remove(id) != nil {
            guard let room = state.rooms[name] else { continue }
            webSocket.subscribeNow(to: room.topic)
        }
    }

    /// A client has left; see ``Adapter/remove(_:)``.
    public func remove(_ id: String) {
        let id = Name(id)
        state.withLock { state in
            guard let member = state.members.removeValue(forKey: id) else { return }
            state.everybody.members.remove(id)
            state.everybody.apart.remove(id)
            var topics = [state.everybody.topic]
            for name in member.rooms {
                if let room = state.rooms[name] { topics.append(room.topic) }
                quit(name, id, &state)
            }
            guard let webSocket = member.webSocket else { return }
            Self.unsubscribe(webSocket, topics)
        }
    }

    private static func unsubscribe(_ webSocket: WebSocket, _ topics: [Topic]) {
        let unsubscribe: @Sendable () -> Void = { for topic in topics { webSocket.unsubscribeNow(from: topic) } }
        if webSocket.eventLoop.isCurrent { unsubscribe() } else { webSocket.eventLoop.post(unsubscribe) }
    }

    private func enter(_ name: Name, _ id: Name, _ state: inout State) {
        // Its own room holds nobody else, so it needs none.
        guard name != id else { return }
        var room = state.rooms[name] ?? Room(topic: core.server.makeTopic(name.text))
        if room.members.insert(id).inserted { room.apart.insert(id) }
        state.rooms[name] = room
    }

    private func quit(_ name: Name, _ id: Name, _ state: inout State) {
        state.rooms[name]?.members.remove(id)
        state.rooms[name]?.apart.remove(id)
        if state.rooms[name]?.members.isEmpty == true { state.rooms[name] = nil }
    }

    /// The rooms of a client.
    public func rooms(of id: String) -> Set<Name> { state.withLock { $0.members[Name(id)]?.rooms ?? [] } }

    /// Puts clients into rooms. What is broadcast after this has returned arrives.
    public func join(_ rooms: Set<Name>, _ audience: Audience) async {
        for (id, webSocket) in targets(audience) {
            await Self.onLoop(of: webSocket) { self.state.withLock { self.join(rooms, id, &$0) } }
        }
    }

    private func join(_ rooms: Set<Name>, _ id: Name, _ state: inout State) {
        guard let member = state.members[id] else { return }
        for room in rooms where !member.rooms.contains(room) { enter(room, id, &state) }
        state.members[id]?.rooms.formUnion(rooms)
        guard let webSocket = member.webSocket else { return }
        if webSocket.eventLoop.isCurrent {
            attach(id, webSocket, &state)
        } else {
            // It came while we were on the way; until it is attached, it hears its new rooms by itself.
            webSocket.eventLoop.post { self.state.withLock { self.attach(id, webSocket, &$0) } }
        }
    }

    /// Takes clients out of rooms. What is broadcast after this has returned does not arrive.
    public func leave(_ rooms: Set<Name>, _ audience: Audience) async {
        for (id, webSocket) in targets(audience) {
            await Self.onLoop(of: webSocket) { self.state.withLock { self.leave(rooms, id, &$0) } }
        }
    }

    private func leave(_ rooms: Set<Name>, _ id: Name, _ state: inout State) {
        guard let member = state.members[id] else { return }
        let topics = rooms.intersection(member.rooms).compactMap { state.rooms[$0]?.topic }
        for room in rooms { quit(room, id, &state) }
        state.members[id]?.rooms.subtract(rooms.subtracting([id]))
        if let webSocket = member.webSocket { Self.unsubscribe(webSocket, topics) }
    }

    /// The clients of an audience, with the WebSockets on whose loops their rooms change.
    private func targets(_ audience: Audience) -> [(Name, WebSocket?)] {
        state.withLock { state in members(audience, state).map { (Name($0.socket.id), $0.webSocket) } }
    }

    private static func onLoop(of webSocket: WebSocket?, _ body: @escaping @Sendable () -> Void) async {
        if let webSocket { await webSocket.eventLoop.run(body) } else { body() }
    }

    /// In no order.
    private func members(_ audience: Audience, _ state: borrowing State) -> [Member] {
        let left = ids(in: audience.except, state)
        if audience.rooms.isEmpty { return state.members.values.filter { !left.contains(Name($0.socket.id)) } }
        var members: [Member] = []
        for id in ids(in: audience.rooms, state) where !left.contains(id) {
            if let member = state.members[id] { members.append(member) }
        }
        return members
    }

    /// The clients in any of these rooms.
    private func ids(in rooms: Set<Name>, _ state: borrowing State) -> Set<Name> {
        var ids = Set<Name>()
        for room in rooms {
            if let room = state.rooms[room] { ids.formUnion(room.members) }
            if state.members[room] != nil { ids.insert(room) }
        }
        return ids
    }
}

/// Sending.
extension InMemoryAdapter {
    /// Sends a packet to all of an audience: by a topic where it is for a whole room, or for all.
    public func broadcast(_ packet: BroadcastPacket, to audience: Audience) async throws {
        try state.withLock { state in
            var packet = packet.packet
            if !audience.isVolatile { state.memory?.record(&packet, to: audience) }
            let messages = try packet.checked()
            if publish(messages, to: audience, state) { return }
            Self.send(messages, to: members(audience, state), isVolatile: audience.isVolatile)
        }
    }

    /// Publishes on a topic, if the audience is one room, or all, and at most one WebSocket in it is left out.
    private func publish(_ messages: [Message], to audience: Audience, _ state: borrowing State) -> Bool {
        guard !audience.isVolatile, let room = room(audience, state) else { return false }
        var excepted: WebSocket?
        for name in audience.except {
            // A room full of those who are left out is looked at one by one.
            guard state.rooms[name] == nil else { return false }
            guard let webSocket = state.members[name]?.webSocket else { continue }
            guard excepted == nil else { return false }
            excepted = webSocket
        }
        if case .text(let text)? = messages.first, messages.count == 1 {
            room.topic.publish(text, except: excepted)
        } else {
            Publication(messages).publish(on: room.topic, except: excepted)
        }
        for id in room.apart where !audience.except.contains(id) {
            state.members[id]?.socket.client.session.post(messages)
        }
        return true
    }

    /// Sends to clients one by one: framed once for those who hear topics, and on their loops, as a topic does it.
    private static func send(_ messages: [Message], to members: [Member], isVolatile: Bool) {
        var listeners: [(loop: EventLoop, webSockets: [WebSocket])] = []
        for member in members {
            if let webSocket = member.webSocket {
                let loop = webSocket.eventLoop
                if let index = listeners.firstIndex(where: { $0.loop === loop }) {
                    listeners[index].webSockets.append(webSocket)
                } else {
                    listeners.append((loop, [webSocket]))
                }
            } else if isVolatile {
                member.socket.client.session.postIfWritable(messages)
            } else {
                member.socket.client.session.post(messages)
            }
        }
        guard !listeners.isEmpty else { return }
        let publication = Publication(messages)
        for (loop, webSockets) in listeners {
            let send: @Sendable () -> Void = {
                for webSocket in webSockets where !isVolatile || webSocket.queuedBytes == 0 {
                    publication.send(to: webSocket)
                }
            }
            if loop.isCurrent { send() } else { loop.post(send) }
        }
    }

    private func room(_ audience: Audience, _ state: borrowing State) -> Room? {
        guard let name = audience.rooms.first else { return state.everybody }
        guard audience.rooms.count == 1, state.members[name] == nil else { return nil }
        return state.rooms[name]
    }

    /// Sends a packet to all of an audience, and gathers acknowledgements; see ``Adapter``.
    public func broadcast(
        _ packet: BroadcastPacket, to audience: Audience, timeout: Duration,
        acknowledgement body: @escaping @Sendable (Result<[JSON], any Error>) -> Void
    ) async throws -> Int {
        let id = core.nextID()
        var packet = packet.packet
        packet.id = id
        let messages = try packet.checked()
        let members = state.withLock { state -> [Member] in self.members(audience, state) }
        let sockets = members.map(\.socket)
        for socket in sockets { socket.expectAcknowledgement(id, body) }
        Self.send(messages, to: members, isVolatile: audience.isVolatile)
        core.engine.timers.schedule(at: .now + timeout) {
            for socket in sockets { socket.giveUp(id, SocketIOError.timedOut) }
        }
        return sockets.count
    }

    /// What is known of the clients of an audience.
    public func fetch(_ audience: Audience) async -> [RemoteSocket] {
        let members = state.withLock { state -> [Member] in self.members(audience, state) }
        return members.map { member in
            RemoteSocket(
                id: member.socket.id, rooms: member.rooms, data: member.socket.data,
                handshake: member.socket.handshake, namespace: member.socket.namespace)
        }
    }

    /// Disconnects the clients of an audience.
    public func disconnect(_ audience: Audience, close: Bool) async {
        let members = state.withLock { state -> [Member] in self.members(audience, state) }
        for member in members { member.socket.disconnect(close: close) }
    }
}

/// Remembering.
extension InMemoryAdapter {
    /// Gives a packet its place among those that are remembered, where any are.
    public func recorded(_ packet: BroadcastPacket, to audience: Audience) -> BroadcastPacket {
        // Without this there is nothing to remember, and no need to lock.
        guard core.configuration.recovery != nil else { return packet }
        return state.withLock { state in
            var packet = packet
            state.memory?.record(&packet.packet, to: audience)
            return packet
        }
    }

    /// Remembers a client that was lost.
    public func persist(_ session: RecoveredSession) { state.withLock { $0.memory?.persist(session) } }

    /// Gives back a client that was lost.
    public func restore(privateID: String, offset: String) -> Recovery? {
        state.withLock { $0.memory?.restore(privateID: privateID, offset: offset) ?? nil }
    }
}

extension Socket {
    /// What tells a client that it is connected.
    fileprivate var welcomePacket: SocketPacket {
        var answer = JSON.Object([.init(key: "sid", value: .string(id))])
        answer["pid"] = privateID.map(JSON.string)
        return SocketPacket(kind: .connect, namespace: namespace.name, data: .object(answer))
    }
}
