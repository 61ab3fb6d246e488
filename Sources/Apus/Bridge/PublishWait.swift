import CApus
import Synchronization

/// Owns an `apus_publish_wait`: one task's turn to publish. Used by one task, and kept while it waits.
package final class PublishWait: Sendable {
    nonisolated(unsafe) let pointer: UnsafeMutablePointer<apus_publish_wait>
    private let state = Mutex(State())

    private struct State {
        var continuation: UnsafeContinuation<Void, Never>?
        var isCancelled = false

        mutating func takeContinuation() -> UnsafeContinuation<Void, Never>? {
            defer { continuation = nil }
            return continuation
        }
    }

    package init() {
        pointer = .allocate(capacity: 1)
        apus_publish_wait_init(pointer, PublishWait.resume, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { pointer.deallocate() }

    /// Suspends until it is worth trying again to publish on the topic. `apus_topic_wait`
    ///
    /// - Throws: ``WebSocketError`` with the code `cancelled`.
    package func waitForRoom(on topic: Topic, for publication: Publication) async throws(WebSocketError) {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { begin($0, topic, publication) }
        } onCancel: {
            cancel()
        }
        guard state.withLock({ !$0.isCancelled }) else {
            // Where it has been called already, others wait for the room that it does not use.
            giveUp()
            throw WebSocketError(.cancelled, "the task was cancelled while it waited to publish")
        }
    }

    /// Ends the task's turn: if it has been called and has not published where it waited, others may use the room. For
    /// a task that may end its turn in another way.
    package func giveUp() { _ = apus_publish_wait_cancel(pointer) }

    private func begin(
        _ continuation: UnsafeContinuation<Void, Never>, _ topic: Topic, _ publication: Publication
    ) {
        let isWaiting = state.withLock { state in
            if state.isCancelled { return false }
            // The call may come before this has returned, and then waits for the lock.
            state.continuation = continuation
            if apus_topic_wait(topic.handle.pointer, publication.pointer, pointer) { return true }
            state.continuation = nil
            return false
        }
        if !isWaiting { continuation.resume() }
    }

    private func cancel() {
        let continuation = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            state.isCancelled = true
            guard state.continuation != nil, apus_publish_wait_cancel(pointer) else { return nil }
            return state.takeContinuation()
        }
        continuation?.resume()
    }

    private static let resume: apus_call_cb = { argument in
        guard let argument else { return }
        // The task keeps it until it has been resumed.
        Unmanaged<PublishWait>.fromOpaque(argument)._withUnsafeGuaranteedRef { wait in
            wait.state.withLock { $0.takeContinuation() }?.resume()
        }
    }
}
