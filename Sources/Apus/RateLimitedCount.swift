/// Counts what happens, for a log that gets at most one line a second.
struct RateLimitedCount {
    private var count = 0
    private var lastLine: ContinuousClock.Instant?

    /// Adds to the count. Gives all that was counted since the last line where another line is due, else `nil`.
    mutating func add(_ more: Int, now: ContinuousClock.Instant) -> Int? {
        count += more
        if let lastLine, now - lastLine < .seconds(1) { return nil }
        lastLine = now
        defer { count = 0 }
        return count
    }
}
