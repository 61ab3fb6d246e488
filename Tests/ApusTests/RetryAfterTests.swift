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

    /// The examples of RFC 9110 §5.6.7, the beginning, leap days, and the ends of years.
    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Int64(784_111_777)), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400), ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
        ("Thu, 31 Dec 2099 23:59:59 GMT", 4_102_444_799), ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ("Tuesday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
    ])
    func `dates are read in all three formats`(text: String, seconds: Int64) {
        #expect(HTTPDate.seconds(text) == seconds)
    }

    @Test(arguments: [
        "", "GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT" + String(repeating: " ", count: 20), "Sun, 06 Nov 19x4 08:49:37 GMT",
    ])
    func `anything else is no date`(text: String) {
        #expect(HTTPDate.seconds(text) == nil)
    }
}
