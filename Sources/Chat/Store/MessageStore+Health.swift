import Foundation
import GRDB
import Synchronization

/// Whether the last write succeeded.
final class WriteHealth: Sendable {
    private let failure = Mutex<String?>(nil)

    /// Why the last write failed; nil where it succeeded.
    var reason: String? { failure.withLock(\.self) }

    func succeeded() { failure.withLock { $0 = nil } }

    func failed(_ error: any Error) {
        guard let error = error as? DatabaseError else { return }  // ours, or cancelled: the database is not to blame
        let reason =
            switch error.resultCode {
            case .SQLITE_FULL: "the disk is full"
            case .SQLITE_BUSY, .SQLITE_LOCKED: "another program keeps the database locked"
            case .SQLITE_READONLY, .SQLITE_PERM: "the database cannot be written"
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: "the database is damaged"
            case .SQLITE_IOERR, .SQLITE_CANTOPEN: "the disk fails"
            default: "the database fails (SQLite error \(error.resultCode.rawValue))"
            }
        failure.withLock { $0 = reason }
    }
}

extension MessageStore {
    /// Throws `StoreError`, with the reason in words, where messages cannot be read or stored.
    ///
    /// After a write has failed it tries one more, so that a server to which nobody writes becomes healthy again.
    func check() async throws {
        do {
            try await pool.read { db in _ = try Int64.fetchOne(db, sql: "SELECT max(id) FROM messages") }
        } catch let error as DatabaseError {
            throw StoreError("the database does not answer (SQLite error \(error.resultCode.rawValue))")
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError("the database has been deleted under the running server; restart it")
        }
        if writes.reason == nil { return }
        do {
            // Touches no message: what is written is there already.
            try await pool.write { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                try db.execute(sql: "PRAGMA user_version = \(version)")
            }
            writes.succeeded()
        } catch {
            writes.failed(error)
            throw StoreError("messages cannot be stored: \(writes.reason ?? "\(error)")")
        }
    }
}
