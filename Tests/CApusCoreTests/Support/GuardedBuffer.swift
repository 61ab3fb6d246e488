#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Memory to write into, many times over, between two pages that cannot be touched: what reads or writes before
/// `start` or behind `end` ends the test.
final class GuardedBuffer {
    let start: UnsafeMutablePointer<UInt8>
    let capacity: Int
    private let mapping: UnsafeMutableRawPointer
    private let page = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// Holds at least `minimumCapacity` bytes.
    init(minimumCapacity: Int = 1) {
        capacity = max(1, (minimumCapacity + page - 1) / page) * page
        guard let mapping = mmap(nil, capacity + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
            mapping != MAP_FAILED,
            mprotect(mapping, page, PROT_NONE) == 0,
            mprotect(mapping + page + capacity, page, PROT_NONE) == 0
        else { fatalError("no memory for guard pages: errno \(errno)") }
        self.mapping = mapping
        start = (mapping + page).assumingMemoryBound(to: UInt8.self)
    }

    var end: UnsafeMutablePointer<UInt8> { start + capacity }

    deinit {
        munmap(mapping, capacity + 2 * page)
    }
}
