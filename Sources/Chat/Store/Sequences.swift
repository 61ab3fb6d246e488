import GRDB
import Synchronization

/// Keeps ids ascending, and notices what happens to the database behind our back.
///
/// An operator may restore an older copy into the file while the chat runs. Its counters of ids stand lower, and ids
/// that clients have seen would be given out again, for other messages.
final class Sequences: Sendable {
    enum Table: String, CaseIterable {
        case rooms, messages
    }

    private struct State {
        var greatest: [Table: Int64] = [:]
        var version: Int64?
    }

    private let state = Mutex(State())

    /// Notes an id that was given out.
    func note(_ table: Table, _ id: Int64) {
        state.withLock { state in state.greatest[table] = max(id, state.greatest[table] ?? 0) }
    }

    /// Makes the next id greater than all that were noted.
    func raise(_ table: Table, _ db: Database) throws {
        guard let greatest = state.withLock({ $0.greatest[table] }) else { return }
        let name = table.rawValue
        let stored = try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [name])
        guard (stored ?? 0) < greatest else { return }
        try db.execute(sql: "DELETE FROM sqlite_sequence WHERE name = ?", arguments: [name])
        try db.execute(sql: "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", arguments: [name, greatest])
    }

    /// Whether another connection has changed the database since this was last asked; for the writer's connection.
    func isChangedFromOutside(_ db: Database) throws -> Bool {
        let version = try Int64.fetchOne(db, sql: "PRAGMA data_version")
        return state.withLock { state in
            defer { state.version = version }
            return state.version != nil && state.version != version
        }
    }
}
