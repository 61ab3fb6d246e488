import Testing

@testable import Chat

@Suite struct RoomDirectoryTests {
    private func code(_ body: () async throws -> Void) async -> Refusal.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Refusal)?.code
        }
    }

    @Test func `who enters is welcomed with a number of their own and all rooms`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "茶")
        let directory = try await RoomDirectory(store: temporary.store)
        let (one, two) = (Ears(), Ears())
        let first = await directory.enter(name: "Ann", outbox: one.outbox)
        let second = await directory.enter(name: "Bo", outbox: two.outbox)
        #expect(first != second)
        let welcome = try #require(try await two.next())
        #expect(welcome.type == "welcome")
        #expect(welcome.name == "Bo")
        #expect(welcome.member == second)
        #expect(welcome.rooms == [.init(name: "Tea", members: 0), .init(name: "茶", members: 0)])
        #expect(welcome.textLimit == 4_000)
    }

    @Test func `a room is made once, under its trimmed name, and its maker is told at once`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        let ears = Ears()
        try await directory.create(named: " Tea ", maker: ears.outbox)
        try await directory.create(named: "Tea", maker: ears.outbox)
        #expect(try await directory.room(named: " Tea").name == "Tea")
        #expect(try await ears.all().map(\.rooms) == Array(repeating: [.init(name: "Tea", members: 0)], count: 2))
        #expect(try await temporary.store.rooms().count == 1)
    }

    @Test func `of many who make the same room at once all get the same one`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try await directory.create(named: "Tea", maker: Outbox()) } }
            try await group.waitForAll()
        }
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox)
        #expect(try await ears.next()?.rooms?.map(\.name) == ["Tea"])
    }

    @Test func `a room needs a valid name and must exist to be found`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        #expect(await code { try await directory.create(named: " ", maker: Outbox()) } == .badName)
        #expect(await code { _ = try await directory.room(named: "Tea") } == .noSuchRoom)
    }

    @Test func `more than 1,000 rooms are refused, those that exist are not`() async throws {
        let temporary = try await TemporaryStore()
        try await temporary.store.pool.write { db in
            for number in 1...1_000 {
                try db.execute(sql: "INSERT INTO rooms (name, at) VALUES (?, 0)", arguments: ["\(number)"])
            }
        }
        let directory = try await RoomDirectory(store: temporary.store)
        #expect(await code { try await directory.create(named: "more", maker: Outbox()) } == .tooManyRooms)
        #expect(await code { try await directory.create(named: "7", maker: Outbox()) } == nil)
    }

    @Test func `everyone is told the rooms when one is new or a count differs, and not otherwise`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store)
        await directory.announce()
        let ears = Ears()
        let member = await directory.enter(name: "Ann", outbox: ears.outbox)
        await directory.announce()
        try await directory.create(named: "Tee", maker: Outbox())
        await directory.announce()
        let room = try await directory.room(named: "Tea")
        try await room.join(.init(member: 9, name: "Bo", outbox: Outbox()), after: nil)
        await directory.announce()
        await room.rename(member: 9, to: "Ben")
        await directory.announce()
        await directory.depart(member: member)
        await room.leave(member: 9)
        await directory.announce()
        let lists = try await ears.all().dropFirst().map { $0.rooms?.map(\.members) }
        #expect(lists == [[0, 0], [1, 0]])
    }

    @Test func `the first change is announced at once, those of the next half second together`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        let (clock, ears) = (ManualClock(), Ears())
        _ = await directory.enter(name: "Ann", outbox: ears.outbox)
        let announcing = Task { await directory.announceChanges(clock: clock) }
        var sleeps = clock.sleeps.makeAsyncIterator()

        try await directory.create(named: "1", maker: Outbox())
        #expect(await sleeps.next() == .milliseconds(500))
        try await directory.create(named: "2", maker: Outbox())
        try await directory.create(named: "3", maker: Outbox())
        clock.advance(by: .milliseconds(500))
        #expect(await sleeps.next() == .milliseconds(500))

        announcing.cancel()
        clock.advance(by: .milliseconds(500))
        await announcing.value
        let lists = try await ears.all().filter { $0.type == "rooms" }.map { $0.rooms?.count }
        #expect(lists == [1, 3])
    }
}
