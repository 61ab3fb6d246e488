import Foundation
import GRDB
import Testing

@testable import Chat

@Suite struct MessageStoreHealthTests {
    private let folder: TemporaryFolder
    private let store: MessageStore

    init() async throws {
        folder = try TemporaryFolder()
        store = try MessageStore(path: folder.file("chat.sqlite"), busyTimeout: 0)
        _ = try await store.createRoom(named: "Tea")
    }

    private func append(_ key: String) async throws {
        _ = try await store.append([.init(room: .init(id: 1, name: "Tea"), name: "Ann", text: key, key: key)])
    }

    /// Another connection to a database, which may leave a transaction open.
    private func otherProgram(_ folder: TemporaryFolder) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        return try DatabaseQueue(path: folder.file("chat.sqlite"), configuration: configuration)
    }

    private func failure() async -> String? {
        do {
            try await store.check()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func `a database that has no room left is unhealthy until a message can be stored again`() async throws {
        #expect(await failure() == nil)
        let pages = try await store.pool.write { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)")
            return pages
        }
        let long = String(repeating: "x", count: 100_000)
        let draft = MessageStore.Draft(room: .init(id: 1, name: "Tea"), name: "Ann", text: long, key: "long")
        await #expect(throws: DatabaseError.self) { _ = try await store.append([draft]) }
        #expect(store.writes.reason == "the disk is full")
        try await store.pool.write { db in
            _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages + 1_000)")
        }
        #expect(await failure() == nil)
        try await append("a")
    }

    @Test func `a database that another program keeps locked is unhealthy, with the reason, until it is free`()
        async throws
    {
        let other = try otherProgram(folder)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
        await #expect(throws: DatabaseError.self) { try await append("a") }
        #expect(await failure() == "messages cannot be stored: another program keeps the database locked")
        try await other.writeWithoutTransaction { db in try db.execute(sql: "COMMIT") }
        #expect(await failure() == nil)
        // The check that has written leaves nothing for the next one to do.
        #expect(store.writes.reason == nil)
        try await append("a")
    }

    @Test func `a write waits for a writer in another program`() async throws {
        let patient = try TemporaryFolder()
        let store = try MessageStore(path: patient.file("chat.sqlite"), busyTimeout: 60)
        let other = try otherProgram(patient)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
        async let room = store.createRoom(named: "Tea")
        try await other.writeWithoutTransaction { db in try db.execute(sql: "COMMIT") }
        #expect(try await room == 1)
    }

    @Test func `a database whose file is gone is unhealthy`() async throws {
        try FileManager.default.removeItem(atPath: folder.file("chat.sqlite"))
        #expect(await failure()?.hasPrefix("the database has been deleted under the running server") == true)
    }

    @Test func `a database that was emptied from outside is unhealthy, and ends nothing`() async throws {
        let other = try DatabaseQueue(path: folder.file("chat.sqlite"))
        try await other.write { db in try db.drop(table: "messages") }
        #expect(await failure()?.hasPrefix("the database does not answer") == true)
    }

    @Test func `a row of other types than the chat's is an error, and ends nothing`() async throws {
        let other = try DatabaseQueue(path: folder.file("chat.sqlite"))
        try await other.write { db in
            try db.execute(sql: "DROP TABLE messages")
            try db.execute(sql: "CREATE TABLE messages (id INTEGER PRIMARY KEY, roomID, name, text, at, key)")
            try db.execute(sql: "INSERT INTO messages VALUES (1, 1, NULL, NULL, 'noon', NULL)")
        }
        await #expect(throws: (any Error).self) { _ = try await store.page(room: 1, after: 0, through: .max) }
    }
}
