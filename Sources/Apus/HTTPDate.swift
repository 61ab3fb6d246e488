/// Times in header fields (RFC 9110 §5.6.7): whole seconds since 1970.
enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let secondsPerDay = 86_400

    /// As it is sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(of seconds: Int) -> String {
        let (days, time) = divide(seconds, by: secondsPerDay)
        let (year, month, day) = date(ofDay: days)
        let clock = [time / 3600, time / 60 % 60, time % 60].map { padded($0, 2) }.joined(separator: ":")
        let weekday = weekdays[divide(days + 4, by: 7).rest]  // 1970 began with a Thursday
        return "\(weekday), \(padded(day, 2)) \(months[month - 1]) \(padded(year, 4)) \(clock) GMT"
    }

    /// Reads the form that is sent, or the two obsolete ones; `nil` for anything else. One look at each byte.
    ///
    /// - Parameter now: tells the century of an obsolete form's year, which has two digits.
    static func seconds(of text: String, now: Int) -> Int? {
        guard text.utf8.count <= 40 else { return nil }
        let words = Substring(text).utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ",") }
        switch words.count {
        case 6 where words[5].isSame(as: "GMT") && words[3].count == 4:
            return seconds(year: number(words[3]), month: words[2], day: words[1], clock: words[4])
        case 4 where words[3].isSame(as: "GMT"):
            let parts = words[1].split(separator: UInt8(ascii: "-"))
            guard parts.count == 3, let year = number(parts[2]), parts[2].count == 2 else { return nil }
            return seconds(year: fullYear(year, now: now), month: parts[1], day: parts[0], clock: words[2])
        case 5 where words[4].count == 4:
            return seconds(year: number(words[4]), month: words[1], day: words[2], clock: words[3])
        default: return nil
        }
    }

    /// A year that seems to be more than 50 years ahead is the last one that ends in the same digits.
    private static func fullYear(_ year: Int, now: Int) -> Int {
        let present = date(ofDay: divide(now, by: secondsPerDay).quotient).year
        let full = present / 100 * 100 + year
        return full > present + 50 ? full - 100 : full
    }

    private static func seconds(
        year: Int?, month: Substring.UTF8View, day: Substring.UTF8View, clock: Substring.UTF8View
    ) -> Int? {
        let parts = clock.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ $0.count == 2 }), let year, let day = number(day),
            let month = months.firstIndex(where: { month.isSame(as: $0) }), let hour = number(parts[0]),
            let minute = number(parts[1]), let second = number(parts[2])
        else { return nil }
        guard (1...31).contains(day), hour < 24, minute < 60, second <= 60 else { return nil }
        return Self.day(year, month + 1, day) * secondsPerDay + hour * 3600 + minute * 60 + second
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard (1...4).contains(digits.count) else { return nil }
        return digits.reduce(0 as Int?) { value, digit in
            guard let value, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            return value * 10 + Int(digit - UInt8(ascii: "0"))
        }
    }

    private static func padded(_ number: Int, _ count: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }

    private static func divide(_ number: Int, by divisor: Int) -> (quotient: Int, rest: Int) {
        let (quotient, rest) = number.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }

    /// Days from 1970 to a date of the Gregorian calendar. Years begin in March here, so that a leap day is a year's
    /// last.
    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let (year, month) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
    }

    /// The date of a day, counted from 1970.
    private static func date(ofDay days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, rest) = divide(days + 719_468, by: 146_097)
        let yearOfEra = (rest - rest / 1460 + rest / 36_524 - rest / 146_096) / 365
        let dayOfYear = rest - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = yearOfEra + era * 400
        return month < 10 ? (year, month + 3, day) : (year + 1, month - 9, day)
    }
}
