/// One room: who is in it, and what they are told.
///
/// Whatever a room tells its members it posts into their outboxes within one turn of this actor, so all members are
/// told the same in the same order.
actor Room {
    /// Somebody in the room: one connection.
    struct Participant: Sendable {
        let member: Int
        var name: String
        let outbox: Outbox
        fileprivate var typed: ContinuousClock.Instant?

        init(member: Int, name: String, outbox: Outbox) {
            self.member = member
            self.name = name
            self.outbox = outbox
        }
    }

    nonisolated let id: Int64
    nonisolated let name: String

    private let store: MessageStore
    private let changes: RoomChanges
    private var newest: Int64
    private var participants: [Int: Participant] = [:]

    /// What is held back for those who are reading the last page of the past, by member.
    private var held: [Int: [Outgoing]] = [:]

    /// The bytes that the last announcement of the members took, for all of them together.
    private(set) var announcedBytes = 0

    /// Who is on the way in; a room that somebody is about to enter is not unused.
    private var joining = 0

    /// Whether the room has been removed, or is about to be: nobody can join any more.
    private var isClosed = false

    /// - Parameter changes: is told when somebody came, left or was renamed.
    init(_ stored: MessageStore.StoredRoom, store: MessageStore, changes: RoomChanges) {
        id = stored.id
        name = stored.name
        newest = stored.newest
        self.store = store
        self.changes = changes
    }

    /// Takes somebody in, after having told them the past: the newest messages, or all after the id `after`.
    ///
    /// Nothing is missing between the past and what is live, and nothing comes twice: a page is read only up to the
    /// newest message that was published when the reading began, and what is published meanwhile is held back until
    /// the page is posted. Only if it was the last page; before another page what was held is dropped, because that
    /// page will have it.
    ///
    /// A member who is in the room already joins again. Returns when the last page is posted; waits while the client is
    /// slow to take pages.
    func join(_ participant: Participant, after: Int64?) async throws {
        guard !isClosed else { throw Refusal.noSuchRoom(name) }
        participants[participant.member] = nil
        joining += 1
        defer {
            held[participant.member] = nil
            joining -= 1
        }
        var past = Past(room: name, after: after, newest: newest)
        while true {
            held[participant.member] = []
            let page = past.next(try await read(at: past.position, through: newest))
            if page.done == true {
                admit(participant, page)
                return
            }
            held[participant.member] = nil
            guard await participant.outbox.put(.history(page)) else { return }  // the client has gone
        }
    }

    private func read(at position: Past.Position, through last: Int64) async throws -> Page {
        switch position {
        case .end: try await store.page(room: id, through: last, limit: Limits.newest)
        case .after(let after): try await store.page(room: id, after: after, through: last)
        }
    }

    /// Posts the last page and what was held back, in the same turn as the member comes in.
    private func admit(_ participant: Participant, _ page: HistoryPage) {
        participant.outbox.post(.history(page))
        for event in held[participant.member] ?? [] { participant.outbox.post(event) }
        participants[participant.member] = participant
        changes.note(room: id)
    }

    /// Lets a member go.
    func leave(member: Int) {
        if participants.removeValue(forKey: member) != nil { changes.note(room: id) }
    }

    /// Calls a member by another name.
    func rename(member: Int, to name: String) {
        guard participants[member] != nil else { return }
        participants[member]?.name = name
        changes.note(room: id)
    }

    /// Tells everyone of messages that are stored; they come in ascending order of their ids, each once.
    func publish(_ messages: [ChatMessage]) {
        for message in messages {
            newest = max(newest, message.id)
            let event = Outgoing(.message(message))
            for participant in participants.values { participant.outbox.post(event) }
            for member in held.keys { held[member]?.append(event) }
        }
    }

    /// Tells everyone else that a member is typing, at most once a second.
    func typing(member: Int, now: ContinuousClock.Instant) {
        guard let typist = participants[member] else { return }
        if let typed = typist.typed, typed.duration(to: now) < .seconds(1) { return }
        participants[member]?.typed = now
        let event = Outgoing(.typing(room: name, member: member, name: typist.name))
        for participant in participants.values where participant.member != member { participant.outbox.post(event) }
    }

    /// Tells everyone who is here, as far as the list goes, and returns how many they are.
    func announceMembers() -> Int {
        let members = participants.values.map { MemberSummary(member: $0.member, name: $0.name) }
        let listed = members.sorted { $0.member < $1.member }.prefix(Limits.listedMembers)
        let event = Outgoing(.members(room: name, members: Array(listed)))
        for participant in participants.values { participant.outbox.post(event) }
        announcedBytes = event.size * participants.count
        return participants.count
    }
}

/// The end of a room.
extension Room {
    /// Whether nobody is here, or about to be, and nothing was ever said.
    var isUnused: Bool { participants.isEmpty && joining == 0 && newest == 0 }

    /// Closes the room if it is unused, and returns whether it did.
    func closeIfUnused() -> Bool {
        if isUnused { isClosed = true }
        return isClosed
    }

    /// Takes the closing back: somebody has said something meanwhile.
    func reopen() { isClosed = false }

    /// Closes the room, which the database does not have any more: those who are in it hear nothing more of it.
    func close() {
        isClosed = true
        participants = [:]
    }

    /// Learns of messages that came into the database in another way.
    func raiseNewest(to id: Int64) { newest = max(newest, id) }
}
