import Apus
import ApusTesting
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .withPeers, .timeLimit(.minutes(5)))
struct DescriptorTests {
    #if os(Linux)
        private static func descriptorCount() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        }

        @Test func `a thousand pairs that are open at once have no descriptors`() async {
            // A process of its own: the descriptors are the whole process's.
            await #expect(processExitsWith: .success) {
                let before = try Self.descriptorCount()
                let open = Counter()
                let areOpen = AsyncStream<Void>.makeStream()
                let mayEnd = Gate()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<1000 {
                        group.addTask {
                            try await withWebSocketPair(server: echo) { socket in
                                try await socket.send("hello")
                                var messages = socket.makeAsyncIterator()
                                try #require(try await messages.next() == "hello")
                                if open.increase() == 1000 { areOpen.continuation.finish() }
                                await mayEnd.pass()
                            }
                        }
                    }
                    for await _ in areOpen.stream {}
                    // Loops and timers have some; the pairs have none.
                    try #require(try Self.descriptorCount() < before + 50)
                    mayEnd.open()
                    try await group.waitForAll()
                }
            }
        }
    #endif

    @Test func `a thousand pairs in a row work`() async throws {
        for number in 0..<1000 {
            try await withWebSocketPair(server: echo) { socket in
                try await socket.send("\(number)")
                var messages = socket.makeAsyncIterator()
                #expect(try await messages.next() == .text("\(number)"))
            }
        }
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)

    func increase() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}

/// Lets all pass once it is open.
private final class Gate: Sendable {
    private let waiters = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiters.withLock { waiters in
                if !waiters.isOpen { waiters.waiting.append(continuation) }
                return waiters.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = waiters.withLock { waiters in
            waiters.isOpen = true
            defer { waiters.waiting = [] }
            return waiters.waiting
        }
        for waiter in waiting { waiter.resume() }
    }
}
