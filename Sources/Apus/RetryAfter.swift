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
        let clock = Int(time(nil))
        guard let end = HTTPDate.seconds(of: value, now: clock) else { return nil }
        let now = date.flatMap { HTTPDate.seconds(of: $0, now: clock) } ?? clock
        return .seconds(max(0, end - now))
    }
}
