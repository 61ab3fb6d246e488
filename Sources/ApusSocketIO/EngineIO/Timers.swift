import Apus
import Synchronization

/// Calls of later: one task that sleeps until the next of them, however many there are.
final class Timers: Sendable {
    typealias Instant = ContinuousClock.Instant

    fileprivate struct Entry: Sendable {
        let due: Instant
        let owner: Owner?
        let body: @Sendable () -> Void

        /// Whether the owner of the call is gone.
        var isAbandoned: Bool { owner.map { $0.object == nil } ?? false }
    }

    /// The owner of a call.
    fileprivate struct Owner: Sendable { weak var object: (any AnyObject & Sendable)? }

    private struct State {
        /// A binary heap: each entry is due no later than the two below it.
        var heap: [Entry] = []
        /// How many entries there may be before those are looked for whose owners are gone.
        var sweepsAbove = Timers.minSweep
        var sleeper: Task<Void, Never>?
        var wakes: Instant?
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Where the calls are made.
    private let loop: EventLoop

    init(loop: EventLoop) { self.loop = loop }

    private static let minSweep = 1024
    /// The longest sleep. For a call that is due later several follow one another: the runtime traps at a time that its
    /// clock cannot say.
    private static let longestSleep = Duration.seconds(86_400)

    /// How many calls are scheduled, those included whose owners are gone and that were not looked for yet.
    var count: Int { state.withLock { $0.heap.count } }

    /// Calls `body`, on the loop, once it is due; never before.
    ///
    /// - Parameter owner: what the call is for. When it is gone, so is the call, sooner or later: there are never more
    ///   than twice as many as those with owners, or 1024. So clients that come and go leave nothing behind.
    func schedule(
        at due: Instant, for owner: (any AnyObject & Sendable)? = nil, _ body: @escaping @Sendable () -> Void
    ) {
        state.withLock { state in
            guard !state.isClosed else { return }
            if state.heap.count >= state.sweepsAbove { Self.sweep(&state) }
            state.heap.push(Entry(due: due, owner: owner.map { Owner(object: $0) }, body: body))
            if let wakes = state.wakes, wakes <= due { return }
            sleep(until: due, &state)
        }
    }

    private static func sweep(_ state: inout State) {
        // A sorted array is a heap.
        state.heap = state.heap.filter { !$0.isAbandoned }.sorted { $0.due < $1.due }
        state.sweepsAbove = max(2 * state.heap.count, minSweep)
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
        let due = min(due, .now + Self.longestSleep)
        state.sleeper?.cancel()
        state.wakes = due
        state.sleeper = Task(executorPreference: loop) { [self] in
            do { try await Task.sleep(until: due, tolerance: .zero, clock: .continuous) } catch { return }
            wake(at: due)
        }
    }

    /// Makes the calls that are due, in order; unless another sleeper is to do so than the one until `due`.
    func wake(at due: Instant, now: Instant = .now) {
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
