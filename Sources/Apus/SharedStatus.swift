import Synchronization

/// What tasks on other threads may know of a connection without asking its loop.
///
/// Written by the loop's thread only when something turns, so that the way of a message does not touch it.
struct SharedStatus: ~Copyable, Sendable {
    private let ended = Mutex<Ending?>(nil)
    private let full = Atomic(false)
    /// Bytes that other threads have handed over and the loop has not taken yet.
    private let posted = Atomic(0)

    /// How much may be on its way to the loop before a sender who cannot wait is told that it is full.
    private static let mostPostedBytes = 1 << 20

    /// How the connection ended, once it has.
    var ending: Ending? { ended.withLock { $0 } }

    func set(_ ending: Ending) { ended.withLock { $0 = ending } }

    /// Whether the outbound queue was full when somebody last looked, and has not drained since.
    var isFull: Bool { full.load(ordering: .relaxed) }

    func setFull(_ isFull: Bool) { full.store(isFull, ordering: .relaxed) }

    /// Takes note of bytes on their way to the loop; `false` where too many are already.
    func admitPost(of bytes: Int) -> Bool {
        let before = posted.add(bytes, ordering: .relaxed).oldValue
        guard before > 0, before + bytes > Self.mostPostedBytes else { return true }
        completePost(of: bytes)
        return false
    }

    /// The loop has taken them.
    func completePost(of bytes: Int) {
        posted.subtract(bytes, ordering: .relaxed)
    }
}
