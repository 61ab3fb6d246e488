import Foundation
import GRDB
import Testing

@testable import Chat

@Suite struct MessageStoreOpeningTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("chat.sqlite")
    }

    private func failure(_ path: String) -> String? {
        do {
            _ = try MessageStore(path: path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a commit is flushed to the disk before it returns`() async throws {
        let store = try MessageStore(path: path)
        let (mode, synchronous) = try await store.pool.writeWithoutTransaction { db in
            (
                try String.fetchOne(db, sql: "PRAGMA journal_mode"),
                try Int.fetchOne(db, sql: "PRAGMA synchronous")
            )
        }
        #expect(mode == "wal")
        #expect(synchronous == 2)  // FULL
    }

    @Test func `what was stored is there when the database is opened again`() async throws {
        do {
            let store = try MessageStore(path: path)
            let room = try await store.createRoom(named: "Tea")
            _ = try await store.store([.init(room: .init(id: room, name: "Tea"), name: "Ann", text: "kept", key: "k")])
        }
        let store = try MessageStore(path: path)
        let rooms = try await store.rooms()
        #expect(rooms.map(\.name) == ["Tea"])
        #expect(try await store.page(room: rooms[0].id, after: 0, through: .max).messages.map(\.text) == ["kept"])
        #expect(try await store.search(SearchQuery("kept")).messages.map(\.key) == ["k"])
        let again = try await store.store([.init(room: .init(id: 1, name: "Tea"), name: "Bo", text: "other", key: "k")])
        #expect(again.map(\.isNew) == [false])
    }

    @Test func `a folder that is not there is named, with what to do`() throws {
        let path = folder.file("none/chat.sqlite")
        let words = try #require(failure(path))
        #expect(words.hasPrefix("cannot write the database '\(path)'; make sure that its folder exists"))
    }

    @Test func `a folder in the database's place is named, with what to do`() throws {
        #expect(failure(folder.path) == "the database '\(folder.path)' is a folder; name a file with --database")
    }

    @Test func `a file that is no database is left as it is, and named`() throws {
        let bytes = Data(repeating: 0x5A, count: 10_000)
        try bytes.write(to: URL(fileURLWithPath: path))
        let words = try #require(failure(path))
        #expect(words.hasPrefix("'\(path)' is no database or is damaged; move it away or restore a copy"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }

    @Test func `a database that was damaged is named`() throws {
        _ = try MessageStore(path: path)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seek(toOffset: 100)
        try file.write(contentsOf: Data(repeating: 0xFF, count: 8_000))
        try file.close()
        let words = try #require(failure(path))
        #expect(words.hasPrefix("'\(path)' is no database or is damaged"))
    }

    @Test func `another program's database is left as it is, and named`() async throws {
        do {
            let other = try DatabaseQueue(path: path)
            try await other.write { db in try db.execute(sql: "CREATE TABLE accounts (id INTEGER)") }
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(failure(path) == "'\(path)' is the database of another program; name another file with --database")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }

    @Test func `a database of a newer chat is refused`() async throws {
        do {
            let store = try MessageStore(path: path)
            try await store.pool.write { db in
                try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('99: the future')")
            }
        }
        let words = try #require(failure(path))
        #expect(words.hasPrefix("the database '\(path)' was written by a newer version of the chat; update the chat"))
    }

    @Test func `a database that another server uses is refused until that has ended`() throws {
        do {
            let store = try MessageStore(path: path)
            let words = try #require(failure(path))
            #expect(words.hasPrefix("another chat server is using the database '\(path)'"))
            withExtendedLifetime(store) {}
        }
        #expect(failure(path) == nil)
    }
}
