import Testing

@testable import Chat

@Suite struct RoomTests {
    private let temporary: TemporaryStore
    private let changes = RoomChanges()
    private let room: Room

    init() async throws {
        temporary = try await TemporaryStore(rooms: "Tea")
        room = Room(.init(id: 1, name: "Tea", newest: 0), store: temporary.store, changes: changes)
    }

    private func person(_ member: Int, _ ears: Ears) -> Room.Participant {
        Room.Participant(member: member, name: "Guest \(member)", outbox: ears.outbox)
    }

    /// Stores and publishes messages, as the journal does.
    private func say(_ texts: String...) async throws {
        let drafts = texts.map {
            MessageStore.Draft(room: .init(id: 1, name: "Tea"), name: "Ann", text: $0, key: "key of \($0)")
        }
        await room.publish(try await temporary.store.store(drafts).map(\.message))
    }

    @Test func `who joins without an id is told the newest 50 messages and whether there are older ones`() async throws
    {
        for number in 1...51 { try await say("\(number)") }
        let ears = Ears()
        try await room.join(person(1, ears), after: nil)
        let history = try #require(try await ears.next())
        #expect(history.type == "history")
        #expect(history.reason == "join")
        #expect(history.messages?.map(\.text) == (2...51).map(String.init))
        #expect(history.older == true)
        #expect(history.done == true)
    }

    @Test func `who joins after an id is told all that followed, in pages, the last one done`() async throws {
        let ids = try await temporary.add((1...250).map(String.init))
        let room = Room(.init(id: 1, name: "Tea", newest: ids[249]), store: temporary.store, changes: changes)
        let ears = Ears()
        try await room.join(person(1, ears), after: ids[9])
        let pages = try await ears.all().filter { $0.type == "history" }
        #expect(pages.map { $0.messages?.count } == [100, 100, 40])
        #expect(pages.map(\.done) == [false, false, true])
        #expect(pages.allSatisfy { $0.reason == "catch-up" })
        #expect(pages.flatMap { $0.messages ?? [] }.map(\.id) == Array(ids[10...]))
    }

    @Test func `all members are told of a message, its sender included, with ascending ids`() async throws {
        let (one, two) = (Ears(), Ears())
        try await room.join(person(1, one), after: nil)
        try await room.join(person(2, two), after: nil)
        try await say("a", "b")
        try await say("c")
        for ears in [one, two] {
            let messages = try await ears.all().compactMap(\.message)
            #expect(messages.map(\.text) == ["a", "b", "c"])
            #expect(messages.map(\.id) == [1, 2, 3])
        }
    }

    @Test func `who has left is told nothing more`() async throws {
        let ears = Ears()
        try await room.join(person(1, ears), after: nil)
        await room.leave(member: 1)
        try await say("a")
        #expect(await room.announceMembers() == 0)
        #expect(try await ears.all().map(\.type) == ["history"])
    }

    @Test func `who joins again starts anew and is one member still`() async throws {
        let ears = Ears()
        try await room.join(person(1, ears), after: nil)
        try await say("a")
        try await room.join(person(1, ears), after: 0)
        try await say("b")
        #expect(await room.announceMembers() == 1)
        let types = try await ears.all().map(\.type)
        #expect(types == ["history", "message", "history", "message", "members"])
    }

    @Test func `somebody whose joining fails is not in the room`() async throws {
        let ears = Ears()
        try await temporary.store.pool.write { db in try db.drop(table: "messages") }
        await #expect(throws: (any Error).self) { try await room.join(person(1, ears), after: nil) }
        #expect(await room.announceMembers() == 0)
        #expect(try await ears.all().isEmpty)
    }

    @Test func `somebody whose joining again fails is not in the room any more`() async throws {
        let ears = Ears()
        try await room.join(person(1, ears), after: nil)
        try await temporary.store.pool.write { db in try db.drop(table: "messages") }
        await #expect(throws: (any Error).self) { try await room.join(person(1, ears), after: nil) }
        #expect(await room.announceMembers() == 0)
    }

    @Test func `for a client that has gone no further pages are read`() async throws {
        let ids = try await temporary.add((1...250).map(String.init))
        let room = Room(.init(id: 1, name: "Tea", newest: ids[249]), store: temporary.store, changes: changes)
        let ears = Ears()
        ears.outbox.close()
        try await room.join(person(1, ears), after: 0)
        #expect(await room.announceMembers() == 0)
    }

    @Test func `members are listed by their numbers and under their new names`() async throws {
        let ears = Ears()
        try await room.join(person(2, ears), after: nil)
        try await room.join(person(1, Ears()), after: nil)
        await room.rename(member: 2, to: "Bo")
        await room.rename(member: 7, to: "Nobody")
        #expect(await room.announceMembers() == 2)
        let lists = try await ears.all().filter { $0.type == "members" }
        #expect(lists.last?.members == [.init(member: 1, name: "Guest 1"), .init(member: 2, name: "Bo")])
    }

    @Test func `of a crowd the first 200 are listed and all are counted`() async throws {
        let last = Ears()
        for member in 1...200 { try await room.join(person(member, Ears()), after: nil) }
        try await room.join(person(201, last), after: nil)
        #expect(await room.announceMembers() == 201)
        #expect(try await last.next("members").members?.map(\.member) == Array(1...200))
    }

    @Test func `typing is told to everyone else, at most once a second`() async throws {
        let (one, two) = (Ears(), Ears())
        try await room.join(person(1, one), after: nil)
        try await room.join(person(2, two), after: nil)
        let start = ContinuousClock.now
        for milliseconds in [0, 500, 999, 1_000, 1_999, 2_000] {
            await room.typing(member: 1, now: start.advanced(by: .milliseconds(milliseconds)))
        }
        await room.typing(member: 3, now: start)
        #expect(try await one.all().filter { $0.type == "typing" }.isEmpty)
        let heard = try await two.all().filter { $0.type == "typing" }
        #expect(heard.map(\.member) == [1, 1, 1])
        #expect(heard.map(\.name) == ["Guest 1", "Guest 1", "Guest 1"])
    }

    @Test func `changes are noted when somebody comes, leaves or is renamed, not when nothing changes`() async throws {
        try await room.join(person(1, Ears()), after: nil)
        #expect(changes.take() == [1])
        await room.rename(member: 1, to: "Bo")
        #expect(changes.take() == [1])
        await room.leave(member: 1)
        #expect(changes.take() == [1])
        await room.leave(member: 1)
        await room.rename(member: 1, to: "Bo")
        #expect(changes.take() == [])
    }

    @Test func `all members are given the same object, so that a message is in memory once`() async throws {
        let outboxes = [Outbox(), Outbox()]
        for (member, outbox) in outboxes.enumerated() {
            try await room.join(.init(member: member, name: "Guest", outbox: outbox), after: nil)
        }
        try await say("a")
        let last = [await outboxes[0].next()?.last, await outboxes[1].next()?.last].compactMap { $0 }
        #expect(last.count == 2)
        #expect(last.first === last.last)
    }

    @Test func `a message whose id the room has passed is told all the same`() async throws {
        let ears = Ears()
        let room = Room(.init(id: 1, name: "Tea", newest: 99), store: temporary.store, changes: changes)
        try await room.join(person(1, ears), after: nil)
        await room.publish(try await temporary.store.store([draft("late")]).map(\.message))
        #expect(try await ears.all().compactMap(\.message?.text) == ["late"])
    }

    private func draft(_ text: String) -> MessageStore.Draft {
        .init(room: .init(id: 1, name: "Tea"), name: "Ann", text: text, key: text)
    }

    @Test func `the newest id there can be is read like any other`() async throws {
        let room = Room(.init(id: 1, name: "Tea", newest: .max), store: temporary.store, changes: changes)
        let ears = Ears()
        try await room.join(person(1, ears), after: nil)
        #expect(try await ears.next()?.done == true)
    }

    @Test func `an unused room can be closed, and then nobody joins it until it is opened again`() async throws {
        #expect(await room.closeIfUnused())
        await #expect(throws: Refusal.noSuchRoom("Tea")) { try await room.join(person(1, Ears()), after: nil) }
        await room.reopen()
        try await room.join(person(1, Ears()), after: nil)
        #expect(await !room.closeIfUnused())
        await room.leave(member: 1)
        try await say("a")
        #expect(await !room.closeIfUnused())
    }

    @Test func `a room that was entered and left without a word is unused again`() async throws {
        try await room.join(person(1, Ears()), after: nil)
        #expect(await !room.isUnused)
        await room.leave(member: 1)
        #expect(await room.isUnused)
        #expect(await room.closeIfUnused())
    }
}
