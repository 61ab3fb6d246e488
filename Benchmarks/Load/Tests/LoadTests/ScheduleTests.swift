import Load
import Testing

struct ScheduleTests {
    @Test(arguments: [1, 3, 7, 1000, 99_999, 1_000_000] as [UInt64])
    func `messages are due evenly, and do not drift`(rate: UInt64) {
        var schedule = load_schedule(start: 5_000, rate: rate, next: 0)
        #expect(load_schedule_time(&schedule, 0) == 5_000)
        for message in UInt64(0)..<2_000 {
            let exact = Double(message) * 1e9 / Double(rate) + 5_000
            #expect(abs(Double(load_schedule_time(&schedule, message)) - exact) <= 1)
        }
        #expect(load_schedule_time(&schedule, rate * 86_400) == 86_400_000_000_000 + 5_000)
    }
}
