import CApusCore
import Testing

struct BufferTests {
    /// `data` is a flexible array, which Swift does not see: it lies behind the structure.
    private func bytes(of buffer: UnsafeMutablePointer<apus_buffer>) -> UnsafeMutableRawBufferPointer {
        let start = UnsafeMutableRawPointer(buffer) + MemoryLayout<apus_buffer>.size
        return UnsafeMutableRawBufferPointer(start: start, count: buffer.pointee.len)
    }

    @Test(arguments: [0, 1, 15, 4096, 1 << 20])
    func `a new buffer has its length, one reference, and room for all its bytes`(len: Int) throws {
        let buffer = try #require(apus_buffer_new(len))
        #expect(buffer.pointee.len == len)
        #expect(buffer.pointee.references == 1)
        for index in 0..<len {
            bytes(of: buffer)[index] = UInt8(truncatingIfNeeded: index)
        }
        #expect(bytes(of: buffer).last == (len == 0 ? nil : UInt8(truncatingIfNeeded: len - 1)))
        apus_buffer_release(buffer)
    }

    @Test func `retain returns the same buffer, which lives until the last release`() throws {
        let buffer = try #require(apus_buffer_new(1))
        bytes(of: buffer)[0] = 42
        #expect(apus_buffer_retain(buffer) == buffer)
        #expect(buffer.pointee.references == 2)
        apus_buffer_release(buffer)
        #expect(buffer.pointee.references == 1)
        #expect(bytes(of: buffer)[0] == 42)
        apus_buffer_release(buffer)
    }

    @Test func `references may be added and dropped from many threads at once`() async throws {
        struct Shared: @unchecked Sendable {  // the count is atomic, and nobody writes the bytes
            let buffer: UnsafeMutablePointer<apus_buffer>
        }
        let shared = Shared(buffer: try #require(apus_buffer_new(1)))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        apus_buffer_release(apus_buffer_retain(shared.buffer))
                    }
                }
            }
        }
        #expect(shared.buffer.pointee.references == 1)
        apus_buffer_release(shared.buffer)
    }

    @Test func `releasing nothing is allowed`() {
        apus_buffer_release(nil)
    }

    @Test func `no memory gives no buffer`() {
        apus_alloc_fail(1)
        #expect(apus_buffer_new(1) == nil)
    }

    @Test(arguments: [0, 1, MemoryLayout<apus_buffer>.size - 1])
    func `a length that no memory can hold gives no buffer`(missing: Int) {
        // SIZE_MAX, which Swift reads as an Int of the same bits.
        #expect(apus_buffer_new(Int(bitPattern: UInt.max - UInt(missing))) == nil)
    }
}
