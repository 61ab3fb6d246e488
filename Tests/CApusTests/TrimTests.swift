import CApusInternals
import Testing

struct TrimTests {
    private static let fall = 64 << 20

    @Test func `memory is given back once it has fallen far enough below its peak`() {
        var trim = apus_trim()
        #expect(!apus__trim_is_due(&trim, 1 << 30))
        #expect(!apus__trim_is_due(&trim, 1 << 30))
        #expect(!apus__trim_is_due(&trim, (1 << 30) - Self.fall + 1))
        #expect(apus__trim_is_due(&trim, (1 << 30) - Self.fall))
        // From here on this is the peak.
        #expect(!apus__trim_is_due(&trim, (1 << 30) - Self.fall))
        #expect(!apus__trim_is_due(&trim, (1 << 30) - 2 * Self.fall + 1))
        #expect(apus__trim_is_due(&trim, (1 << 30) - 2 * Self.fall))
    }

    @Test func `a new peak counts from there`() {
        var trim = apus_trim()
        #expect(!apus__trim_is_due(&trim, 10))
        #expect(!apus__trim_is_due(&trim, 0))
        #expect(!apus__trim_is_due(&trim, 2 * Self.fall))
        #expect(apus__trim_is_due(&trim, Self.fall))
        #expect(!apus__trim_is_due(&trim, 0 + 1))
    }
}
