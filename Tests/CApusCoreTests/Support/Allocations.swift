import CApusCore
import Testing

/// Runs `attempt` with its first allocation failing, then its second, and so on, until nothing is left to fail.
///
/// Each attempt but the last must return APUS_ENOMEM, and there must be at least one. None may leave memory behind,
/// once `cleanUp` has run.
func failEachAllocation(
    sourceLocation: SourceLocation = #_sourceLocation, cleanUp: () -> Void = {}, _ attempt: () -> Int32
) {
    cleanUp()
    let held = apus_memory_here()
    for nth in 1...100 as ClosedRange<UInt32> {
        apus_alloc_fail(nth)
        let result = attempt()
        apus_alloc_fail(0)
        cleanUp()
        #expect(apus_memory_here() == held, "memory leaks", sourceLocation: sourceLocation)
        if result == APUS_OK.rawValue {
            #expect(nth > 1, "nothing was allocated", sourceLocation: sourceLocation)
            return
        }
        #expect(result == APUS_ENOMEM.rawValue, sourceLocation: sourceLocation)
    }
    Issue.record("after a hundred allocations there is no end to them", sourceLocation: sourceLocation)
}

/// Lets `write` append to bytes that are nearly full, by every measure of nearly, with its allocation failing.
///
/// A failure must leave what was there before, and nothing else.
func failEachGrowth(
    sourceLocation: SourceLocation = #_sourceLocation, _ write: (UnsafeMutablePointer<apus_bytes>) -> Int32
) {
    for filled in 0...256 {
        let before = [UInt8](repeating: UInt8(ascii: "x"), count: filled)
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        #expect(apus_bytes_append(&out, before, before.count) == APUS_OK.rawValue, sourceLocation: sourceLocation)
        apus_alloc_fail(1)
        let result = write(&out)
        apus_alloc_fail(0)
        if result != APUS_OK.rawValue {
            #expect(result == APUS_ENOMEM.rawValue, sourceLocation: sourceLocation)
            #expect(contents(of: out) == before, sourceLocation: sourceLocation)
        } else {
            #expect(filled > 0, "the first byte needs memory", sourceLocation: sourceLocation)
        }
    }
}

/// Runs `body`, which must give back all memory that it takes.
func withoutLeaks<T>(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> T) rethrows -> T {
    let held = apus_memory_here()
    let result = try body()
    #expect(apus_memory_here() == held, "memory leaks", sourceLocation: sourceLocation)
    return result
}
