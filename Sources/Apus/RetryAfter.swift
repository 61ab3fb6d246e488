#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reading `Retry-After` (RFC 9110 §10.2.3).
enum RetryAfter {
    /// How long to stay away: a number of seconds, or up to a date. `nil` for anything else.
    ///
    /// - Parameter date: the response's `Date`; where there is none, our own clock says what time it is.
    static func duration(_ value: String, date: String?) -> Duration? {
        if !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // Ten digits are three centuries.
            return .seconds(value.utf8.count <= 10 ? Int64(value) ?? .max : 9_999_999_999)
        }
        guard let end = HTTPDate.seconds(value) else { return nil }
        let now = date.flatMap(HTTPDate.seconds) ?? Int64(time(nil))
        return .seconds(max(0, end - now))
    }
}

/// Reading dates in the three formats of RFC 9110 §5.6.7.
enum HTTPDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ].map { Array($0.utf8) }

    /// Seconds since 1970; `nil` where the text is no date.
    static func seconds(_ text: String) -> Int64? {
        guard text.utf8.count <= 40 else { return nil }
        let words = text.utf8.split { !isWordByte($0) }.map { Array($0) }
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT; Sun Nov  6 08:49:37 1994
        guard words.count == 7 || (words.count == 8 && words[7] == Array("GMT".utf8)) else { return nil }
        let isASCTime = words.count == 7
        let (day, month, year) = isASCTime ? (words[2], words[1], words[6]) : (words[1], words[2], words[3])
        let clock = words[(isASCTime ? 3 : 4)...].prefix(3).compactMap(number)
        guard let day = number(day), (1...31).contains(day), let month = index(ofMonth: month),
            let year = number(year).map({ inFull($0, digits: year.count) }),
            clock.count == 3, clock[0] < 24, clock[1] < 60, clock[2] <= 60
        else { return nil }
        return Int64(((days(year, month, day) * 24 + clock[0]) * 60 + clock[1]) * 60 + clock[2])
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & ~0x20)
    }

    private static func number(_ word: [UInt8]) -> Int? {
        guard (1...4).contains(word.count), word.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return word.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// From 1 on.
    private static func index(ofMonth word: [UInt8]) -> Int? {
        months.firstIndex(of: word.map { $0 | 0x20 }).map { $0 + 1 }
    }

    /// A year of two digits is one of the last or the next 50 years, and so from 1970 to 2069 for our purpose.
    private static func inFull(_ year: Int, digits: Int) -> Int {
        digits > 2 ? year : year < 70 ? 2000 + year : 1900 + year
    }

    /// Days from 1970-01-01 in the Gregorian calendar. Years begin in March, so that a leap day is the last of its
    /// year.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let leapDays = year / 4 - year / 100 + year / 400
        return year * 365 + leapDays + dayOfYear - 719_468
    }
}
