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
}
