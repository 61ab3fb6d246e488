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
    let core: ServerCore
    let state: Mutex<State>

    /// A room, or the whole namespace.
    struct Room {
        var members: Set<Name> = []
        /// Those who do not hear the topic.
        var apart: Set<Name> = []
        let topic: Topic
    }

    struct Member {
        let socket: Socket
        var rooms: Set<Name>
        /// Set once it hears the topics of its rooms.
        var webSocket: WebSocket?
    }

    struct State: Sendable {
        var everybody: Room
        var rooms: [Name: Room] = [:]
        var members: [Name: Member] = [:]
        var memory: RecoveryMemory?
        /// What the gauge has been told that ``memory`` takes up.
        var reportedBytes = 0
        /// Whether it is scheduled that ``memory`` forgets what is out of its time.
        var isForgetting = false

        /// Tells the gauge of a change.
        mutating func report() {
            guard let footprint = memory?.footprint, footprint != reportedBytes else { return }
            MemoryGauge.add(footprint - reportedBytes)
            reportedBytes = footprint
        }

        /// Whether a room is a client's own, which is in no list, and the client is in it.
        func isOwnRoom(_ name: Name) -> Bool { members[name]?.rooms.contains(name) ?? false }
    }

    /// The adapter of a namespace.
    public init(_ namespace: Namespace) {
        name = namespace.name
        core = namespace.core
        let everybody = Room(topic: core.server.makeTopic(name))
        let memory = core.configuration.recovery.map(RecoveryMemory.init)
        state = Mutex(State(everybody: everybody, memory: memory))
    }

    deinit {
        let bytes = state.withLock { state in
            state.rooms.values.reduce(state.reportedBytes) { $0 + Self.membershipByteCount * $1.members.count }
        }
        MemoryGauge.subtract(bytes)
    }

    /// For the gauge, as measured: a client's entries in the tables of a room.
    private static let membershipByteCount = 256
}

/// Who is there.
extension InMemoryAdapter {
    /// A client has joined; see ``Adapter/add(_:_:)``.
    public func add(_ socket: Socket, _ recovery: Recovery?) {
        let id = Name(socket.id)
        state.withLock { state in
            guard let rooms = socket.enterAdapter() else { return }
            state.members[id] = Member(socket: socket, rooms: rooms)
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
        if webSocket.eventLoop.isCurrent {
            state.withLock { attach(socket, webSocket, &$0) }
        } else {
            webSocket.eventLoop.post { self.state.withLock { self.attach(socket, webSocket, &$0) } }
        }
    }

    /// On the WebSocket's loop.
    private func attach(_ socket: Socket, _ webSocket: WebSocket, _ state: inout State) {
        let id = Name(socket.id)
        guard let member = state.members[id], member.socket === socket else { return }
        state.members[id]?.webSocket = webSocket
        if state.everybody.apart.remove(id) != nil { Self.subscribe(webSocket, to: state.everybody.topic) }
        for name in member.rooms where state.rooms[name]?.apart.remove(id) != nil {
            guard let room = state.rooms[name] else { continue }
            Self.subscribe(webSocket, to: room.topic)
        }
    }

    private static func subscribe(_ webSocket: WebSocket, to topic: Topic) {
        // Memory is out: the client notices that it is gone, and would not notice what it misses.
        do { try webSocket.subscribeNow(to: topic) } catch { webSocket.abort() }
    }

    /// A client has left; see ``Adapter/remove(_:)``.
    public func remove(_ socket: Socket) -> Set<Name>? {
        state.withLock { state in
            let id = Name(socket.id)
            guard let member = state.members[id], member.socket === socket else { return nil }
            state.members[id] = nil
            state.everybody.members.remove(id)
            state.everybody.apart.remove(id)
            var topics = [state.everybody.topic]
            for name in member.rooms {
                if let room = state.rooms[name] { topics.append(room.topic) }
                quit(name, id, &state)
            }
            if let webSocket = member.webSocket { Self.unsubscribe(webSocket, topics) }
            return member.rooms
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
        if room.members.insert(id).inserted {
            room.apart.insert(id)
            MemoryGauge.add(Self.membershipByteCount)
        }
        state.rooms[name] = room
    }

    private func quit(_ name: Name, _ id: Name, _ state: inout State) {
        if state.rooms[name]?.members.remove(id) != nil { MemoryGauge.subtract(Self.membershipByteCount) }
        state.rooms[name]?.apart.remove(id)
        if state.rooms[name]?.members.isEmpty == true { state.rooms[name] = nil }
    }

    /// The rooms of a client.
    public func rooms(of id: String) -> Set<Name> { state.withLock { $0.members[Name(id)]?.rooms ?? [] } }

    /// Puts a client into rooms. What is broadcast after this has returned arrives.
    public func join(_ rooms: Set<Name>, by socket: Socket) async {
        guard let member = member(socket) else { return }
        await Self.onLoop(of: member.webSocket) { self.state.withLock { self.join(rooms, socket, &$0) } }
    }

    /// Puts clients into rooms. What is broadcast after this has returned arrives.
    public func join(_ rooms: Set<Name>, _ audience: Audience) async {
        for member in members(audience) {
            await Self.onLoop(of: member.webSocket) { self.state.withLock { self.join(rooms, member.socket, &$0) } }
        }
    }

    private func join(_ rooms: Set<Name>, _ socket: Socket, _ state: inout State) {
        let id = Name(socket.id)
        guard let member = state.members[id], member.socket === socket else { return }
        for room in rooms where !member.rooms.contains(room) { enter(room, id, &state) }
        state.members[id]?.rooms.formUnion(rooms)
        guard let webSocket = member.webSocket else { return }
        if webSocket.eventLoop.isCurrent {
            attach(socket, webSocket, &state)
        } else {
            // It came while we were on the way; until it is attached, it hears its new rooms by itself.
            webSocket.eventLoop.post { self.state.withLock { self.attach(socket, webSocket, &$0) } }
        }
    }

    /// Takes a client out of rooms. What is broadcast after this has returned does not arrive.
    public func leave(_ rooms: Set<Name>, by socket: Socket) async {
        guard let member = member(socket) else { return }
        await Self.onLoop(of: member.webSocket) { self.state.withLock { self.leave(rooms, socket, &$0) } }
    }

    /// Takes clients out of rooms. What is broadcast after this has returned does not arrive.
    public func leave(_ rooms: Set<Name>, _ audience: Audience) async {
        for member in members(audience) {
            await Self.onLoop(of: member.webSocket) { self.state.withLock { self.leave(rooms, member.socket, &$0) } }
        }
    }

    private func leave(_ rooms: Set<Name>, _ socket: Socket, _ state: inout State) {
        let id = Name(socket.id)
        guard let member = state.members[id], member.socket === socket else { return }
        let topics = rooms.intersection(member.rooms).compactMap { state.rooms[$0]?.topic }
        for room in rooms { quit(room, id, &state) }
        state.members[id]?.rooms.subtract(rooms)
        if let webSocket = member.webSocket { Self.unsubscribe(webSocket, topics) }
    }

    /// The rooms in which somebody is, but for those that each client has for itself.
    var roomNames: Set<Name> { state.withLock { Set($0.rooms.keys) } }

    private func member(_ socket: Socket) -> Member? { state.withLock { $0.members[Name(socket.id)] } }

    private func members(_ audience: Audience) -> [Member] { state.withLock { members(audience, $0) } }

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
            if state.isOwnRoom(room) { ids.insert(room) }
        }
        return ids
    }
}

/// Sending.
extension InMemoryAdapter {
    /// Sends a packet to all of an audience: by a topic where it is for a whole room, or for all.
    public func broadcast(_ packet: BroadcastPacket, to audience: Audience) async throws {
        let wait = PublishWait()
        defer { wait.giveUp() }  // the audience may be one without a topic by now
        while let full = try state.withLock({ try broadcast(packet.packet, to: audience, wait, &$0) }) {
            try await wait.waitForRoom(on: full.topic, for: full.publication)
        }
    }

    /// A topic that has no room for a packet yet.
    private struct Full {
        let topic: Topic
        let publication: Publication
    }

    /// Sends and remembers a packet, unless the topic is full: then it does neither.
    private func broadcast(
        _ packet: SocketPacket, to audience: Audience, _ wait: PublishWait, _ state: inout State
    ) throws -> Full? {
        defer { state.report() }
        var packet = packet
        if !audience.isVolatile, state.memory != nil { try packet.checkAttachments() }
        let isRecorded = !audience.isVolatile && state.memory?.record(&packet, to: audience) == true
        forgetInTime(&state)
        let messages = try packet.checked()
        switch publish(messages, to: audience, wait, state) {
        case .published: break
        case .full(let full):
            if isRecorded { state.memory?.forgetLast() }
            return full
        case nil: Self.send(messages, to: members(audience, state), isVolatile: audience.isVolatile)
        }
        return nil
    }

    private enum Publishing {
        case published
        case full(Full)
    }

    /// Publishes on a topic, if the audience is one room, or all, and at most one WebSocket in it is left out.
    private func publish(
        _ messages: [Message], to audience: Audience, _ wait: PublishWait, _ state: borrowing State
    ) -> Publishing? {
        guard !audience.isVolatile, let room = room(audience, state) else { return nil }
        var excepted: WebSocket?
        for name in audience.except {
            // A room full of those who are left out is looked at one by one.
            guard state.rooms[name] == nil else { return nil }
            guard state.isOwnRoom(name), let webSocket = state.members[name]?.webSocket else { continue }
            guard excepted == nil else { return nil }
            excepted = webSocket
        }
        let publication = Publication(messages)
        guard publication.tryPublish(on: room.topic, except: excepted, wait: wait) == .published else {
            return .full(Full(topic: room.topic, publication: publication))
        }
        for id in room.apart where !(audience.except.contains(id) && state.isOwnRoom(id)) {
            state.members[id]?.socket.client.session.post(messages)
        }
        return .published
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
        let members = members(audience)
        let awaited = AwaitedSockets(members.map(\.socket))
        for socket in awaited.all {
            socket.expectAcknowledgement(id) { answer in withExtendedLifetime(awaited) { body(answer) } }
        }
        Self.send(messages, to: members, isVolatile: audience.isVolatile)
        core.engine.timers.schedule(at: .now + timeout, for: awaited) { [weak awaited] in
            for socket in awaited?.all ?? [] { socket.giveUp(id, SocketIOError.timedOut) }
        }
        return awaited.all.count
    }

    /// What is known of the clients of an audience.
    public func fetch(_ audience: Audience) async -> [RemoteSocket] {
        let members = members(audience)
        return members.map { member in
            RemoteSocket(
                id: member.socket.id, rooms: member.rooms, data: member.socket.data,
                handshake: member.socket.handshake, namespace: member.socket.namespace)
        }
    }

    /// Disconnects the clients of an audience. Those of them who were lost are forgotten.
    public func disconnect(_ audience: Audience, close: Bool) async {
        let members = state.withLock { state in
            state.memory?.forget(audience)
            state.report()
            return self.members(audience, state)
        }
        for member in members { member.socket.disconnect(close: close) }
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
