import Glibc

/// Holds a thread up, such as that of an event loop, until another one releases it.
public final class Blocker: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    /// Nobody waits yet.
    public init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Returns once another thread has released it.
    public func wait() { while sem_wait(semaphore) != 0 {} }

    /// Lets one who waits, or who will, go on.
    public func release() { sem_post(semaphore) }
}
