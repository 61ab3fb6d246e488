import Synchronization

/// Tells the memory gauge of large responses whose clients have not taken them yet: of each array once, however many
/// responses share it.
enum ContentGauge {
    /// How many responses hold an array, by the address of its bytes.
    private static let holders = Mutex<[UInt: Int]>([:])

    /// Counts content that is kept from now on, and must not be changed until ``release(_:)``. From any thread.
    static func hold(_ content: [UInt8]) {
        let isFirst = holders.withLock { holders in
            holders[address(of: content), default: 0] += 1
            return holders[address(of: content)] == 1
        }
        if isFirst { MemoryGauge.add(content.count) }
    }

    /// Ends what ``hold(_:)`` began. From any thread.
    static func release(_ content: [UInt8]) {
        let isLast = holders.withLock { holders in
            let left = (holders[address(of: content)] ?? 1) - 1
            holders[address(of: content)] = left == 0 ? nil : left
            return left == 0
        }
        if isLast { MemoryGauge.subtract(content.count) }
    }

    private static func address(of content: [UInt8]) -> UInt {
        content.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }
}
