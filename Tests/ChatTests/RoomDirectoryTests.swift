import GRDB
import TestSupport
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
        let maker = await directory.enter(name: "Ann", outbox: ears.outbox)
        try await directory.create(named: " Tea ", maker: maker, from: "192.0.2.1")
        try await directory.create(named: "Tea", maker: maker, from: "192.0.2.1")
        #expect(try await directory.room(named: " Tea").name == "Tea")
        #expect(
            try await ears.all().dropFirst().map(\.rooms)
                == Array(repeating: [.init(name: "Tea", members: 0)], count: 2))
        #expect(try await temporary.store.rooms().count == 1)
    }

    @Test func `of many who make the same room at once all get the same one`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try await directory.create(named: "Tea", maker: 0, from: "192.0.2.1") } }
            try await group.waitForAll()
        }
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox)
        #expect(try await ears.next()?.rooms?.map(\.name) == ["Tea"])
    }

    @Test func `a room needs a valid name and must exist to be found`() async throws {
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store)
        #expect(await code { try await directory.create(named: " ", maker: 0, from: "192.0.2.1") } == .badName)
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
        #expect(await code { try await directory.create(named: "more", maker: 0, from: "192.0.2.1") } == .tooManyRooms)
        #expect(await code { try await directory.create(named: "7", maker: 0, from: "192.0.2.1") } == nil)
    }

    @Test func `everyone is told the rooms when one is new or a count differs, and not otherwise`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store)
        await directory.announce()
        let ears = Ears()
        let member = await directory.enter(name: "Ann", outbox: ears.outbox)
        await directory.announce()
        try await directory.create(named: "Tee", maker: 0, from: "192.0.2.1")
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

        try await directory.create(named: "1", maker: 0, from: "192.0.2.1")
        #expect(await sleeps.next() == .milliseconds(500))
        try await directory.create(named: "2", maker: 0, from: "192.0.2.1")
        try await directory.create(named: "3", maker: 0, from: "192.0.2.1")
        clock.advance(by: .milliseconds(500))
        #expect(await sleeps.next() == .milliseconds(500))

        announcing.cancel()
        clock.advance(by: .milliseconds(500))
        await announcing.value
        let lists = try await ears.all().filter { $0.type == "rooms" }.map { $0.rooms?.count }
        #expect(lists == [1, 3])
    }

    @Test func `who asks for changes is told of what has changed alone`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee", "茶")
        let directory = try await RoomDirectory(store: temporary.store)
        await directory.announce()
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox, wantsChanges: true)
        let room = try await directory.room(named: "Tee")
        try await room.join(.init(member: 9, name: "Bo", outbox: Outbox()), after: nil)
        await directory.announce()
        await room.rename(member: 9, to: "Ben")
        await directory.announce()
        let heard = try await ears.all().dropFirst()
        #expect(heard.map(\.type) == ["room-changes"])
        #expect(heard.first?.rooms == [.init(name: "Tee", members: 1)])
    }

    @Test func `of many changes 50 rooms are announced at a time, in the order of the changes`() async throws {
        let temporary = try await TemporaryStore()
        try await temporary.store.pool.write { db in
            for number in 1...120 {
                try db.execute(sql: "INSERT INTO rooms (name, at) VALUES (?, 0)", arguments: ["\(number)"])
            }
        }
        let directory = try await RoomDirectory(store: temporary.store)
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox, wantsChanges: true)
        for _ in 1...4 { await directory.announce() }
        let heard = try await ears.all().dropFirst().compactMap { $0.rooms?.map(\.name) }
        #expect(heard.map(\.count) == [50, 50, 20])
        #expect(heard.flatMap { $0 } == (1...120).map(String.init))
    }

    @Test func `a long list is told whole every ten seconds at most, and nothing is left out for good`() async throws {
        let temporary = try await TemporaryStore()
        try await temporary.store.pool.write { db in
            for number in 1...101 {
                try db.execute(sql: "INSERT INTO rooms (name, at) VALUES (?, 0)", arguments: ["\(number)"])
            }
        }
        let start = ContinuousClock.now
        let directory = try await RoomDirectory(store: temporary.store)
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox)
        for half in 0..<60 { await directory.announce(now: start.advanced(by: .milliseconds(500 * half))) }
        let room = try await directory.room(named: "7")
        try await room.join(.init(member: 9, name: "Bo", outbox: Outbox()), after: nil)
        for half in 60..<120 { await directory.announce(now: start.advanced(by: .milliseconds(500 * half))) }
        let lists = try await ears.all().dropFirst().map { $0.rooms?.map(\.members).reduce(0, +) }
        #expect(lists.count <= 6)
        #expect(lists.last == 1)
    }

    @Test func `the members of a crowded room are announced the more rarely the more there are, and none is left out`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let start = ContinuousClock.now
        let directory = try await RoomDirectory(store: temporary.store, now: start)
        let room = try await directory.room(named: "Tea")
        let ears = Ears()
        try await room.join(.init(member: 0, name: "Ann", outbox: ears.outbox), after: nil)
        for member in 1...400 {
            let name = String(repeating: "x", count: 40)
            try await room.join(.init(member: member, name: name, outbox: Outbox()), after: nil)
        }
        for half in 0..<40 {
            if half == 20 { await room.rename(member: 0, to: "Eve") }
            if half < 20 { await room.rename(member: 1, to: "\(half)") }
            await directory.announce(now: start.advanced(by: .milliseconds(500 * half)))
        }
        let lists = try await ears.all().filter { $0.type == "members" }
        #expect((2...8).contains(lists.count))
        #expect(lists.last?.members?.first?.name == "Eve")
    }

    @Test func `a room without members and messages is removed after a minute, and everyone is told`() async throws {
        let start = ContinuousClock.now
        let temporary = try await TemporaryStore(rooms: "said", "empty", "entered")
        try await temporary.add("something")
        let directory = try await RoomDirectory(store: temporary.store, now: start)
        await directory.announce(now: start)
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox, wantsChanges: true)
        let entered = try await directory.room(named: "entered")
        try await entered.join(.init(member: 9, name: "Bo", outbox: Outbox()), after: nil)
        try await directory.removeUnused(now: start.advanced(by: .seconds(59)))
        #expect(try await temporary.store.rooms().count == 3)
        try await directory.removeUnused(now: start.advanced(by: .seconds(60)))
        await directory.announce(now: start)
        #expect(try await temporary.store.rooms().map(\.name) == ["said", "entered"])
        #expect(await code { _ = try await directory.room(named: "empty") } == .noSuchRoom)

        await entered.leave(member: 9)
        await directory.announce(now: start.advanced(by: .seconds(70)))
        try await directory.removeUnused(now: start.advanced(by: .seconds(129)))
        #expect(try await temporary.store.rooms().count == 2)
        try await directory.removeUnused(now: start.advanced(by: .seconds(130)))
        await directory.announce(now: start)
        #expect(try await temporary.store.rooms().map(\.name) == ["said"])
        #expect(try await ears.all().flatMap { $0.gone ?? [] } == ["empty", "entered"])
    }

    @Test func `a room whose messages came meanwhile is kept, and can be joined`() async throws {
        let start = ContinuousClock.now
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store, now: start)
        try await temporary.add("on its way to the members")
        try await directory.removeUnused(now: start.advanced(by: .seconds(60)))
        let room = try await directory.room(named: "Tea")
        try await room.join(.init(member: 1, name: "Ann", outbox: Outbox()), after: nil)
    }

    @Test func `after somebody else has changed the database its rooms are those of the server`() async throws {
        let temporary = try await TemporaryStore(rooms: "kept", "lost", "renamed")
        let directory = try await RoomDirectory(store: temporary.store)
        await directory.announce()
        let (ears, member) = (Ears(), Ears())
        _ = await directory.enter(name: "Ann", outbox: ears.outbox, wantsChanges: true)
        let lost = try await directory.room(named: "lost")
        try await lost.join(.init(member: 9, name: "Bo", outbox: member.outbox), after: nil)
        try await temporary.store.pool.write { db in
            try db.execute(sql: "DELETE FROM rooms WHERE name = 'lost'")
            try db.execute(sql: "UPDATE rooms SET name = 'other' WHERE name = 'renamed'")
        }
        try await directory.reload()
        await directory.announce()
        for name in ["kept", "other"] { _ = try await directory.room(named: name) }
        for name in ["lost", "renamed"] {
            #expect(await code { _ = try await directory.room(named: name) } == .noSuchRoom)
        }
        let heard = try #require(try await ears.all().last)
        #expect(heard.rooms == [.init(name: "other", members: 0)])
        #expect(heard.gone == ["lost", "renamed"])
        // Who holds one that is gone still can do nothing with it.
        let late = await code { try await lost.join(.init(member: 8, name: "Al", outbox: Outbox()), after: nil) }
        #expect(late == .noSuchRoom)
        #expect(await lost.announceMembers() == 0)
    }

    @Test func `messages of a room that was removed meanwhile are told to nobody`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store)
        let message = ChatMessage(id: 1, room: "Gone", name: "Ann", text: "x", at: 0, key: "k")
        await directory.publish([.init(room: 99, message: message, isNew: true)])
    }

    @Test func `messages that somebody else has stored are told to those who join once that is noticed`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store)
        try await temporary.add("from outside")
        try await directory.reload()
        let ears = Ears()
        try await directory.room(named: "Tea").join(.init(member: 1, name: "Ann", outbox: ears.outbox), after: nil)
        #expect(try await ears.next("history").messages?.map(\.text) == ["from outside"])
    }

    @Test func `a room that was made is removed in its time, however often it was announced`()
        async throws
    {
        let start = ContinuousClock.now
        let temporary = try await TemporaryStore()
        let directory = try await RoomDirectory(store: temporary.store, now: start)
        for name in ["quiet", "announced"] {
            try await directory.create(named: name, maker: 0, from: "192.0.2.1", now: start)
            if name == "quiet" { continue }
            let room = try await directory.room(named: name)
            for second in [0, 30, 59] {
                // Who has left before anything was announced was hardly there.
                try await room.join(.init(member: 1, name: "Ann", outbox: Outbox()), after: nil)
                await room.leave(member: 1)
                await directory.announce(now: start.advanced(by: .seconds(second)))
            }
        }
        try await directory.removeUnused(now: start.advanced(by: .seconds(60)))
        #expect(try await temporary.store.rooms().isEmpty)
        try await directory.create(named: "never announced", maker: 0, from: "192.0.2.1", now: start)
        try await directory.removeUnused(now: start.advanced(by: .seconds(60)))
        #expect(try await temporary.store.rooms().isEmpty)
    }

    @Test func `a room that could not be removed can be joined, and is removed later`() async throws {
        let start = ContinuousClock.now
        let folder = try TemporaryFolder()
        let store = try MessageStore(path: folder.file("chat.sqlite"), busyTimeout: 0)
        _ = try await store.createRoom(named: "Tea")
        let directory = try await RoomDirectory(store: store, now: start)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.file("chat.sqlite"), configuration: configuration)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
        await #expect(throws: DatabaseError.self) {
            try await directory.removeUnused(now: start.advanced(by: .seconds(60)))
        }
        try await other.writeWithoutTransaction { db in try db.execute(sql: "COMMIT") }
        let room = try await directory.room(named: "Tea")
        try await room.join(.init(member: 1, name: "Ann", outbox: Outbox()), after: nil)
        await room.leave(member: 1)
        try await directory.removeUnused(now: start.advanced(by: .seconds(61)))
        #expect(try await store.rooms().isEmpty)
    }

    @Test func `a room that is removed while its members are told is not announced as there and gone at once`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let directory = try await RoomDirectory(store: temporary.store)
        await directory.announce()
        let ears = Ears()
        _ = await directory.enter(name: "Ann", outbox: ears.outbox, wantsChanges: true)
        let room = try await directory.room(named: "Tea")
        // One member's outbox passes its limit, and so holds up the telling.
        let (isTelling, mayGoOn) = (Blocker(), Blocker())
        let small = Outbox(limit: 150) {
            isTelling.release()
            mayGoOn.wait()
        }
        try await room.join(.init(member: 1, name: String(repeating: "x", count: 40), outbox: small), after: nil)
        try await room.join(.init(member: 2, name: String(repeating: "y", count: 40), outbox: Outbox()), after: nil)
        async let announcing: Void = directory.announce()
        try await onThread { isTelling.wait() }
        try await temporary.store.pool.write { db in try db.execute(sql: "DELETE FROM rooms") }
        async let reloading: Void = directory.reload()
        for _ in 0..<10_000 { await Task.yield() }
        mayGoOn.release()
        await announcing
        try await reloading
        await directory.announce()
        let changes = try await ears.all().filter { $0.type == "room-changes" }
        #expect(changes.flatMap { $0.gone ?? [] } == ["Tea"])
        #expect(changes.allSatisfy { $0.gone?.isEmpty != false || $0.rooms?.isEmpty != false })
    }
}
