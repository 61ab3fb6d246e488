import Foundation

/// Keeps a second server away from a database.
///
/// SQLite itself would let two processes write. But each publishes only what it has stored itself, so people on one
/// server would not see what people on the other write until they joined again.
final class DatabaseLock: Sendable {
    private let descriptors: [Int32]

    /// Locks the database at `path`, whatever other names lead to the same file; makes an empty one if there is none.
    ///
    /// The lock ends with the process, however that ends. It has to be released after the database is closed.
    init(path: String) throws(StoreError) {
        var descriptors: [Int32] = []
        do {
            // By `flock` on the file itself: SQLite's own locks are of another kind (fcntl), which do not see it. But
            // closing a descriptor of the file drops those, hence the order of closing.
            let database = try Self.open(path, path)
            descriptors.append(database)
            try Self.refuseManyNames(of: database, path)
            #if os(Linux)
                try Self.lock(database, path)
            #endif
            // And on a file beside it, as earlier versions of the chat do, and for systems where both kinds are one.
            descriptors.append(try Self.open(try Self.resolved(path) + "-lock", path))
            try Self.lock(descriptors[1], path)
        } catch {
            descriptors.forEach { close($0) }
            throw error
        }
        self.descriptors = descriptors
    }

    deinit { descriptors.forEach { close($0) } }

    private static func open(_ file: String, _ path: String) throws(StoreError) -> Int32 {
        let descriptor = Foundation.open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw MessageStore.unwritable(path) }
        return descriptor
    }

    /// SQLite names its journal after the database, so by another name it would not find it, and damage the file.
    private static func refuseManyNames(of descriptor: Int32, _ path: String) throws(StoreError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw MessageStore.unwritable(path) }
        guard status.st_nlink <= 1 else {
            throw StoreError(
                "the database '\(path)' has several names (hard links), under which SQLite would damage it; "
                    + "remove all but one, or name another file with --database")
        }
    }

    private static func resolved(_ path: String) throws(StoreError) -> String {
        guard let resolved = realpath(path, nil) else { throw MessageStore.unwritable(path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func lock(_ descriptor: Int32, _ path: String) throws(StoreError) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StoreError(
                "another chat server is using the database '\(path)'; stop it, or name another file with --database")
        }
    }
}
