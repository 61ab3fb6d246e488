/// All rooms of the server, and all who are connected, whichever rooms they are in.
actor RoomDirectory {
    /// The most rooms that are announced at a time. The others follow half a second later.
    static let announcedAtOnce = 50

    /// How long a room without members and messages is kept. Default: one minute.
    static let unusedFor: Duration = .seconds(60)

    /// A list with more rooms than this is sent to those who want it whole only every `longListEvery`.
    static let longList = 100
    static let longListEvery: Duration = .seconds(10)

    /// The bytes that announcing the members of one room may take in a second: in a crowd every one is told of all,
    /// and one who comes and goes all the time must not make that happen twice a second.
    static let membersBytesPerSecond = 1 << 20

    /// Somebody who is connected.
    private struct Listener {
        let outbox: Outbox
        /// Whether they are told of changes, or the whole list again after each.
        let wantsChanges: Bool
    }

    private let store: MessageStore
    private let changes = RoomChanges()
    private var rooms: [Room] = []
    /// By the bytes of the name, because a name that a client says must not be compared as text is.
    private var byName: [[UInt8]: Room] = [:]
    private var byID: [Int64: Room] = [:]
    /// How many are in each room, as last announced.
    private var counts: [Int64: Int] = [:]
    /// Since when rooms are unused.
    private var unused: [Int64: ContinuousClock.Instant] = [:]
    /// When the members of a crowded room may be announced again.
    private var quiet: [Int64: ContinuousClock.Instant] = [:]
    private var gone: [String] = []
    private var listeners: [Int: Listener] = [:]
    private var lastMember = 0
    private var makers = RoomMakers()
    private var wholeListIsDue = false
    private var nextWholeList = ContinuousClock.now

    /// Opens all rooms that are stored.
    init(store: MessageStore, now: ContinuousClock.Instant = .now) async throws {
        self.store = store
        for stored in try await store.rooms() { add(stored, now: now) }
    }

    /// Gives a new connection its number and tells it what rooms there are; from here on it is told of changes.
    func enter(name: String, outbox: Outbox, wantsChanges: Bool = false) -> Int {
        lastMember += 1
        listeners[lastMember] = Listener(outbox: outbox, wantsChanges: wantsChanges)
        outbox.post(.welcome(name: name, member: lastMember, rooms: rooms.map(summary)))
        return lastMember
    }

    /// Forgets a connection that has ended.
    func depart(member: Int) { listeners[member] = nil }

    /// The room of this name, which need not be trimmed.
    func room(named name: String) throws(Refusal) -> Room {
        guard let room = find(name) else { throw Refusal.noSuchRoom(name) }
        return room
    }

    private func find(_ name: String) -> Room? {
        // Most clients say a room's name as they were told it.
        if let room = byName[Array(name.utf8)] { return room }
        return Limits.name(name).flatMap { byName[Array($0.utf8)] }
    }

    /// Whether `create` would make a room.
    func isNew(_ name: String) -> Bool { find(name) == nil }

    /// Makes a room, unless there is one of that name, and tells the maker at once; all others are told soon.
    ///
    /// - Parameters:
    ///   - maker: who is told, by the number that `enter` gave.
    ///   - address: where the maker's connection comes from.
    func create(
        named raw: String, maker: Int, from address: String, now: ContinuousClock.Instant = .now
    ) async throws {
        if let room = find(raw) { return tell(maker, of: room) }
        guard let name = Limits.name(raw) else { throw Refusal.badName }
        guard rooms.count < Limits.rooms else {
            throw Refusal(.tooManyRooms, "the server has \(Limits.rooms) rooms, no more can be made; join one")
        }
        guard makers.mayMake(from: address, now: now) else { throw Refusal.tooManyNewRooms }
        let id = try await store.createRoom(named: name)
        // Another connection may have made it meanwhile.
        if byName[Array(name.utf8)] == nil { add(.init(id: id, name: name, newest: 0), now: now) }
        if let room = byName[Array(name.utf8)] { tell(maker, of: room) }
    }

    private func tell(_ maker: Int, of room: Room) {
        guard let listener = listeners[maker] else { return }
        listener.outbox.post(
            listener.wantsChanges ? .roomChanges([summary(room)], gone: []) : .rooms(rooms.map(summary)))
    }

    private func add(_ stored: MessageStore.StoredRoom, now: ContinuousClock.Instant) {
        let room = Room(stored, store: store, changes: changes)
        rooms.append(room)
        byName[Array(room.name.utf8)] = room
        byID[room.id] = room
        if stored.newest == 0 { unused[room.id] = now }
        changes.note(room: room.id)
    }

    private func remove(_ room: Room) {
        rooms.removeAll { $0 === room }
        byName[Array(room.name.utf8)] = nil
        byID[room.id] = nil
        counts[room.id] = nil
        unused[room.id] = nil
        quiet[room.id] = nil
        gone.append(room.name)
        changes.note(room: room.id)
    }

    private func summary(_ room: Room) -> RoomSummary {
        RoomSummary(name: room.name, members: counts[room.id] ?? 0)
    }
}

/// What everybody is told.
extension RoomDirectory {
    /// Tells the members of each room of messages that were stored together, in their order.
    func publish(_ stored: [MessageStore.Stored]) async {
        let byRoom = Dictionary(grouping: stored, by: \.room)
        for (id, stored) in byRoom {
            // A room that was removed from outside meanwhile has no members.
            await byID[id]?.publish(stored.map(\.message))
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

    /// Tells the members of changed rooms who they are, and everyone the rooms that are new or gone or whose count
    /// differs.
    func announce(now: ContinuousClock.Instant = .now) async {
        var changed: [RoomSummary] = []
        var crowded: [Int64] = []
        for id in changes.take(most: Self.announcedAtOnce) {
            guard let room = byID[id] else { continue }
            if let until = quiet[id], until > now {
                crowded.append(id)
                continue
            }
            let count = await room.announceMembers()
            await pace(room, now: now)
            await noteUse(of: room, now: now)
            guard byID[id] === room else { continue }  // removed meanwhile
            if counts.updateValue(count, forKey: id) != count { changed.append(summary(room)) }
        }
        for id in crowded { changes.note(room: id) }
        let gone = gone
        self.gone = []
        if !changed.isEmpty || !gone.isEmpty {
            wholeListIsDue = true
            let event = Outgoing(.roomChanges(changed, gone: gone))
            for listener in listeners.values where listener.wantsChanges { listener.outbox.post(event) }
        }
        if wholeListIsDue { announceWholeList(now: now) }
    }

    private func announceWholeList(now: ContinuousClock.Instant) {
        let others = listeners.values.filter { !$0.wantsChanges }
        guard now >= nextWholeList || others.isEmpty || rooms.count <= Self.longList else { return changes.remind() }
        wholeListIsDue = false
        nextWholeList = now + Self.longListEvery
        guard !others.isEmpty else { return }
        let event = Outgoing(.rooms(rooms.map(summary)))
        for listener in others { listener.outbox.post(event) }
    }

    /// Keeps the next announcement of a room back for as long as this one was large.
    private func pace(_ room: Room, now: ContinuousClock.Instant) async {
        let seconds = Double(await room.announcedBytes) / Double(Self.membersBytesPerSecond)
        quiet[room.id] = seconds > 0.5 ? now + .seconds(seconds) : nil
    }

    private func noteUse(of room: Room, now: ContinuousClock.Instant) async {
        if await room.isUnused {
            unused[room.id] = unused[room.id] ?? now
        } else {
            unused[room.id] = nil
        }
    }
}

/// Rooms that come to an end.
extension RoomDirectory {
    /// Removes unused rooms until the task is cancelled.
    func removeUnusedRooms(every interval: Duration = .seconds(30), onFailure: (any Error) -> Void) async {
        while true {
            do {
                try await Task.sleep(for: interval)
            } catch {
                return  // cancelled
            }
            do {
                try await removeUnused(now: .now)
            } catch {
                onFailure(error)
            }
        }
    }

    /// Removes the rooms that have had neither members nor messages for a while.
    func removeUnused(now: ContinuousClock.Instant) async throws {
        for (id, since) in unused where since.duration(to: now) >= Self.unusedFor {
            guard let room = byID[id], await room.closeIfUnused() else {
                unused[id] = nil
                continue
            }
            let isGone: Bool
            do {
                isGone = try await store.removeUnused(room: id)
            } catch {
                await room.reopen()
                throw error
            }
            if isGone {
                remove(room)
            } else {
                unused[id] = nil
                await room.reopen()
            }
        }
    }

    /// Takes over what the database holds after somebody else has changed it: an operator may have restored a copy.
    ///
    /// A room that is there no more ends for those who are in it; they may make it again.
    func reload(now: ContinuousClock.Instant = .now) async throws {
        let stored = try await store.rooms()
        let names = Dictionary(stored.map { ($0.id, $0) }) { first, _ in first }
        for room in rooms where names[room.id]?.name != room.name {
            await room.close()
            remove(room)
        }
        for stored in stored {
            if let room = byID[stored.id] {
                await room.raiseNewest(to: stored.newest)
            } else {
                add(stored, now: now)
            }
        }
    }
}
