import Logging

/// One connection's side of the protocol: what it asks for in, what the server does for it out.
///
/// Knows no socket: texts are given to `receive`, and answers go into the outbox. For one task, which calls `depart`
/// at the end whatever happened.
struct Visitor {
    /// What all visitors of a server share.
    struct Services: Sendable {
        let store: MessageStore
        let journal: Journal
        let directory: RoomDirectory
        let logger: Logger
    }

    private let services: Services
    private let outbox: Outbox
    private var identity: Identity?
    private let address: String
    private var joined: [Int64: Room] = [:]
    private var searches: Searches
    /// Five rooms at once, then one a minute.
    private var newRooms = TokenBucket(burst: 5, perSecond: 1.0 / 60, now: .now)
    /// For those who want the whole list of rooms each time.
    private var wholeLists = TokenBucket(burst: 10, perSecond: 1, now: .now)

    /// Who somebody is, once they have said hello.
    private struct Identity {
        let member: Int
        var name: String
        let wantsChanges: Bool
    }

    /// - Parameter address: where the connection comes from.
    init(services: Services, outbox: Outbox, address: String) {
        self.services = services
        self.outbox = outbox
        self.address = address
        searches = Searches(outbox: outbox, logger: services.logger)
    }

    /// Does what one text message asks for; what it asks wrongly, or what fails, is answered with an `error`.
    mutating func receive(_ text: String) async {
        do {
            try await handle(try ClientEvent(json: text))
        } catch let refusal as Refusal {
            outbox.post(.error(refusal))
        } catch is CancellationError {
            // The client has left, or the server stops: no failure, and nobody reads an answer.
        } catch {
            services.logger.error("the database failed", metadata: ["error": "\(error)"])
            outbox.post(.error(.unavailable()))
        }
    }

    /// Waits until what runs beside the visitor's other questions is answered.
    mutating func finish() async { await searches.finish() }

    /// Leaves all rooms and the server.
    mutating func depart() async {
        searches.cancel()
        guard let identity else { return }
        for room in joined.values { await room.leave(member: identity.member) }
        await services.directory.depart(member: identity.member)
        self.identity = nil
        joined = [:]
    }

    private mutating func handle(_ event: ClientEvent) async throws {
        guard let identity else { return try await handleFirst(event) }
        switch event {
        case .hello: throw Refusal(.badRequest, "`hello` was said already; `name` changes the name")
        case .name(let name): try await rename(identity.member, to: name)
        case .create(let room): try await create(room, as: identity)
        case .join(let room, let after): try await join(room, after: after, as: identity)
        case .leave(let room): try await leave(room, identity.member)
        case .send(let room, let key, let text): try await send(text, key: key, to: room, as: identity.name)
        case .typing(let room):
            let room = try await services.directory.room(named: room)
            await room.typing(member: identity.member, now: .now)
        case .history(let room, let before, let limit): try await tellHistory(room, before: before, limit: limit)
        case .search(let query, let room): try await search(query, in: room)
        }
    }

    private mutating func handleFirst(_ event: ClientEvent) async throws {
        guard case .hello(let wish, let wantsChanges) = event else {
            throw Refusal(.badRequest, "the first message must be `hello`")
        }
        let name = wish.flatMap(Limits.name) ?? "Guest \(Int.random(in: 1000...9999))"
        let member = await services.directory.enter(name: name, outbox: outbox, wantsChanges: wantsChanges)
        identity = Identity(member: member, name: name, wantsChanges: wantsChanges)
    }

    private mutating func rename(_ member: Int, to wish: String) async throws {
        guard let name = Limits.name(wish) else { throw Refusal.badName }
        identity?.name = name
        outbox.post(.named(name))
        for room in joined.values { await room.rename(member: member, to: name) }
    }

    private mutating func create(_ name: String, as identity: Identity) async throws {
        if await services.directory.isNew(name) {
            guard newRooms.takeIfThere(now: .now) else { throw Refusal.tooManyNewRooms }
        } else if !identity.wantsChanges {
            try await Task.sleep(for: wholeLists.take(now: .now))
        }
        try await services.directory.create(named: name, maker: identity.member, from: address)
    }

    private mutating func join(_ name: String, after: Int64?, as identity: Identity) async throws {
        let room = try await services.directory.room(named: name)
        joined[room.id] = nil  // the room has forgotten the visitor should the joining fail
        try await room.join(.init(member: identity.member, name: identity.name, outbox: outbox), after: after)
        joined[room.id] = room
    }

    private mutating func leave(_ name: String, _ member: Int) async throws {
        let room = try await services.directory.room(named: name)
        joined[room.id] = nil
        await room.leave(member: member)
    }

    /// Hands a message over to be stored.
    ///
    /// Does not wait for that, so that a burst goes into few transactions.
    private func send(_ text: String, key: String, to name: String, as sender: String) async throws {
        // What cannot be a key cannot be answered with one either.
        try Limits.check(key: key)
        do {
            try Limits.check(text: text)
            let room = try await services.directory.room(named: name)
            let draft = MessageStore.Draft(
                room: .init(id: room.id, name: room.name), name: sender, text: text, key: key)
            await services.journal.append(draft) { [outbox] result in
                switch result {
                case .success(let stored):
                    outbox.post(.sent(key: key, id: stored.message.id, at: stored.message.at))
                case .failure(let refusal as Refusal):
                    outbox.post(.error(refusal.answering(key: key)))
                case .failure:
                    outbox.post(.error(.unavailable(key: key)))
                }
            }
        } catch {
            throw error.answering(key: key)
        }
    }

    private func tellHistory(_ name: String, before: Int64, limit: Int) async throws {
        guard (1...Limits.history).contains(limit) else {
            throw Refusal(.badRequest, "`limit` of `history` must be 1 to \(Limits.history)")
        }
        let room = try await services.directory.room(named: name)
        let page = try await services.store.page(room: room.id, before: before, limit: limit)
        let history = HistoryPage(
            room: room.name, messages: page.messages, reason: .back, older: page.more, done: nil)
        await outbox.put(.history(history))
    }

    private mutating func search(_ query: String, in name: String?) async throws {
        try Limits.check(query: query)
        var room: Room?
        if let name { room = try await services.directory.room(named: name) }
        await searches.begin(query) { [store = services.store, id = room?.id] in
            try await store.search(SearchQuery(query), room: id)
        }
    }
}
