import Foundation
import GRDB
import Testing

@testable import Chat

@Suite struct MessageStoreTests {
    private func draft(_ text: String, key: String, room: Int64 = 1) -> MessageStore.Draft {
        MessageStore.Draft(
            room: .init(id: room, name: ["Tea", "Tee"][Int(room) - 1]), name: "Ann", text: text, key: key)
    }

    @Test func `a stored message comes back with its room, its time and an id`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let stored = try await temporary.store.store([draft("你好 <b>", key: "k1")])
        #expect(stored.map(\.isNew) == [true])
        #expect(stored.map(\.room) == [temporary.rooms[0]])
        #expect(
            stored.map(\.message) == [
                ChatMessage(id: 1, room: "Tea", name: "Ann", text: "你好 <b>", at: 1_700_000_000_000, key: "k1")
            ])
    }

    @Test func `a key that comes again stores nothing and is answered with what was stored first`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee")
        let first = try await temporary.store.store([draft("first", key: "k1")])
        let again = try await temporary.store.store([draft("second", key: "k1", room: 2), draft("new", key: "k2")])
        #expect(again.map(\.isNew) == [false, true])
        #expect(again[0].message == first[0].message)
        #expect(again[0].room == 1)
        #expect(try await temporary.store.page(room: 2, after: 0, through: .max).messages.isEmpty)
    }

    @Test func `a key that comes twice in one transaction is stored once`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let stored = try await temporary.store.store([
            draft("a", key: "k"), draft("b", key: "k"), draft("c", key: "l"),
        ])
        #expect(stored.map(\.isNew) == [true, false, true])
        #expect(stored.map(\.message.text) == ["a", "a", "c"])
        #expect(stored[0].message.id < stored[2].message.id)
    }

    @Test func `a transaction that fails stores none of its messages`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.store.pool.write { db in
            try db.execute(
                sql: """
                    CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.text = 'b'
                    BEGIN SELECT raise(FAIL, 'no'); END
                    """)
        }
        await #expect(throws: DatabaseError.self) {
            _ = try await temporary.store.append([draft("a", key: "a"), draft("b", key: "b")])
        }
        #expect(try await temporary.store.page(room: 1, after: 0, through: .max).messages.isEmpty)
    }

    @Test func `a draft for a room that the database has not, or has under another name, is left out alone`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let other = MessageStore.Draft(room: .init(id: 1, name: "Coffee"), name: "Ann", text: "b", key: "b")
        let gone = MessageStore.Draft(room: .init(id: 9, name: "Tea"), name: "Ann", text: "c", key: "c")
        let stored = try await temporary.store.append([draft("a", key: "a"), other, gone]).stored
        #expect(stored.map { $0?.message.text } == ["a", nil, nil])
    }

    @Test func `an unused room is removed, one with messages is not`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee")
        try await temporary.add("a")
        #expect(try await !temporary.store.removeUnused(room: 1))
        #expect(try await temporary.store.removeUnused(room: 2))
        #expect(try await temporary.store.rooms().map(\.name) == ["Tea"])
    }

    @Test func `ids ascend and are never used again, not even after the newest message was deleted`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let ids = try await temporary.add("a", "b", "c")
        #expect(ids == ids.sorted())
        let newest = try #require(ids.last)
        try await temporary.store.pool.write { db in
            try db.execute(sql: "DELETE FROM messages WHERE id = ?", arguments: [newest])
        }
        #expect(try await temporary.add("d")[0] > newest)
    }

    @Test func `a page after an id ascends, ends at its limit and says whether there are more`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea", "Tee")
        let ids = try await temporary.add((1...10).map(String.init))
        try await temporary.add("elsewhere", room: 2)
        let page = try await temporary.store.page(room: 1, after: ids[2], through: ids[9], limit: 4)
        #expect(page.messages.map(\.text) == ["4", "5", "6", "7"])
        #expect(page.more)
        let rest = try await temporary.store.page(room: 1, after: ids[6], through: ids[9], limit: 4)
        #expect(rest.messages.map(\.text) == ["8", "9", "10"])
        #expect(!rest.more)
        let exact = try await temporary.store.page(room: 1, after: ids[6], through: ids[9], limit: 3)
        #expect(exact.messages.count == 3)
        #expect(!exact.more)
    }

    @Test func `a page after an id reads no further than it is told`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let ids = try await temporary.add("a", "b", "c", "d")
        let page = try await temporary.store.page(room: 1, after: ids[0], through: ids[2])
        #expect(page.messages.map(\.text) == ["b", "c"])
        #expect(!page.more)
    }

    @Test func `a page before an id is the newest of the older, ascending`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let ids = try await temporary.add((1...6).map(String.init))
        let page = try await temporary.store.page(room: 1, before: ids[4], limit: 3)
        #expect(page.messages.map(\.text) == ["2", "3", "4"])
        #expect(page.more)
        let first = try await temporary.store.page(room: 1, before: ids[1], limit: 3)
        #expect(first.messages.map(\.text) == ["1"])
        #expect(!first.more)
        #expect(try await temporary.store.page(room: 1, before: ids[0], limit: 3).messages.isEmpty)
    }

    @Test(arguments: ["你", "\u{1}"])
    func `a page of the longest texts ends before its JSON passes 1 MiB`(character: String) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let text = String(repeating: character, count: Limits.text)
        let ids = try await temporary.add(Array(repeating: text, count: 100))
        let page = try await temporary.store.page(room: 1, after: 0, through: .max, limit: 100)
        #expect(page.more)
        #expect(page.messages.map(\.id) == Array(ids.prefix(page.messages.count)))
        let history = HistoryPage(room: "Tea", messages: page.messages, reason: .catchUp, older: nil, done: false)
        let size = ServerEvent.history(history).json.utf8.count
        #expect(size < 1 << 20)
        #expect(size > 1 << 19)
    }

    @Test func `a room is made once, and rooms are listed in the order of their making with their newest ids`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea", "茶", "Tee")
        #expect(try await temporary.store.createRoom(named: "茶") == temporary.rooms[1])
        let ids = try await temporary.add("a", "b", room: temporary.rooms[1])
        let rooms = try await temporary.store.rooms()
        #expect(rooms.map(\.name) == ["Tea", "茶", "Tee"])
        #expect(rooms.map(\.newest) == [0, ids[1], 0])
    }

    @Test func `a deleted database file fails the check`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.store.check()
        try FileManager.default.removeItem(atPath: temporary.folder.file("chat.sqlite"))
        await #expect(throws: StoreError.self) { try await temporary.store.check() }
    }
}
