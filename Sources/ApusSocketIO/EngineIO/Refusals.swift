import Synchronization

/// Counts what is refused, or ended, because of a limit.
package final class Refusals: Sendable {
    private let counts = Mutex(Counts())

    /// The counts, which only grow.
    package struct Counts: Hashable, Sendable {
        package var sessions = 0
        package var namespaces = 0
        package var names = 0
        package var packets = 0
        package var overruns = 0
        package var recoveries = 0
    }

    package var all: Counts { counts.withLock { $0 } }

    /// Counts one more.
    func count(_ kind: WritableKeyPath<Counts, Int> & Sendable) { counts.withLock { $0[keyPath: kind] += 1 } }
}
