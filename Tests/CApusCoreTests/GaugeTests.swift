import CApusCore
import TestSupport
import Testing

/// Other tests allocate at the same time, so these compare amounts that dwarf what those hold.
@Suite(.serialized)
struct GaugeTests {
    private static let large = 256 << 20
    /// How much the rest of the tests may take or give back meanwhile.
    private static let noise = 64 << 20

    private func isNear(_ grown: Int, _ expected: Int) -> Bool { abs(grown - expected) < Self.noise }

    @Test func `a block counts from malloc to free, by its size`() throws {
        let before = apus_memory_now()
        let memory = try #require(apus_malloc(Self.large))
        #expect(isNear(apus_memory_now() - before, Self.large))
        apus_free(memory)
        #expect(isNear(apus_memory_now() - before, 0))
    }

    @Test func `realloc counts the difference, and calloc counts`() throws {
        let before = apus_memory_now()
        var memory = try #require(apus_calloc(Self.large / 8, 8))
        #expect(isNear(apus_memory_now() - before, Self.large))
        memory = try #require(apus_realloc(memory, 2 * Self.large))
        #expect(isNear(apus_memory_now() - before, 2 * Self.large))
        memory = try #require(apus_realloc(memory, 1))
        #expect(isNear(apus_memory_now() - before, 0))
        apus_free(memory)
    }

    @Test func `what is reported counts, whichever thread gives it back, and after the first has gone`() async throws {
        let before = apus_memory_now()
        try await onThread { apus_memory_add(Self.large) }
        #expect(isNear(apus_memory_now() - before, Self.large))
        #expect(isNear(apus_memory_estimate() - before, Self.large))
        try await onThread { apus_memory_add(-Self.large) }
        #expect(isNear(apus_memory_now() - before, 0))
    }

    @Test func `small amounts of many threads add up`() async throws {
        let before = apus_memory_now()
        for _ in 0..<200 {
            try await onThread { for _ in 0..<1000 { apus_memory_add(Self.large / 200_000) } }
        }
        #expect(isNear(apus_memory_now() - before, Self.large))
        #expect(isNear(apus_memory_estimate() - before, Self.large))
        apus_memory_add(-(Self.large / 200_000) * 200_000)
        #expect(isNear(apus_memory_now() - before, 0))
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

    @Test func `a block that a thread keeps for reuse still counts`() throws {
        let size = 256 << 20
        apus_alloc_keep(size + (1 << 20))
        defer { apus_alloc_keep(0) }
        let before = apus_memory_now()
        let block = try #require(apus_malloc(size))
        apus_free(block)
        #expect(isNear(apus_memory_now() - before, apus_alloc_kept()))
        apus_alloc_keep(0)
        #expect(isNear(apus_memory_now() - before, 0))
    }
}
