@testable import Apus
import Testing

struct HTTPDateTests {
    private static let example = 784_111_777

    /// RFC 9110 §5.6.7 shows one time in all three forms.
    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func `each form is read`(text: String) {
        #expect(HTTPDate.seconds(of: text, now: Self.example) == Self.example)
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (example, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ])
    func `a time is written, and read again`(seconds: Int, text: String) {
        #expect(HTTPDate.text(of: seconds) == text)
        #expect(HTTPDate.seconds(of: text, now: seconds) == seconds)
    }

    @Test func `every day of 400 years comes back`() {
        for day in stride(from: -80_000, through: 66_097, by: 7) {
            let seconds = day * 86_400 + 12_345
            #expect(HTTPDate.seconds(of: HTTPDate.text(of: seconds), now: 0) == seconds)
        }
    }

    @Test func `a year of two digits is never more than 50 years ahead`() {
        let now = HTTPDate.seconds(of: "Thu, 01 Jan 2026 00:00:00 GMT", now: 0) ?? 0
        func year(_ digits: String) -> String {
            HTTPDate.seconds(of: "Sunday, 06-Nov-\(digits) 08:49:37 GMT", now: now).map {
                String(HTTPDate.text(of: $0).dropFirst(12).prefix(4))
            } ?? ""
        }
        #expect(["26", "76", "77", "99", "00"].map(year) == ["2026", "2076", "1977", "1999", "2000"])
    }

    @Test(arguments: [
        "", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:00:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 6x Nov 1994 08:49:37 GMT",
    ])
    func `what is no date is none`(text: String) {
        #expect(HTTPDate.seconds(of: text, now: Self.example) == nil)
    }

    /// The examples of RFC 9110 §5.6.7, the beginning, leap days, and the ends of years.
    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400), ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
        ("Thu, 31 Dec 2099 23:59:59 GMT", 4_102_444_799), ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ("Tuesday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
    ])
    func `dates are read in all three formats`(text: String, seconds: Int) {
        #expect(HTTPDate.seconds(of: text, now: 1_795_000_000) == seconds)
    }

    @Test(arguments: [
        "", "GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT" + String(repeating: " ", count: 20), "Sun, 06 Nov 19x4 08:49:37 GMT",
    ])
    func `anything else is none`(text: String) {
        #expect(HTTPDate.seconds(of: text, now: 1_795_000_000) == nil)
    }
}
