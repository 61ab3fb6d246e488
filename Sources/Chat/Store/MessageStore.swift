import Foundation
import GRDB

/// The chat's database: one SQLite file, by itself as durable as SQLite makes it.
///
/// What `append` has returned survives the end of the process and of the machine: the journal is written ahead (WAL)
/// and every transaction is flushed to the disk (`synchronous=FULL`). Any task may call any function; there is one
/// writer at a time, and readers do not wait for it.
final class MessageStore: Sendable {
    /// A room as it is stored.
    struct StoredRoom: Hashable, Sendable {
        let id: Int64
        let name: String
        /// The id of its newest message; 0 where there is none.
        let newest: Int64
    }

    /// A room by its id and its name: after an operator has replaced the file, another room may have the id.
    struct RoomKey: Hashable, Sendable {
        let id: Int64
        let name: String
    }

    /// A message that is to be stored.
    struct Draft: Sendable {
        let room: RoomKey
        let name: String
        let text: String
        let key: String
    }

    /// What became of a draft.
    struct Stored: Sendable {
        let room: Int64
        let message: ChatMessage
        /// False where its key was stored before; `message` is then what was stored under it.
        let isNew: Bool
    }

    /// What a transaction did with its drafts.
    struct Appended: Sendable {
        /// One for each draft; nil where the database does not have the room.
        let stored: [Stored?]
        /// Whether somebody else has changed the database since the last transaction.
        let isChangedFromOutside: Bool
    }

    // In the order in which they have to end: the writer after those that read, because the last connection to close
    // moves the journal into the file, and the lock after all.
    /// The connection of searches, apart from those that everything else reads by.
    let searcher: DatabaseQueue
    let pool: DatabasePool
    let path: String
    let writes: WriteHealth
    private let lock: DatabaseLock
    private let sequences = Sequences()
    private let clock: @Sendable () -> Int64

    /// Opens the database at `path`, creates it where there is none, and brings an older one up to date.
    ///
    /// - Parameters:
    ///   - busyTimeout: the seconds to wait for another process that is writing. Default: 5.
    ///   - clock: the time in milliseconds since 1970.
    init(
        path: String, busyTimeout: Double = 5,
        clock: @escaping @Sendable () -> Int64 = MessageStore.millisecondsSince1970
    ) throws(StoreError) {
        self.path = path
        self.clock = clock
        try Self.refuseFolder(path)
        lock = try DatabaseLock(path: path)
        pool = try Self.open(path, busyTimeout: busyTimeout)
        searcher = try Self.openForSearches(path)
        writes = WriteHealth()
        do {
            try pool.writeWithoutTransaction { [sequences] db in _ = try sequences.isChangedFromOutside(db) }
        } catch {
            throw StoreError("cannot read the database '\(path)': \(error)")
        }
    }

    /// The time of this machine.
    static func millisecondsSince1970() -> Int64 {
        Int64((Date.now.timeIntervalSince1970 * 1000).rounded())
    }

    /// All rooms, in the order in which they were made.
    func rooms() async throws -> [StoredRoom] {
        try await pool.read { db in
            let sql = """
                SELECT id, name, ifnull((SELECT max(id) FROM messages WHERE roomID = rooms.id), 0)
                FROM rooms ORDER BY id
                """
            return try Row.fetchAll(db, sql: sql).map { row in
                StoredRoom(
                    id: try row.decode(atIndex: 0), name: try row.decode(atIndex: 1), newest: try row.decode(atIndex: 2)
                )
            }
        }
    }

    /// Makes a room and returns its id, also where there is one of that name already.
    func createRoom(named name: String) async throws -> Int64 {
        let at = clock()
        return try await write { [sequences] db in
            try sequences.raise(.rooms, db)
            try db.execute(
                sql: "INSERT INTO rooms (name, at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", arguments: [name, at])
            guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM rooms WHERE name = ?", arguments: [name]) else {
                throw StoreError("the room '\(name)' is not in the database although it was just stored")
            }
            sequences.note(.rooms, id)
            return id
        }
    }

    /// Removes a room that has no messages, and returns whether it is gone.
    func removeUnused(room id: Int64) async throws -> Bool {
        try await write { db in
            let unused = "id = ?1 AND NOT EXISTS (SELECT 1 FROM messages WHERE roomID = ?1)"
            try db.execute(sql: "DELETE FROM rooms WHERE \(unused)", arguments: [id])
            return try Int.fetchOne(db, sql: "SELECT count(*) FROM rooms WHERE id = ?", arguments: [id]) == 0
        }
    }

    /// Stores all drafts in one transaction, in their order, or none and throws.
    ///
    /// A draft whose key is in the database already, or comes twice, is stored once; its first message is returned.
    func append(_ drafts: [Draft]) async throws -> Appended {
        let at = clock()
        let appended = try await write { [sequences] db in
            let isChanged = try sequences.isChangedFromOutside(db)
            try sequences.raise(.messages, db)
            let stored = try drafts.map { draft in try Self.append(draft, at: at, to: db) }
            return Appended(stored: stored, isChangedFromOutside: isChanged)
        }
        for case let stored? in appended.stored { sequences.note(.messages, stored.message.id) }
        return appended
    }

    private static func append(_ draft: Draft, at: Int64, to db: Database) throws -> Stored? {
        // An INSERT with RETURNING gives a row only for what it has inserted.
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO messages (roomID, name, text, at, key)
                SELECT id, ?, ?, ?, ? FROM rooms WHERE id = ? AND name = ?
                ON CONFLICT (key) DO NOTHING RETURNING id
                """)
        let arguments: StatementArguments = [
            draft.name, draft.text, at, draft.key, draft.room.id, draft.room.name,
        ]
        let isNew = try Int64.fetchOne(insert, arguments: arguments) != nil
        let select = try db.cachedStatement(sql: "SELECT \(columns), roomID \(source) WHERE key = ?")
        guard let row = try Row.fetchOne(select, arguments: [draft.key]) else { return nil }
        return Stored(room: try row.decode(atIndex: 6), message: try ChatMessage(row), isNew: isNew)
    }

    /// Writes in one transaction, and remembers whether it succeeded.
    private func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            let value = try await pool.write(body)
            writes.succeeded()
            return value
        } catch {
            writes.failed(error)
            throw error
        }
    }

    /// What `ChatMessage(_: Row)` reads, and where it is found.
    static let columns = "messages.id, rooms.name, messages.name, messages.text, messages.at, messages.key"
    static let source = "FROM messages JOIN rooms ON rooms.id = messages.roomID"
}

extension ChatMessage {
    /// Reads a row of `MessageStore.columns`.
    ///
    /// A row's subscript would end the process at a value of another type, which an operator can put there.
    init(_ row: Row) throws {
        self.init(
            id: try row.decode(atIndex: 0), room: try row.decode(atIndex: 1), name: try row.decode(atIndex: 2),
            text: try row.decode(atIndex: 3), at: try row.decode(atIndex: 4), key: try row.decode(atIndex: 5))
    }
}
