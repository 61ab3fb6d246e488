@testable import Apus
import Testing

struct RetryAfterTests {
    private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

    @Test(arguments: [
        ("0", Duration.zero), ("120", .seconds(120)), ("9999999999", .seconds(9_999_999_999)),
        ("99999999999999999999", .seconds(9_999_999_999)), ("Sun, 06 Nov 1994 08:49:38 GMT", .seconds(1)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", .zero), ("Sat, 05 Nov 1994 08:49:37 GMT", .zero),
        ("", nil), ("-1", nil), ("+1", nil), ("1.5", nil), (" 1", nil), ("tomorrow", nil),
    ])
    func `it is a number of seconds, or a date`(value: String, duration: Duration?) {
        #expect(RetryAfter.duration(value, date: Self.date) == duration)
    }

    @Test func `without a Date our own clock says what time it is`() {
        #expect(RetryAfter.duration("Sun, 06 Nov 1994 08:49:37 GMT", date: nil) == .zero)
        let duration = RetryAfter.duration("Fri, 31 Dec 9999 23:59:59 GMT", date: nil)
        #expect(duration.map { $0 > .seconds(1_000_000_000) } == true)
    }
}
