import Synchronization

/// One task's wait for something on the loop, as its cancellation knows it.
///
/// A cancellation comes from any thread, perhaps before the loop has heard of the wait, and must end no wait but its
/// own.
final class Wait: Sendable {
    private let cancelled = Atomic(false)

    /// Whether the task was cancelled before the loop heard of its wait.
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// To be followed by a call to the loop, which ends the wait where the loop knows of it already.
    func cancel() { cancelled.store(true, ordering: .relaxed) }
}
