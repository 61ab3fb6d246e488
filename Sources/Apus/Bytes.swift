/// The bytes of a binary message.
///
/// A collection of `UInt8`, like an array, that can be written as an array literal and compared with `==`;
/// `Array(bytes)` is an array of them. Up to ``inlineCapacity`` bytes are kept in place, so that a small message needs
/// no memory of its own; more are kept in an array, which copies share.
public struct Bytes: Sendable {
    /// How many bytes are kept in place, 24.
    @inlinable
    public static var inlineCapacity: Int { 24 }

    /// As many as fit are always in place, so what is equal is kept equally.
    enum Storage: Sendable {
        case inline(Words, count: UInt8)
        case array([UInt8])
    }

    /// Words rather than 24 bytes: those would be copied one by one.
    typealias Words = InlineArray<3, UInt64>

    private let storage: Storage

    /// No bytes.
    public init() { storage = .inline([0, 0, 0], count: 0) }

    /// Takes over an array; it is not copied, unless it is small enough to be kept in place.
    public init(_ array: [UInt8]) {
        guard array.count <= Self.inlineCapacity else {
            storage = .array(array)
            return
        }
        self = array.withUnsafeBytes { Self(copying: $0) }
    }

    /// Copies the elements of a sequence.
    public init(_ elements: some Sequence<UInt8>) { self.init(Array(elements)) }

    /// Copies bytes from elsewhere.
    public init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { Self(copying: $0) }
    }

    @inline(__always)
    init(copying bytes: UnsafeRawBufferPointer) {
        guard _fastPath(bytes.count <= Self.inlineCapacity) else {
            storage = .array([UInt8](bytes))
            return
        }
        storage = .inline(Self.load(bytes), count: UInt8(truncatingIfNeeded: bytes.count))
    }

    /// Calls `body` with the bytes where they are; the pointer is valid until it returns.
    @inline(__always)
    public func withUnsafeBytes<T, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> T
    ) throws(Failure) -> T {
        switch storage {
        case .inline(let words, let count):
            try words.span.bytes.withUnsafeBytes { bytes throws(Failure) in
                try body(UnsafeRawBufferPointer(start: bytes.baseAddress, count: Int(count)))
            }
        case .array(let array):
            try array.span.withUnsafeBytes(body)
        }
    }
}

extension Bytes {
    /// As many bytes as fit. The last word is loaded so that it ends where they end, and moved down.
    @inline(__always)
    private static func load(_ bytes: UnsafeRawBufferPointer) -> Words {
        let count = bytes.count
        guard count >= 8 else { return [load(few: bytes), 0, 0] }
        let first = bytes.loadUnaligned(as: UInt64.self)
        let last = bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self).littleEndian
        guard count > 8 else { return [first, 0, 0] }
        guard count > 16 else { return [first, (last &>> UInt64((16 - count) * 8)).littleEndian, 0] }
        let second = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        return [first, second, (last &>> UInt64((24 - count) * 8)).littleEndian]
    }

    /// Fewer than 8 bytes.
    private static func load(few bytes: UnsafeRawBufferPointer) -> UInt64 {
        var word: UInt64 = 0
        Swift.withUnsafeMutableBytes(of: &word) { $0.copyMemory(from: bytes) }
        return word
    }
}

extension Bytes: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }

    /// The number of bytes.
    public var endIndex: Int { count }

    /// The number of bytes; known without looking at them.
    public var count: Int {
        switch storage {
        case .inline(_, let count): Int(count)
        case .array(let array): array.count
        }
    }

    /// The byte at an index; traps where there is none.
    public subscript(position: Int) -> UInt8 {
        switch storage {
        case .inline(let words, let count):
            precondition(position >= 0 && position < Int(count), "there is no such byte")
            return words.span.bytes.withUnsafeBytes { $0[position] }
        case .array(let array): return array[position]
        }
    }

    /// Calls `body` with the bytes where they are; they always are contiguous.
    public func withContiguousStorageIfAvailable<T>(_ body: (UnsafeBufferPointer<UInt8>) throws -> T) rethrows -> T? {
        try withUnsafeBytes { try body($0.assumingMemoryBound(to: UInt8.self)) }
    }
}

extension Bytes: Hashable {
    /// Whether they are the same bytes, wherever they are kept.
    public static func == (one: Self, other: Self) -> Bool {
        switch (one.storage, other.storage) {
        case (.inline(let words, let count), .inline(let others, let otherCount)):
            // What lies behind the last byte is zero.
            count == otherCount && words[0] == others[0] && words[1] == others[1] && words[2] == others[2]
        case (.array(let array), .array(let other)): array == other
        default: false
        }
    }

    /// Takes the bytes into a hash.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Bytes: ExpressibleByArrayLiteral {
    /// A literal such as `[1, 2, 3]`.
    public init(arrayLiteral elements: UInt8...) { self.init(elements) }
}

extension Bytes: CustomStringConvertible {
    /// As an array's: `[1, 2, 3]`.
    public var description: String { Array(self).description }
}
