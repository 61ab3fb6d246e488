import CApusCore
import TestSupport
import Testing

/// Forcing a set changes what the whole process uses: all suites that do so are inside this one and run one by one.
@Suite(.serialized, .computing) struct SIMDTests {
    @Test func `the plain set is always available`() {
        #expect(apus_simd_is_available(APUS_SIMD_SCALAR))
    }

    @Test func `the set in use is the best that the processor has`() {
        #expect(apus_simd_current() == availableKernelSets.last)
        #if arch(x86_64) || arch(arm64)
            #expect(apus_simd_current() != APUS_SIMD_SCALAR)
        #endif
    }

    @Test(arguments: availableKernelSets) func `an available set can be forced`(set: apus_simd) {
        withKernels(set) {
            #expect(apus_simd_current() == set)
        }
    }

    @Test(arguments: allKernelSets) func `a set that is not available is not forced`(set: apus_simd) {
        let before = apus_simd_current()
        if !apus_simd_is_available(set) {
            #expect(!apus_simd_force(set))
        }
        #expect(apus_simd_current() == before)
    }

    @Test func `what is no set is not available`() {
        #expect(!apus_simd_is_available(apus_simd(rawValue: 99)))
        #expect(!apus_simd_force(apus_simd(rawValue: 99)))
        #expect(String(cString: apus_simd_name(apus_simd(rawValue: 99))) == "unknown")
    }

    @Test func `each set has its name`() {
        #expect(
            allKernelSets.map { String(cString: apus_simd_name($0)) } == ["scalar", "sse", "avx2", "avx512", "neon"])
    }
}
