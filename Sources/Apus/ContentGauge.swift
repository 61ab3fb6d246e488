import Synchronization

/// Tells the memory gauge of large responses whose clients have not taken them yet: of each array once, however many
/// responses share it.
enum ContentGauge {
    /// How many responses hold an array, by the address of its bytes.
    private static let holders = Mutex<[UInt: Int]>([:])

    /// Counts content that is kept from now on, and must not be changed until ``release(_:)``. From any thread.
    static func hold(_ content: [UInt8]) {
        let address = address(of: content)
        let count = holders.withLock { holders in
            holders[address, default: 0] += 1
            return holders[address]
        }
        if count == 1 { MemoryGauge.add(content.count) }
    }

    /// Ends what ``hold(_:)`` began. From any thread.
    static func release(_ content: [UInt8]) {
        let address = address(of: content)
        let isLast = holders.withLock { holders in
            let left = (holders[address] ?? 1) - 1
            holders[address] = left == 0 ? nil : left
            return left == 0
        }
        if isLast { MemoryGauge.subtract(content.count) }
    }

    private static func address(of content: [UInt8]) -> UInt {
        content.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }
}
