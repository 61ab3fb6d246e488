import Foundation
import GRDB

/// Why the database cannot be used, and what to do.
struct StoreError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension MessageStore {
    /// "APUS" in ASCII, the database's `application_id`: by it the chat knows its own.
    private static let applicationID: Int32 = 0x4150_5553

    static func open(_ path: String, busyTimeout: Double) throws(StoreError) -> DatabasePool {
        do {
            try refuseForeign(path)
            var configuration = Configuration()
            configuration.busyMode = .timeout(busyTimeout)
            let pool = try DatabasePool(path: path, configuration: configuration)
            // A pool sets NORMAL when it opens, which after a power failure may have lost the last transactions.
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
            if try pool.read(migrator.hasBeenSuperseded) {
                throw StoreError(
                    "the database '\(path)' was written by a newer version of the chat; update the chat, "
                        + "or name another file with --database")
            }
            try migrator.migrate(pool)
            return pool
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError {
            throw explain(error, path)
        } catch {
            throw StoreError("cannot open the database '\(path)': \(error)")
        }
    }

    /// Opens the connection of searches, which only reads; the pool is open already.
    static func openForSearches(_ path: String) throws(StoreError) -> DatabaseQueue {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            return try DatabaseQueue(path: path, configuration: configuration)
        } catch let error as DatabaseError {
            throw explain(error, path)
        } catch {
            throw StoreError("cannot open the database '\(path)': \(error)")
        }
    }

    /// SQLite calls a folder a disk I/O error.
    static func refuseFolder(_ path: String) throws(StoreError) {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw StoreError("the database '\(path)' is a folder; name a file with --database")
        }
    }

    /// Looks before anything is written: another program's database is left as it is.
    private static func refuseForeign(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        var configuration = Configuration()
        configuration.readonly = true
        let isForeign = try DatabaseQueue(path: path, configuration: configuration).read { db in
            let id = try Int32.fetchOne(db, sql: "PRAGMA application_id")
            let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
            return id != applicationID && tables != 0
        }
        if isForeign {
            throw StoreError("'\(path)' is the database of another program; name another file with --database")
        }
    }

    private static func explain(_ error: DatabaseError, _ path: String) -> StoreError {
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            StoreError(
                "'\(path)' is no database or is damaged; move it away or restore a copy, "
                    + "or name another file with --database")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY:
            unwritable(path)
        case .SQLITE_FULL:
            StoreError("the disk that holds the database '\(path)' is full; make room on it")
        default:
            StoreError("cannot open the database '\(path)': \(error.message ?? "SQLite error") (\(error.resultCode))")
        }
    }

    static func unwritable(_ path: String) -> StoreError {
        StoreError(
            "cannot write the database '\(path)'; make sure that its folder exists and that you may write there, "
                + "or name another file with --database")
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: rooms and messages") { db in
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: roomsAndMessages)
        }
        return migrator
    }
}

// AUTOINCREMENT, because a plain rowid may be used again after the newest row was deleted. The index keeps no text
// of its own; what changes messages has to tell it, and the chat only adds.
private let roomsAndMessages = """
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        roomID INTEGER NOT NULL REFERENCES rooms,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        key TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE INDEX messagesOfRoom ON messages (roomID, id);
    CREATE VIRTUAL TABLE messageIndex USING fts5(text, content='messages', content_rowid='id', tokenize='trigram');
    CREATE TRIGGER indexMessage AFTER INSERT ON messages BEGIN
        INSERT INTO messageIndex (rowid, text) VALUES (new.id, new.text);
    END;
    """
