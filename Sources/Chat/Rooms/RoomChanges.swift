import Synchronization

/// Which rooms have changed since their members were last told, so that many changes are told together.
final class RoomChanges: Sendable {
    private let rooms = Mutex<Set<Int64>>([])
    private let signal: AsyncStream<Void>.Continuation

    /// Yields once for any number of changes since it last yielded.
    let signals: AsyncStream<Void>

    init() {
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Notes that who is in a room has changed, or the room itself is new.
    func note(room: Int64) {
        rooms.withLock { rooms in _ = rooms.insert(room) }
        signal.yield()
    }

    /// Takes all that were noted.
    func take() -> Set<Int64> {
        rooms.withLock { rooms in
            defer { rooms = [] }
            return rooms
        }
    }
}
