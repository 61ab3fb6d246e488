import Synchronization

/// A queue between many tasks that put in and one task that takes out everything at once.
///
/// What was put in first is taken out first, whichever threads put it in: the order is that of the lock. Taking all
/// at once is what makes work under load cheap, such as a transaction or a flush.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var waiting: [Element] = []
        /// The cost of what waits.
        var cost = 0
        var isClosed = false
        var reader: CheckedContinuation<Void, Never>?
        /// Tasks that wait until the cost is within the capacity.
        var writers: [CheckedContinuation<Void, Never>] = []
    }

    private let capacity: Int
    private let limit: Int
    private let cost: @Sendable (Element) -> Int
    private let onOverflow: @Sendable () -> Void
    private let state = Mutex(State())

    /// Creates a mailbox.
    ///
    /// - Parameters:
    ///   - capacity: the cost above which `put` waits.
    ///   - limit: the cost above which the mailbox drops everything and closes.
    ///   - cost: the cost of one element; by default 1.
    ///   - onOverflow: called once if the limit is passed, by the caller that passed it.
    init(
        capacity: Int,
        limit: Int = .max,
        cost: @escaping @Sendable (Element) -> Int = { _ in 1 },
        onOverflow: @escaping @Sendable () -> Void = {}
    ) {
        self.capacity = capacity
        self.limit = limit
        self.cost = cost
        self.onOverflow = onOverflow
    }

    /// Puts an element in, without waiting; a closed mailbox drops it.
    func post(_ element: Element) {
        let cost = cost(element)
        let (awakened, overflows) = state.withLock { state in
            guard !state.isClosed else { return (Awakened(), false) }
            state.waiting.append(element)
            state.cost += cost
            guard state.cost > limit else { return (Awakened(reader: state.reader.take()), false) }
            state.waiting = []
            state.cost = 0
            return (close(&state), true)
        }
        awakened.resume()
        if overflows { onOverflow() }
    }

    /// Puts an element in and, where the mailbox then holds more than its capacity, waits until it is taken out.
    ///
    /// Returns whether the mailbox is still open.
    @discardableResult
    func put(_ element: Element) async -> Bool {
        post(element)
        return await hasRoom()
    }

    /// Waits while the mailbox holds more than its capacity; returns whether it is still open.
    @discardableResult
    func hasRoom() async -> Bool {
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                guard !state.isClosed, state.cost > capacity else { return false }
                state.writers.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
        return state.withLock { !$0.isClosed }
    }

    /// Takes out what there is, and waits while there is nothing; nil once the mailbox is closed and empty.
    ///
    /// For one task at a time. When that task is cancelled the mailbox closes.
    ///
    /// - Parameter most: the cost at which to stop, after at least one element; by default everything is taken.
    func next(most: Int = .max) async -> [Element]? {
        while true {
            let (elements, writers) = state.withLock { state in
                let elements = takeOut(&state, most: most)
                return (elements, state.cost <= capacity ? take(&state.writers) : [])
            }
            writers.forEach { $0.resume() }
            if !elements.isEmpty { return elements }
            if state.withLock({ $0.isClosed && $0.waiting.isEmpty }) { return nil }
            await wait()
        }
    }

    private func takeOut(_ state: inout State, most: Int) -> [Element] {
        if state.cost <= most {
            state.cost = 0
            return take(&state.waiting)
        }
        var (count, taken) = (0, 0)
        while count < state.waiting.count, count == 0 || taken < most {
            taken += cost(state.waiting[count])
            count += 1
        }
        defer { state.waiting.removeFirst(count) }
        state.cost -= taken
        return Array(state.waiting[..<count])
    }

    /// Lets nobody put in any more; what is in can still be taken out.
    func close() {
        state.withLock { state in close(&state) }.resume()
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard state.waiting.isEmpty, !state.isClosed else { return false }
                    state.reader = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            close()
        }
    }

    private func close(_ state: inout State) -> Awakened {
        state.isClosed = true
        return Awakened(reader: state.reader.take(), writers: take(&state.writers))
    }

    /// Who is to be resumed once the lock is free.
    private struct Awakened {
        var reader: CheckedContinuation<Void, Never>?
        var writers: [CheckedContinuation<Void, Never>] = []

        func resume() {
            reader?.resume()
            writers.forEach { $0.resume() }
        }
    }
}

/// Leaves an empty array behind.
private func take<Element>(_ array: inout [Element]) -> [Element] {
    var taken: [Element] = []
    swap(&taken, &array)
    return taken
}
