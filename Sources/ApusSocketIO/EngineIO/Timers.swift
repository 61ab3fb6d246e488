import Apus
import Synchronization

/// Calls of later: one task that sleeps until the next of them, however many there are.
final class Timers: Sendable {
    typealias Instant = ContinuousClock.Instant

    fileprivate struct Entry {
        let due: Instant
        let body: @Sendable () -> Void
    }

    private struct State {
        /// A binary heap: each entry is due no later than the two below it.
        var heap: [Entry] = []
        var sleeper: Task<Void, Never>?
        var wakes: Instant?
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Where the calls are made.
    private let loop: EventLoop

    init(loop: EventLoop) { self.loop = loop }

    /// Calls `body`, on the loop, once it is due; never before.
    func schedule(at due: Instant, _ body: @escaping @Sendable () -> Void) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.heap.push(Entry(due: due, body: body))
            if let wakes = state.wakes, wakes <= due { return }
            sleep(until: due, &state)
        }
    }

    /// Forgets all calls, and takes no more.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.heap = []
            state.sleeper?.cancel()
            state.sleeper = nil
        }
    }

    private func sleep(until due: Instant, _ state: inout State) {
        state.sleeper?.cancel()
        state.wakes = due
        state.sleeper = Task(executorPreference: loop) { [self] in
            do { try await Task.sleep(until: due, tolerance: .zero, clock: .continuous) } catch { return }
            wake(at: due)
        }
    }

    private func wake(at due: Instant) {
        let now = ContinuousClock.now
        let entries = state.withLock { state -> [Entry] in
            // Another sleeper has taken over where this one was cancelled too late.
            guard state.wakes == due else { return [] }
            state.wakes = nil
            var entries: [Entry] = []
            while let next = state.heap.first, next.due <= now {
                entries.append(next)
                state.heap.pop()
            }
            if let next = state.heap.first { sleep(until: next.due, &state) }
            return entries
        }
        for entry in entries { entry.body() }
    }
}

extension [Timers.Entry] {
    fileprivate mutating func push(_ entry: Element) {
        append(entry)
        var index = count - 1
        while index > 0, self[index].due < self[(index - 1) / 2].due {
            swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    fileprivate mutating func pop() {
        swapAt(0, count - 1)
        removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < count && self[child].due < self[least].due {
                least = child
            }
            guard least != index else { return }
            swapAt(index, least)
            index = least
        }
    }
}
