import CApusCore
import Testing

struct AllocTests {
    /// The three that allocate; each frees what it got and tells whether that was memory.
    private static let allocators: [@Sendable () -> Bool] = [
        { free(apus_malloc(8)) },
        { free(apus_calloc(2, 4)) },
        { free(apus_realloc(nil, 8)) },
    ]

    private static func free(_ memory: UnsafeMutableRawPointer?) -> Bool {
        apus_free(memory)
        return memory != nil
    }

    @Test(arguments: allocators) func `the n-th allocation fails, once`(allocate: @Sendable () -> Bool) {
        for nth in 1...5 {
            apus_alloc_fail(UInt32(nth))
            let results = (1...8).map { _ in allocate() }
            #expect(results == (1...8).map { $0 != nth })
        }
    }

    @Test func `nothing fails where no failure was asked for, or it was taken back`() {
        #expect(Self.allocators.allSatisfy { $0() })
        apus_alloc_fail(1)
        apus_alloc_fail(0)
        #expect(Self.allocators.allSatisfy { $0() })
    }

    @Test func `a failed realloc leaves the memory as it was`() throws {
        let memory = try #require(apus_malloc(1))
        memory.storeBytes(of: 42, as: UInt8.self)
        apus_alloc_fail(1)
        #expect(apus_realloc(memory, 4096) == nil)
        #expect(memory.load(as: UInt8.self) == 42)
        apus_free(memory)
    }

    @Test func `calloc gives zeros`() throws {
        let memory = try #require(apus_calloc(16, 4))
        #expect(UnsafeRawBufferPointer(start: memory, count: 64).allSatisfy { $0 == 0 })
        apus_free(memory)
    }

    @Test func `freeing nothing is allowed`() {
        apus_free(nil)
    }

    /// Where AddressSanitizer watches the heap, no block is kept.
    private static let keepsBlocks: Bool = {
        apus_alloc_keep(1 << 20)
        defer { apus_alloc_keep(0) }
        apus_free(apus_malloc(large))
        return apus_alloc_kept() >= large
    }()
    private static let large = 64 << 10  // APUS_LARGE_BLOCK

    /// Runs `body` in a thread that keeps up to `most` bytes, which is this one: nothing here suspends.
    private func keeping(_ most: Int, _ body: () throws -> Void) rethrows {
        try withoutLeaks {
            apus_alloc_keep(most)
            defer { apus_alloc_keep(0) }
            try body()
        }
    }

    @Test func `a thread keeps no block unless it was told to`() {
        apus_free(apus_malloc(Self.large))
        #expect(apus_alloc_kept() == 0)
    }

    @Test(.enabled(if: keepsBlocks)) func `a large block that was freed is handed out again`() throws {
        try keeping(1 << 20) {
            let first = try #require(apus_malloc(2 * Self.large))
            apus_free(first)
            #expect(apus_alloc_kept() >= 2 * Self.large)
            let second = apus_malloc(Self.large + 1024)
            #expect(second == first && apus_alloc_kept() == 0)
            apus_free(second)
        }
        #expect(apus_alloc_kept() == 0)
    }

    @Test(.enabled(if: keepsBlocks)) func `small blocks, and those over the bound, are freed`() {
        keeping(3 * Self.large) {
            apus_free(apus_malloc(Self.large - 1024))
            apus_free(apus_malloc(4 * Self.large))
            #expect(apus_alloc_kept() == 0)
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `newer blocks are kept in the place of older ones`() throws {
        try keeping(7 * Self.large) {
            let old = try (1...6).map { _ in try #require(apus_malloc(Self.large)) }
            for block in old { apus_free(block) }
            let new = try #require(apus_malloc(4 * Self.large))
            apus_free(new)
            #expect(apus_alloc_kept() <= 7 * Self.large)
            #expect(apus_alloc_spare(4 * Self.large) == new)
            apus_free(new)
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `a block of more than twice the size is not handed out`() throws {
        try keeping(4 << 20) {
            apus_free(apus_malloc(5 * Self.large))
            #expect(apus_alloc_spare(2 * Self.large) == nil)
            let block = try #require(apus_alloc_spare(3 * Self.large))
            apus_free(block)
            let zeroed = apus_calloc(1, 4 * Self.large)
            #expect(apus_alloc_kept() >= 5 * Self.large)
            apus_free(zeroed)
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `while blocks are handed out, none is given back`() throws {
        try keeping(1 << 20) {
            let idle = try #require(apus_malloc(Self.large))
            let busy = try #require(apus_malloc(4 * Self.large))
            apus_free(idle)
            apus_free(busy)
            for _ in 0..<10 {
                apus_alloc_age(3)
                apus_free(apus_malloc(4 * Self.large))
            }
            #expect(apus_alloc_spare(Self.large) == idle)
            apus_free(idle)
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `of several blocks that fit the smallest is handed out`() throws {
        try keeping(4 << 20) {
            let sizes = [3 * Self.large, 2 * Self.large, 4 * Self.large]
            let blocks = try sizes.map { try #require(apus_malloc($0)) }
            for block in blocks { apus_free(block) }
            #expect(apus_alloc_spare(2 * Self.large - 1024) == blocks[1])
            #expect(apus_alloc_spare(2 * Self.large - 1024) == blocks[0])
            apus_free(blocks[1])
            apus_free(blocks[0])
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `no more than 32 blocks are kept`() throws {
        try keeping(64 << 20) {
            let blocks = try (0..<40).map { _ in try #require(apus_malloc(Self.large)) }
            for block in blocks { apus_free(block) }
            let kept = (0..<40).compactMap { _ in apus_alloc_spare(Self.large) }
            #expect(Set(kept) == Set(blocks.suffix(32)))
            #expect(apus_alloc_kept() == 0)
            for block in kept { apus_free(block) }
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `memory that grows into a kept block takes its bytes along`() throws {
        try keeping(1 << 20) {
            apus_free(apus_malloc(4 * Self.large))
            let small = try #require(apus_malloc(100))
            small.initializeMemory(as: UInt8.self, repeating: 7, count: 100)
            let grown = try #require(apus_realloc(small, 2 * Self.large + 1024))
            #expect(UnsafeRawBufferPointer(start: grown, count: 100).allSatisfy { $0 == 7 })
            #expect(apus_realloc(grown, 3 * Self.large) == grown)
            apus_free(grown)
        }
    }

    @Test(.enabled(if: keepsBlocks)) func `what was not handed out for so many calls is given back`() {
        keeping(1 << 20) {
            apus_free(apus_malloc(Self.large))
            for _ in 0..<3 {
                apus_free(apus_malloc(4 * Self.large - 1))
                apus_alloc_age(3)
            }
            #expect(apus_alloc_kept() >= Self.large)
            apus_alloc_age(0)
            #expect(apus_alloc_kept() == 0)
        }
    }
}
