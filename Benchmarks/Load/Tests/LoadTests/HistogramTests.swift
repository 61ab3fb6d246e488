import Load
import Testing

struct HistogramTests {
    /// A histogram is too large for the stack of a task.
    func withHistogram(_ body: (UnsafeMutablePointer<load_histogram>) -> Void) {
        let histogram = UnsafeMutablePointer<load_histogram>.allocate(capacity: 1)
        defer { histogram.deallocate() }
        load_histogram_reset(histogram)
        body(histogram)
    }

    @Test func `values below 2,048 are exact`() {
        for value in UInt64(0)..<2048 {
            #expect(load_histogram_slot_end(load_histogram_slot(value)) == value)
        }
    }

    @Test func `a slot's end is less than a thousandth above any of its values`() {
        var value: UInt64 = 1
        while value < 1 << 42 {
            for near in [value - 1, value, value + 1, value + value / 3] where near < 1 << 42 {
                let end = load_histogram_slot_end(load_histogram_slot(near))
                #expect(end >= near && end - near <= near / 1000)
            }
            value *= 2
        }
    }

    @Test func `slots follow one another without a gap`() {
        for slot in 0..<(load_histogram_slot(1 << 42 - 1)) {
            #expect(load_histogram_slot(load_histogram_slot_end(slot)) == slot)
            #expect(load_histogram_slot(load_histogram_slot_end(slot) + 1) == slot + 1)
        }
    }

    @Test func `percentiles are those of the sorted values`() {
        withHistogram { histogram in
            let values = (1...100_000).map { UInt64($0 * $0 % 99_991) }
            for value in values { load_histogram_record(histogram, value, 1) }
            let sorted = values.sorted()
            for percent in [0.01, 1, 25, 50, 90, 99, 99.9, 99.99, 100] {
                let exact = sorted[max(0, Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1)]
                let found = load_histogram_percentile(histogram, percent)
                #expect(found >= exact && found - exact <= exact / 1000)
            }
            #expect(load_histogram_percentile(histogram, 100) == sorted.last)
        }
    }

    @Test func `least, most and mean are exact, and counts weigh`() {
        withHistogram { histogram in
            load_histogram_record(histogram, 1_000_003, 1)
            load_histogram_record(histogram, 5, 3)
            #expect(histogram.pointee.least == 5)
            #expect(histogram.pointee.most == 1_000_003)
            #expect(histogram.pointee.total == 4)
            #expect(load_histogram_mean(histogram) == 250_004.5)
            #expect(load_histogram_percentile(histogram, 75) == 5)
            #expect(load_histogram_percentile(histogram, 76) == 1_000_003)
        }
    }

    @Test func `what is longer than the longest counts as that`() {
        withHistogram { histogram in
            load_histogram_record(histogram, .max, 1)
            #expect(load_histogram_percentile(histogram, 50) == .max)
        }
    }

    @Test func `an empty histogram has percentiles of 0`() {
        withHistogram { #expect(load_histogram_percentile($0, 99) == 0) }
    }
}
