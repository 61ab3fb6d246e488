import Apus
import Testing

/// The bytes of binary messages, on both sides of the border between those kept in place and those in an array.
struct BytesTests {
    private static let counts = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 100, 1000]

    private func numbers(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 201) } }

    @Test(arguments: counts) func `bytes are those of the array they were made of`(count: Int) {
        let array = numbers(count)
        let bytes = Bytes(array)
        #expect(Array(bytes) == array)
        #expect(bytes.count == count)
        #expect(bytes.isEmpty == array.isEmpty)
        #expect(bytes.indices.map { bytes[$0] } == array)
        #expect(bytes.reversed() == array.reversed())
        #expect(bytes.withUnsafeBytes { Array($0) } == array)
        #expect(bytes.withContiguousStorageIfAvailable { Array($0) } == array)
        #expect("\(bytes)" == "\(array)")
    }

    @Test(arguments: counts) func `bytes are the same whatever they were made of`(count: Int) {
        let array = numbers(count)
        let all = [
            Bytes(array), Bytes(array.lazy.map { $0 }), Bytes(ArraySlice([9] + array).dropFirst()),
            Bytes(copying: array.span.bytes),
        ]
        #expect(Set(all).count == 1)
        #expect(all.allSatisfy { $0 == all[0] })
    }

    @Test(arguments: counts.filter { $0 > 0 }) func `bytes differ where one of them does`(count: Int) {
        let array = numbers(count)
        for position in array.indices {
            var other = array
            other[position] ^= 1
            #expect(Bytes(other) != Bytes(array))
        }
        #expect(Bytes(array + [0]) != Bytes(array))
        #expect(Bytes(array.dropLast()) != Bytes(array))
    }

    @Test func `zeros count`() {
        #expect(Bytes([0]) != [])
        #expect(Bytes([0, 0]) != [0])
        #expect(Bytes() == [])
    }

    @Test func `up to 24 are kept in place`() {
        #expect(Bytes.inlineCapacity == 24)
        #expect(MemoryLayout<Message>.size <= 32)
    }

    @Test func `a copy is not changed by what becomes of its source`() {
        var array = numbers(20)
        let bytes = array.withUnsafeBytes { Bytes(copying: RawSpan(_unsafeBytes: $0)) }
        array[0] = 0
        #expect(Array(bytes) == numbers(20))
    }
}
