import Synchronization

/// Values from the loop's thread for a thread that polls.
final class Box<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    func put(_ value: Value) { values.withLock { $0.append(value) } }

    func take() -> Value? { values.withLock { $0.popLast() } }

    var all: [Value] { values.withLock { $0 } }
}
