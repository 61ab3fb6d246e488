import Synchronization

/// Which rooms have changed since their members were last told, so that many changes are told together.
final class RoomChanges: Sendable {
    private struct State {
        /// In the order in which they changed.
        var order: [Int64] = []
        var rooms: Set<Int64> = []
    }

    private let state = Mutex(State())
    private let signal: AsyncStream<Void>.Continuation

    /// Yields once for any number of changes since it last yielded.
    let signals: AsyncStream<Void>

    init() {
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Notes that who is in a room has changed, or the room itself is new or gone.
    func note(room: Int64) {
        state.withLock { state in
            if state.rooms.insert(room).inserted { state.order.append(room) }
        }
        signal.yield()
    }

    /// Lets `signals` yield once more, without a change.
    func remind() { signal.yield() }

    /// Takes the first ones that were noted; `signals` yields again if there are more.
    func take(most: Int = .max) -> [Int64] {
        let (taken, hasMore) = state.withLock { state in
            let taken = Array(state.order.prefix(most))
            state.order.removeFirst(taken.count)
            state.rooms.subtract(taken)
            return (taken, !state.order.isEmpty)
        }
        if hasMore { signal.yield() }
        return taken
    }
}
