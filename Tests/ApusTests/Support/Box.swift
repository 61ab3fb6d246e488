import Synchronization

/// Values on their way from one task to another, in order.
final class Box<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func put(_ value: Value) { continuation.yield(value) }

    /// Nothing more will come.
    func close() { continuation.finish() }

    /// The next value, for which it waits; `nil` once there will be none.
    func take() async -> Value? {
        for await value in stream { return value }
        return nil
    }

    /// The next `count` values.
    func take(_ count: Int) async -> [Value] {
        var values: [Value] = []
        while values.count < count, let value = await take() { values.append(value) }
        return values
    }
}

/// Values that several threads put down, in the order in which they came.
final class Log<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    func append(_ value: Value) { values.withLock { $0.append(value) } }

    var all: [Value] { values.withLock { $0 } }
}

/// Something that has happened, or that others wait for.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Lets all pass who wait, and who will come.
    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the gate is open; unless told otherwise also when the task is cancelled, so that a test that fails
    /// does not hang.
    func pass(evenIfCancelled isStubborn: Bool = false) async {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayPass = state.withLock { state in
                    let mayPass = state.isOpen || (!isStubborn && Task.isCancelled)
                    if !mayPass { state.waiters[number] = continuation }
                    return mayPass
                }
                if mayPass { continuation.resume() }
            }
        } onCancel: {
            if isStubborn { return }
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }
}
