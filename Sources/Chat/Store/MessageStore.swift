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

    /// A message that is to be stored.
    struct Draft: Sendable {
        let room: Int64
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

    let pool: DatabasePool
    private let path: String
    private let lock: DatabaseLock
    private let clock: @Sendable () -> Int64

    /// Opens the database at `path`, creates it where there is none, and brings an older one up to date.
    ///
    /// - Parameter clock: the time in milliseconds since 1970.
    init(path: String, clock: @escaping @Sendable () -> Int64 = MessageStore.millisecondsSince1970) throws(StoreError) {
        self.path = path
        self.clock = clock
        try Self.refuseFolder(path)
        lock = try DatabaseLock(path: path)
        pool = try Self.open(path)
    }

    /// The time of this machine.
    static func millisecondsSince1970() -> Int64 {
        Int64((Date.now.timeIntervalSince1970 * 1000).rounded())
    }

    /// Throws where the database cannot answer, or where its file is gone, so that nothing new would last.
    func check() async throws {
        try await pool.read { db in _ = try Int64.fetchOne(db, sql: "SELECT max(id) FROM messages") }
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError("the database '\(path)' has been deleted under the running server; restart it")
        }
    }

    /// All rooms, in the order in which they were made.
    func rooms() async throws -> [StoredRoom] {
        try await pool.read { db in
            let sql = """
                SELECT id, name, ifnull((SELECT max(id) FROM messages WHERE roomID = rooms.id), 0)
                FROM rooms ORDER BY id
                """
            return try Row.fetchAll(db, sql: sql).map { row in
                StoredRoom(id: row[0], name: row[1], newest: row[2])
            }
        }
    }

    /// Makes a room and returns its id, also where there is one of that name already.
    func createRoom(named name: String) async throws -> Int64 {
        let at = clock()
        return try await pool.write { db in
            try db.execute(
                sql: "INSERT INTO rooms (name, at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", arguments: [name, at])
            guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM rooms WHERE name = ?", arguments: [name]) else {
                throw StoreError("the room '\(name)' is not in the database although it was just stored")
            }
            return id
        }
    }

    /// Stores all drafts in one transaction, in their order, or none and throws.
    ///
    /// A draft whose key is in the database already, or comes twice, is stored once; its first message is returned.
    func append(_ drafts: [Draft]) async throws -> [Stored] {
        let at = clock()
        return try await pool.write { db in
            try drafts.map { draft in try Self.append(draft, at: at, to: db) }
        }
    }

    private static func append(_ draft: Draft, at: Int64, to db: Database) throws -> Stored {
        // An INSERT with RETURNING gives a row only for what it has inserted.
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO messages (roomID, name, text, at, key) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (key) DO NOTHING RETURNING id
                """)
        let arguments: StatementArguments = [draft.room, draft.name, draft.text, at, draft.key]
        let isNew = try Int64.fetchOne(insert, arguments: arguments) != nil
        let select = try db.cachedStatement(sql: "SELECT \(columns), roomID \(source) WHERE key = ?")
        guard let row = try Row.fetchOne(select, arguments: [draft.key]) else {
            throw StoreError("the message '\(draft.key)' is not in the database although it was just stored")
        }
        return Stored(room: row[6], message: ChatMessage(row), isNew: isNew)
    }

    /// What `ChatMessage(_: Row)` reads, and where it is found.
    static let columns = "messages.id, rooms.name, messages.name, messages.text, messages.at, messages.key"
    static let source = "FROM messages JOIN rooms ON rooms.id = messages.roomID"
}

extension ChatMessage {
    /// Reads a row of `MessageStore.columns`.
    init(_ row: Row) {
        self.init(id: row[0], room: row[1], name: row[2], text: row[3], at: row[4], key: row[5])
    }
}
