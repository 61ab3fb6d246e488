import CApus
import CApusCore
import CApusInternals
import Glibc
import Synchronization
import TestSupport
import Testing

/// What a loop's thread has done, in order.
private final class Events: Sendable {
    private let values = Mutex<[Int]>([])

    func append(_ value: Int) { values.withLock { $0.append(value) } }

    var all: [Int] { values.withLock { $0 } }
}

/// A loop whose jobs are numbers.
private final class Loop: @unchecked Sendable {
    let pointer: OpaquePointer
    let events = Events()
    /// What each job does, besides being noted. It is handed the loop: one that kept it would keep itself.
    var onJob: @Sendable (Loop, Int) -> Void = { _, _ in }

    init() throws {
        pointer = try #require(apus_loop_new())
    }

    func start() {
        apus_loop_set_runner(
            pointer,
            { context, job in
                guard let context else { return }
                let loop = Unmanaged<Loop>.fromOpaque(context).takeUnretainedValue()
                #expect(apus_loop_is_current(loop.pointer))
                #expect(apus_loop_running(loop.pointer) == job)
                loop.events.append(Int(bitPattern: job))
                loop.onJob(loop, Int(bitPattern: job))
            }, Unmanaged.passUnretained(self).toOpaque())
        #expect(apus_loop_start(pointer, "test") == 0)
    }

    func enqueue(_ number: Int) {
        guard let job = UnsafeMutableRawPointer(bitPattern: number) else { fatalError("a job is no 0") }
        apus_loop_enqueue(pointer, job)
    }

    func post(_ body: @escaping @Sendable () -> Void) { CApusTests.post(to: pointer, body) }

    /// What `body` gives on the loop's thread.
    func call<T: Sendable>(_ body: @escaping @Sendable () -> T) async throws -> T {
        await withUnsafeContinuation { continuation in post { continuation.resume(returning: body()) } }
    }

    /// Ends the thread, when all that was posted has been done.
    func free() { apus_loop_free(pointer) }
}

/// Something that takes its time on a thread of libuv's, as the resolution of a name may.
private final class Work: Sendable {
    let (hasBegun, mayEnd, hasEnded) = (Blocker(), Blocker(), Blocker())

    /// On the loop.
    func begin(on loop: OpaquePointer) {
        let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let error = uv_queue_work(
            apus__loop_uv(loop), request,
            { request in
                guard let work = Work.of(request) else { return }
                work.hasBegun.release()
                work.mayEnd.wait()
            },
            { request, _ in
                Work.of(request)?.hasEnded.release()
                guard let request, let data = request.pointee.data else { return }
                Unmanaged<Work>.fromOpaque(data).release()
                request.deallocate()
            })
        #expect(error == 0)
    }

    private static func of(_ request: UnsafeMutablePointer<uv_work_t>?) -> Work? {
        request?.pointee.data.map { Unmanaged<Work>.fromOpaque($0).takeUnretainedValue() }
    }
}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct LoopTests {
    @Test func `large blocks that a loop keeps start its clock`() async throws {
        let loop = try Loop()
        loop.start()
        defer { loop.free() }
        let kept = try await loop.call {
            apus_free(apus_malloc(1 << 20))
            return apus_alloc_kept()
        }
        guard kept != 0 else { return }  // a sanitizer watches the heap
        // A turn later the clock runs, which nothing else has started. Where this test was held up, the clock has given
        // the blocks back already. A few calls may fall into one turn.
        var hasStarted = false
        for _ in 0..<100 where !hasStarted {
            hasStarted = try await loop.call { apus__loop_is_ticking(loop.pointer) || apus_alloc_kept() == 0 }
        }
        #expect(hasStarted)
    }

    @Test func `jobs and calls of one thread run in its order, and all before the loop is freed`() async throws {
        let loop = try Loop()
        loop.start()
        try await onThread {
            for number in 1...5000 {
                loop.enqueue(2 * number)
                loop.post { loop.events.append(2 * number + 1) }
            }
            loop.free()
        }
        #expect(loop.events.all == Array(2...10_001))
    }

    @Test func `what comes before the thread starts is done when it does`() throws {
        let loop = try Loop()
        loop.enqueue(1)
        loop.post { loop.events.append(2) }
        loop.start()
        loop.free()
        #expect(loop.events.all == [1, 2])
    }

    @Test func `jobs that jobs enqueue run behind those that wait`() throws {
        let loop = try Loop()
        loop.onJob = { loop, number in if number < 100 { loop.enqueue(number + 100) } }
        for number in 1...50 { loop.enqueue(number) }
        loop.start()
        loop.free()
        #expect(loop.events.all.sorted() == Array(1...50) + Array(101...150))
    }

    @Test func `a job that goes on for ever does not stop calls from coming through`() async throws {
        let loop = try Loop()
        let isOver = Atomic(false)
        try await onThread {
            loop.onJob = { loop, _ in if !isOver.load(ordering: .relaxed) { loop.enqueue(1) } }
            loop.enqueue(1)
            loop.start()
            loop.post { isOver.store(true, ordering: .relaxed) }
            loop.free()
        }
        #expect(loop.events.all.allSatisfy { $0 == 1 })
    }

    @Test func `a call does not overtake a job that came before it, however many jobs wait`() throws {
        let loop = try Loop()
        // More than run in one turn, and in front of the second job.
        loop.onJob = { loop, number in if number == 1 { for more in 100..<5000 { loop.enqueue(more) } } }
        loop.enqueue(1)
        loop.enqueue(2)
        loop.post { loop.events.append(3) }
        loop.enqueue(4)
        loop.start()
        loop.free()
        #expect(loop.events.all.filter { $0 < 100 } == [1, 2, 3, 4])
        #expect(loop.events.all.filter { $0 >= 100 } == Array(100..<5000))
    }

    @Test func `jobs that a turn leaves run in the next one, though nothing else happens`() async throws {
        let loop = try Loop()
        let isDone = Blocker()
        try await onThread {
            loop.onJob = { loop, number in if number < 5000 { loop.enqueue(number + 1) } else { isDone.release() } }
            loop.start()
            loop.enqueue(1)
            isDone.wait()
            loop.free()
        }
        #expect(loop.events.all == Array(1...5000))
    }

    @Test func `many threads may post at once`() async throws {
        let loop = try Loop()
        loop.start()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    try await onThread { for number in 1...2000 { loop.enqueue(thread * 10_000 + number) } }
                }
            }
            try await group.waitForAll()
        }
        loop.free()
        for thread in 0..<4 {
            let own = loop.events.all.filter { $0 / 10_000 == thread }
            #expect(own == (1...2000).map { thread * 10_000 + $0 })
        }
    }

    @Test func `a loop is current on its own thread only, and runs a job only there`() throws {
        let loop = try Loop()
        let other = try Loop()
        loop.start()
        other.start()
        loop.post {
            loop.events.append(apus_loop_is_current(loop.pointer) ? 1 : 0)
            loop.events.append(apus_loop_is_current(other.pointer) ? 1 : 0)
            loop.events.append(apus_loop_running(loop.pointer) == nil ? 1 : 0)
        }
        #expect(!apus_loop_is_current(loop.pointer))
        #expect(apus_loop_running(loop.pointer) == nil)
        loop.free()
        other.free()
        #expect(loop.events.all == [1, 0, 1])
    }

    @Test func `a loop may be freed on its own thread`() async throws {
        for _ in 1...20 {
            let loop = try Loop()
            loop.start()
            let isFreed = Blocker()
            try await onThread {
                loop.post {
                    loop.events.append(1)
                    loop.free()
                    loop.events.append(2)
                    isFreed.release()
                }
                isFreed.wait()
            }
            #expect(loop.events.all == [1, 2])
        }
    }

    @Test func `whoever frees a loop does not wait for what libuv's own threads still do for it`() async throws {
        try await onThread {
            let loop = try Loop()
            loop.start()
            let work = Work()
            loop.post { work.begin(on: loop.pointer) }
            work.hasBegun.wait()
            loop.free()
            // Only now: it would have waited for ever.
            work.mayEnd.release()
            work.hasEnded.wait()
        }
    }

    @Test func `a loop that never ran can be freed`() throws {
        try Loop().free()
    }

    @Test func `without memory there is no loop`() {
        for nth in 1...3 as ClosedRange<UInt32> {
            apus_alloc_fail(nth)
            let loop = apus_loop_new()
            apus_alloc_fail(0)
            #expect(loop == nil)
        }
    }

    /// The loop is not started, so all is done, and counted, on this thread.
    @Test func `what other threads ask of a loop is in the memory gauge until the loop is freed`() throws {
        let before = apus_memory_here()
        let loop = try Loop()
        let empty = apus_memory_here()
        for number in 1...10_000 { loop.enqueue(number) }
        #expect(apus_memory_here() - empty >= 160_000)
        loop.free()
        #expect(apus_memory_here() == before)
    }

    @Test func `jobs that wait are in the memory gauge`() async throws {
        let loop = try Loop()
        loop.start()
        defer { loop.free() }
        let grown = try await loop.call {
            let before = apus_memory_here()
            for number in 1...10_000 { loop.enqueue(number) }
            return apus_memory_here() - before
        }
        #expect(grown >= 80_000)
    }
}
