#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Dates as JavaScript's JSON has them: `Date.prototype.toISOString` (ECMA-262 §21.4.1.32, "Date Time String Format").
enum ISODate {
    private static let millisecondsPerDay: Int64 = 86_400_000
    /// As far from 1970 as JavaScript's dates go (ECMA-262 §21.4.1.1).
    private static let maxMilliseconds: Double = 8.64e15

    /// `2026-11-28T09:05:00.250Z`, rounded to milliseconds; `nil` for a date that JavaScript does not have.
    static func text(_ date: Date) -> String? {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        guard milliseconds.magnitude <= maxMilliseconds else { return nil }
        let (days, time) = Int64(milliseconds).quotientAndRemainder(flooringBy: millisecondsPerDay)
        let (year, month, day) = civil(days)
        let clock = [(time / 3_600_000, 2), (time / 60_000 % 60, 2), (time / 1000 % 60, 2)].map(padded)
        let date = [yearText(year), padded(month, 2), padded(day, 2)].joined(separator: "-")
        return "\(date)T\(clock.joined(separator: ":")).\(padded(time % 1000, 3))Z"
    }

    private static func yearText(_ year: Int64) -> String {
        (0...9999).contains(year) ? padded(year, 4) : (year < 0 ? "-" : "+") + padded(year.magnitude, 6)
    }

    private static func padded(_ value: some BinaryInteger, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The date of a day counted from 1970, in the Gregorian calendar. Years begin in March here, so that the day which
    /// leap years add is their last.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(flooringBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// The reverse of `civil`.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).quotientAndRemainder(flooringBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Reads what `text(_:)` writes, and what RFC 3339 allows beside it: fewer or more digits behind the seconds, or
    /// none, and an offset in place of `Z`.
    static func date(_ text: String) -> Date? {
        guard text.utf8.count <= 48 else { return nil }
        var reader = Reader(rest: Array(text.utf8)[...])
        guard let year = reader.year(), reader.skip("-"), let month = reader.number(2, 1...12), reader.skip("-"),
            let day = reader.number(2, 1...31), days(year, month, day) < days(year, month + 1, 1), reader.skip("T"),
            let hour = reader.number(2, 0...23), reader.skip(":"), let minute = reader.number(2, 0...59),
            reader.skip(":"), let second = reader.number(2, 0...60), let fraction = reader.fraction(),
            let offset = reader.offset(), reader.rest.isEmpty
        else { return nil }
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }

    /// A date of JavaScript's in milliseconds since 1970, as `Date.now()` gives it.
    static func date(milliseconds: Double) -> Date? {
        guard milliseconds.magnitude <= maxMilliseconds else { return nil }
        return Date(timeIntervalSince1970: milliseconds / 1000)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        /// A number of so many digits.
        mutating func number(_ width: Int, _ range: ClosedRange<Int64>) -> Int64? {
            let digits = rest.prefix(width)
            guard digits.count == width, digits.allSatisfy({ $0.isDigit }) else { return nil }
            rest = rest.dropFirst(width)
            let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
            return range.contains(value) ? value : nil
        }

        mutating func year() -> Int64? {
            if skip("+") { return number(6, 0...999_999) }
            // There is no year -0.
            if skip("-") { return number(6, 1...999_999).map { -$0 } }
            return number(4, 0...9999)
        }

        /// The part of a second behind the point; none is 0.
        mutating func fraction() -> Double? {
            guard skip(".") else { return 0 }
            let digits = rest.prefix { $0.isDigit }
            rest = rest.dropFirst(digits.count)
            guard !digits.isEmpty else { return nil }
            return Double("0." + String(decoding: digits, as: UTF8.self))
        }

        /// Minutes east of Greenwich.
        mutating func offset() -> Int64? {
            if skip("Z") { return 0 }
            let isWest = rest.first == UInt8(ascii: "-")
            guard skip("+") || skip("-"), let hours = number(2, 0...23), skip(":"), let minutes = number(2, 0...59)
            else { return nil }
            return (isWest ? -1 : 1) * (hours * 60 + minutes)
        }
    }
}

extension Int64 {
    /// Rounded down, so that the remainder is never negative.
    fileprivate func quotientAndRemainder(flooringBy divisor: Self) -> (Self, Self) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
