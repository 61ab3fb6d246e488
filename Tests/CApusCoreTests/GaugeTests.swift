import CApusCore
import TestSupport
import Testing

/// The gauge is the whole process's, so each test has a process of its own.
struct GaugeTests {
    private static let large = 16 << 20
    /// What threads begin and end with.
    private static let noise = 1 << 20

    private static func isNear(_ grown: Int, _ expected: Int) -> Bool { abs(grown - expected) < noise }

    @Test func `a block counts from malloc to free, by its size`() async {
        await #expect(processExitsWith: .success) {
            let before = apus_memory_now()
            let memory = try #require(apus_malloc(Self.large))
            try #require(Self.isNear(apus_memory_now() - before, Self.large))
            apus_free(memory)
            try #require(Self.isNear(apus_memory_now() - before, 0))
        }
    }

    @Test func `realloc counts the difference, and calloc counts`() async {
        await #expect(processExitsWith: .success) {
            let before = apus_memory_now()
            var memory = try #require(apus_calloc(Self.large / 8, 8))
            try #require(Self.isNear(apus_memory_now() - before, Self.large))
            memory = try #require(apus_realloc(memory, 2 * Self.large))
            try #require(Self.isNear(apus_memory_now() - before, 2 * Self.large))
            memory = try #require(apus_realloc(memory, 1))
            try #require(Self.isNear(apus_memory_now() - before, 0))
            apus_free(memory)
        }
    }

    @Test func `what is reported counts, whichever thread gives it back, and after the first has gone`() async {
        await #expect(processExitsWith: .success) {
            let before = apus_memory_now()
            try await onThread { apus_memory_add(Self.large) }
            try #require(Self.isNear(apus_memory_now() - before, Self.large))
            try #require(Self.isNear(apus_memory_estimate() - before, Self.large))
            try await onThread { apus_memory_add(-Self.large) }
            try #require(Self.isNear(apus_memory_now() - before, 0))
        }
    }

    @Test func `small amounts of many threads add up`() async {
        await #expect(processExitsWith: .success) {
            let before = apus_memory_now()
            for _ in 0..<200 {
                try await onThread { for _ in 0..<1000 { apus_memory_add(80) } }
            }
            try #require(Self.isNear(apus_memory_now() - before, 80 * 200_000))
            // Each of at most 64 cells may hold back 16 KiB.
            try #require((79 * 200_000 - (1 << 20)...81 * 200_000).contains(apus_memory_estimate() - before))
            apus_memory_add(-80 * 200_000)
            try #require(Self.isNear(apus_memory_now() - before, 0))
        }
    }

    @Test func `what a thread has taken is told to the byte`() throws {
        let before = apus_memory_here()
        let memory = try #require(apus_malloc(1000))
        let taken = apus_memory_here() - before
        #expect((1000 + MemoryLayout<Int>.size..<1200).contains(taken), "its size, and what the C library adds")
        let resized = try #require(apus_realloc(memory, 10_000))
        #expect(apus_memory_here() - before > 10_000)
        apus_alloc_fail(1)
        #expect(apus_realloc(resized, 20_000) == nil)
        #expect(apus_memory_here() - before < 11_000)
        apus_free(resized)
        apus_free(nil)
        #expect(apus_memory_here() == before)
    }

    @Test func `a block that a thread keeps for reuse still counts`() async {
        await #expect(processExitsWith: .success) {
            try await onThread {
                apus_alloc_keep(Self.large + (1 << 20))
                let before = apus_memory_now()
                let block = try #require(apus_malloc(Self.large))
                apus_free(block)
                try #require(apus_alloc_kept() >= Self.large)
                try #require(Self.isNear(apus_memory_now() - before, apus_alloc_kept()))
                apus_alloc_keep(0)
                try #require(Self.isNear(apus_memory_now() - before, 0))
            }
        }
    }
}
