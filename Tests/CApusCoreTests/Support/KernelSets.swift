import CApusCore
import Testing

/// The sets of kernels, best last; the processor runs some of them.
let allKernelSets = [APUS_SIMD_SCALAR, APUS_SIMD_SSE, APUS_SIMD_AVX2, APUS_SIMD_AVX512, APUS_SIMD_NEON]

let availableKernelSets = allKernelSets.filter { apus_simd_is_available($0) }

extension apus_simd: @retroactive CustomTestStringConvertible {
    /// Its name.
    public var testDescription: String { String(cString: apus_simd_name(self)) }
}

/// Runs `body` while `set` is forced, which is global: only in suites inside `SIMDTests`, which run one by one.
func withKernels<Result>(_ set: apus_simd, _ body: () throws -> Result) rethrows -> Result {
    let before = apus_simd_current()
    let isForced = apus_simd_force(set)
    #expect(isForced)
    defer {
        let isRestored = apus_simd_force(before)
        #expect(isRestored)
    }
    return try body()
}
