/// All rooms of the server, and all who are connected, whichever rooms they are in.
actor RoomDirectory {
    private let store: MessageStore
    private let changes = RoomChanges()
    private var rooms: [Room] = []
    private var byName: [String: Room] = [:]
    private var byID: [Int64: Room] = [:]
    /// How many are in each room, as last announced.
    private var counts: [Int64: Int] = [:]
    private var outboxes: [Int: Outbox] = [:]
    private var lastMember = 0

    /// Opens all rooms that are stored.
    init(store: MessageStore) async throws {
        self.store = store
        for stored in try await store.rooms() { add(stored) }
    }

    /// Gives a new connection its number and tells it what rooms there are; from here on it is told of changes.
    func enter(name: String, outbox: Outbox) -> Int {
        lastMember += 1
        outboxes[lastMember] = outbox
        outbox.post(.welcome(name: name, member: lastMember, rooms: summaries))
        return lastMember
    }

    /// Forgets a connection that has ended.
    func depart(member: Int) { outboxes[member] = nil }

    /// The room of this name, which need not be trimmed.
    func room(named name: String) throws(Refusal) -> Room {
        // Most clients say a room's name as they were told it.
        if let room = byName[name] { return room }
        guard let trimmed = Limits.name(name), let room = byName[trimmed] else { throw Refusal.noSuchRoom(name) }
        return room
    }

    /// Makes a room, unless there is one of that name, and tells `maker` at once; all others are told soon.
    func create(named raw: String, maker: Outbox) async throws {
        guard let name = Limits.name(raw) else { throw Refusal.badName }
        if byName[name] == nil {
            guard rooms.count < Limits.rooms else {
                throw Refusal(.tooManyRooms, "the server has \(Limits.rooms) rooms, no more can be made; join one")
            }
            let id = try await store.createRoom(named: name)
            // Another connection may have made it meanwhile.
            if byName[name] == nil { add(.init(id: id, name: name, newest: 0)) }
        }
        maker.post(.rooms(summaries))
    }

    private func add(_ stored: MessageStore.StoredRoom) {
        let room = Room(stored, store: store, changes: changes)
        rooms.append(room)
        byName[room.name] = room
        byID[room.id] = room
        changes.note(room: room.id)
    }

    /// Tells the members of each room of messages that were stored together, in their order.
    func publish(_ stored: [MessageStore.Stored]) async {
        let byRoom = Dictionary(grouping: stored, by: \.room)
        for (id, stored) in byRoom {
            guard let room = byID[id] else { preconditionFailure("a message was stored in room \(id), which is not") }
            await room.publish(stored.map(\.message))
        }
    }

    /// Announces changes until the task is cancelled: the first at once, the following ones together after `interval`.
    ///
    /// While nothing changes, nothing runs.
    func announceChanges(every interval: Duration = .milliseconds(500), clock: some Clock<Duration>) async {
        for await _ in changes.signals {
            await announce()
            do {
                try await clock.sleep(for: interval)
            } catch {
                return  // cancelled
            }
        }
    }

    /// Tells the members of each changed room who they are, and everyone the rooms, where one is new or a count
    /// differs.
    func announce() async {
        let before = counts
        for id in changes.take() {
            guard let room = byID[id] else { continue }
            counts[id] = await room.announceMembers()
        }
        guard counts != before else { return }
        let json = ServerEvent.rooms(summaries).json
        for outbox in outboxes.values { outbox.post(json: json) }
    }

    private var summaries: [RoomSummary] {
        rooms.map { room in RoomSummary(name: room.name, members: counts[room.id] ?? 0) }
    }
}
