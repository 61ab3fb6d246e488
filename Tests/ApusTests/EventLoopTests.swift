@testable import Apus
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct EventLoopTests {
    @Test func `a task with the preference runs on the loop's thread, and so do its children`() async throws {
        let loop = try EventLoop(name: "one")
        let other = try EventLoop(name: "two")
        #expect(!loop.isCurrent)
        let results = await Task(executorPreference: loop) {
            async let child = loop.isCurrent
            await Task.yield()
            let elsewhere = await Task(executorPreference: other) { other.isCurrent && !loop.isCurrent }.value
            let isCommon = await Task.detached { !loop.isCurrent && !other.isCurrent }.value
            return [loop.isCurrent, await child, elsewhere, isCommon, loop.isCurrent]
        }.value
        #expect(results == [true, true, true, true, true])
    }

    @Test func `the thread has the loop's name, cut at 15 characters`() async throws {
        let loop = try EventLoop(name: "a name that is too long")
        let name = try await Task(executorPreference: loop) {
            String(decoding: try FileSystem.contents(of: "/proc/thread-self/comm"), as: UTF8.self)
        }.value
        #expect(name == "a name that is \n")
    }

    @Test func `a sleep ends on the loop's thread`() async throws {
        let loop = try EventLoop()
        let isCurrent = try await Task(executorPreference: loop) {
            try await Task.sleep(for: .milliseconds(1))
            return loop.isCurrent
        }.value
        #expect(isCurrent)
    }

    @Test func `what one thread posts runs in its order`() async throws {
        let loop = try EventLoop()
        let count = 20_000
        let numbers = Log<Int>()
        await withTaskGroup(of: Void.self) { group in
            for poster in 0..<4 {
                group.addTask {
                    for number in 0..<count {
                        loop.post { numbers.append(poster * count + number) }
                    }
                    // The last call of this thread: all before it have run.
                    await loop.run {}
                }
            }
        }
        let all = numbers.all
        #expect(all.count == 4 * count)
        for poster in 0..<4 {
            let own = all.filter { $0 / count == poster }
            #expect(own == Array(poster * count..<(poster + 1) * count))
        }
    }

    @Test func `on the loop itself a run is done at once, and a post later`() async throws {
        let loop = try EventLoop()
        let events = Log<String>()
        await Task(executorPreference: loop) {
            loop.post { events.append("posted") }
            await loop.run { events.append("run") }
            events.append("after")
        }.value
        await loop.run {}
        #expect(events.all == ["run", "after", "posted"])
    }

    @Test func `very many tasks at once all run`() async throws {
        let loop = try EventLoop()
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 1...10_000 {
                group.addTask(executorPreference: loop) {
                    await Task.yield()
                    return loop.isCurrent ? number : 0
                }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 50_005_000)
    }

    @Test func `a task that only yields starves no connection of its loop`() async throws {
        try await withServer(
            .with { $0.threads = 1 },
            handler: { socket in
                let busy = Task(executorPreference: socket.eventLoop) { while !Task.isCancelled { await Task.yield() } }
                defer { busy.cancel() }
                try await echo(socket)
            }
        ) { _, port in
            let texts = try await onThread {
                let first = try Client.webSocket(port: port)
                let second = try Client.webSocket(port: port)
                return try (0..<50).flatMap { number in
                    try first.send(.text("\(number)"))
                    try second.send(.text("\(number)"))
                    return [try second.readText(), try first.readText()]
                }
            }
            #expect(texts == (0..<100).map { "\($0 / 2)" })
        }
    }

    /// Lives on a loop.
    private actor Resident {
        private let loop: EventLoop
        private(set) var numbers: [Int] = []

        init(on loop: EventLoop) { self.loop = loop }

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

        func add(_ number: Int) {
            #expect(loop.isCurrent)
            numbers.append(number)
        }

        nonisolated func addAssumingIsolation(_ number: Int) {
            assumeIsolated { $0.add(number) }
        }

        func addSlowly(_ number: Int) async {
            add(number)
            await Task.yield()
            add(number)
        }
    }

    @Test func `an actor lives on the loop's thread`() async throws {
        let loop = try EventLoop()
        let resident = Resident(on: loop)
        for number in 0..<100 { await resident.add(number) }
        #expect(await resident.numbers == Array(0..<100))
        await withTaskGroup(of: Void.self) { group in
            for number in 100..<200 { group.addTask { await resident.addSlowly(number) } }
        }
        #expect(await resident.numbers.count == 300)
    }

    @Test func `on the loop an actor of it can be told so`() async throws {
        let loop = try EventLoop()
        let resident = Resident(on: loop)
        await loop.run { resident.addAssumingIsolation(1) }
        await Task(executorPreference: loop) { resident.addAssumingIsolation(2) }.value
        #expect(await resident.numbers == [1, 2])
    }

    @Test func `elsewhere that is a mistake which ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop()
            let resident = Resident(on: loop)
            resident.addAssumingIsolation(1)
        }
    }

    @Test func `an actor of a connection's loop talks to it without a hop`() async throws {
        let first = Box<Bool>()
        try await withServer { socket in
            let resident = Resident(on: socket.eventLoop)
            for try await message in socket {
                await resident.add(1)
                first.put(socket.eventLoop.isCurrent)
                try await socket.send(message)
            }
        } body: { _, port in
            try await expectEcho(port: port)
            #expect(await first.take() == true)
        }
    }

    @Test func `a loop ends with the last one who knows it, be it a task of its own`() async throws {
        weak var loop: EventLoop?
        let ended = Box<Void>()
        for _ in 1...20 {
            do {
                let strong = try EventLoop()
                loop = strong
                Task(executorPreference: strong) {
                    await Task.yield()
                    #expect(strong.isCurrent)
                    ended.put(())
                }
            }
            _ = await ended.take()
            try await until { loop == nil }
        }
    }

    @Test func `what was posted before a loop ends still runs`() async throws {
        let numbers = Log<Int>()
        do {
            let loop = try EventLoop()
            for number in 0..<1000 { loop.post { numbers.append(number) } }
        }
        try await until { numbers.all.count == 1000 }
    }
}
