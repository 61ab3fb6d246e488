import Apus
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What `--mode burst` does for a peer that asks for it in a text message, to measure how publishing holds back:
///
/// - `join`: subscribes.
/// - `burst COUNT SIZE`: publishes on the connection's event loop, all in one go.
/// - `flood SECONDS SIZE`: publishes from a task that is on no event loop, as fast as it can.
/// - `duel SECONDS SIZE`: the same from a task on each event loop at once.
///
/// Each but the first is answered with what it took, as JSON. The server's counters are part of it.
struct Burst: Sendable {
    let server: WebSocketServer
    let topic: Topic

    private var loops: [EventLoop] { server.loops }

    func serve(_ socket: WebSocket) async throws {
        for try await message in socket {
            guard case .text(let text) = message else { continue }
            let words = text.split(separator: " ")
            let numbers = words.dropFirst().compactMap { Int($0) }
            switch (words.first, numbers.count) {
            case ("join", 0):
                try await socket.subscribe(to: topic)
                try await socket.send("joined")
            case ("burst", 2):
                try await socket.send(
                    await measure { try await publish(numbers[0], bytes: numbers[1]) })
            case ("flood", 2):
                try await socket.send(
                    await measure {
                        try await Task(executorPreference: globalConcurrentExecutor) {
                            try await publish(for: .seconds(numbers[0]), bytes: numbers[1])
                        }.value
                    })
            case ("duel", 2):
                try await socket.send(
                    await measure { try await duel(for: .seconds(numbers[0]), bytes: numbers[1]) })
            default: try await socket.send("what?")
            }
        }
    }

    private func publish(_ count: Int, bytes: Int) async throws -> Int {
        let message = [UInt8](repeating: 0x61, count: bytes)
        for _ in 0..<count { try await topic.publish(message) }
        return count
    }

    private func publish(for duration: Duration, bytes: Int) async throws -> Int {
        let message = [UInt8](repeating: 0x61, count: bytes)
        let end = ContinuousClock.now + duration
        var count = 0
        while ContinuousClock.now < end {
            for _ in 0..<64 { try await topic.publish(message) }
            count += 64
        }
        return count
    }

    private func duel(for duration: Duration, bytes: Int) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for loop in loops {
                group.addTask(executorPreference: loop) { try await publish(for: duration, bytes: bytes) }
            }
            return try await group.reduce(0, +)
        }
    }

    /// Runs `body`, which says how many messages it has published.
    private func measure(_ body: () async throws -> Int) async throws -> String {
        let watches = loops.map(TurnWatch.init)
        let start = ContinuousClock.now
        let count = try await body()
        let time = ContinuousClock.now - start
        let turns = watches.map { $0.stop() }
        let longest = turns.map(\.wall).max() ?? .zero
        let busiest = turns.map(\.processor).max() ?? .zero
        let statistics = server.statistics
        return """
            {"published": \(count), "seconds": \(time / .seconds(1)), "longestTurn": \(longest / .seconds(1)), \
            "busiestTurn": \(busiest / .seconds(1)), \
            "refused": \(statistics.publicationsRefused), "delayed": \(statistics.publicationsDelayed), \
            "sent": \(statistics.messagesSent), "dropped": \(statistics.messagesDropped), \
            "evicted": \(statistics.slowConsumersClosed)}
            """
    }
}

/// Measures the turns of an event loop, which is kept turning meanwhile: how long each took, and how much of that its
/// thread had a processor, which others on the machine, or its host, may have meanwhile.
private final class TurnWatch: Sendable {
    private let loop: EventLoop
    private let state = Mutex(State())

    struct Turn {
        var wall = Duration.zero
        var processor = Duration.zero
    }

    private struct State {
        var last: (wall: ContinuousClock.Instant, processor: Duration)?
        var longest = Turn()
        var isOver = false
    }

    init(_ loop: EventLoop) {
        self.loop = loop
        watch()
    }

    private func watch() {
        loop.post {
            let isOver = self.state.withLock { state in
                let now = (wall: ContinuousClock.now, processor: Self.processorTime())
                if let last = state.last {
                    state.longest.wall = max(state.longest.wall, now.wall - last.wall)
                    state.longest.processor = max(state.longest.processor, now.processor - last.processor)
                }
                state.last = now
                return state.isOver
            }
            if !isOver { self.watch() }
        }
    }

    /// Of the thread that calls this.
    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// The longest, and the one that took the most processor time.
    func stop() -> Turn {
        state.withLock { state in
            state.isOver = true
            return state.longest
        }
    }
}
