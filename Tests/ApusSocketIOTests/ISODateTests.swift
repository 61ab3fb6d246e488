import Foundation
import TestSupport
import Testing

@testable import ApusSocketIO

/// The texts are those of `Date.prototype.toISOString` in V8.
@Suite(.computing) struct ISODateTests {
    @Test(arguments: [
        (0.0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (1_709_164_799_999, "2024-02-28T23:59:59.999Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"), (8.64e15, "+275760-09-13T00:00:00.000Z"),
        (-8.64e15, "-271821-04-20T00:00:00.000Z"),
    ])
    func `a date is written as JavaScript writes it, and read again`(milliseconds: Double, text: String) throws {
        let date = Date(timeIntervalSince1970: milliseconds / 1000)
        #expect(ISODate.text(date) == text)
        let again = try #require(ISODate.date(text))
        #expect((again.timeIntervalSince1970 * 1000).rounded() == milliseconds)
    }

    @Test func `every day of four centuries is the one that Foundation says`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        for day in stride(from: -30_000.0, to: 120_000, by: 7) {
            let date = Date(timeIntervalSince1970: day * 86_400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let text = try #require(ISODate.text(date))
            let numbers = text.prefix(10).split(separator: "-").map { Int($0) }
            #expect(numbers == [parts.year, parts.month, parts.day])
            #expect(ISODate.date(text) == date)
        }
    }

    @Test(arguments: [
        ("2026-11-28T09:05:00Z", 0.0), ("2026-11-28T10:05:00+01:00", 0), ("2026-11-28T03:35:00-05:30", 0),
        ("2026-11-28T09:05:00.5Z", 0.5), ("2026-11-28T09:05:00.123456Z", 0.123456),
    ])
    func `what others write of a date is read, too`(text: String, fraction: Double) throws {
        let date = try #require(ISODate.date(text))
        #expect(abs(date.timeIntervalSince1970 - (1_795_856_700 + fraction)) < 1e-6)
    }

    @Test(arguments: [
        "", "2026", "2026-11-28", "2026-11-28T09:05:00", "2026-11-28T09:05Z", "2026-11-28 09:05:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-31T00:00:00Z",
        "2026-11-28T24:00:00Z", "2026-11-28T09:60:00Z", "2026-11-28T09:05:00.Z", "2026-11-28T09:05:00+1:00",
        "2026-11-28T09:05:00Zx", "-000000-01-01T00:00:00Z", "+2026-11-28T09:05:00Z", "2026-11-28T09:05:00.1e1Z",
        String(repeating: "2026-11-28T09:05:00Z", count: 1000),
    ])
    func `what is no date is not read as one`(text: String) {
        #expect(ISODate.date(text) == nil)
    }
}
