import Foundation

/// Keeps a second server away from a database.
///
/// SQLite itself would let two processes write. But each publishes only what it has stored itself, so people on one
/// server would not see what people on the other write until they joined anew.
final class DatabaseLock: Sendable {
    private let descriptor: Int32

    /// Locks the database at `path`, by a file beside it.
    ///
    /// The lock ends with the process, however that ends.
    init(path: String) throws(StoreError) {
        // Not the database itself: closing any descriptor of that file would drop SQLite's own locks.
        descriptor = open(path + "-lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw MessageStore.unwritable(path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StoreError(
                "another chat server is using the database '\(path)'; stop it, or name another file with --database")
        }
    }

    deinit { close(descriptor) }
}
