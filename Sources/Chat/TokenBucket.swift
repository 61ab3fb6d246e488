/// How fast one connection may ask for things: some at once, and then so many a second.
///
/// It says how long to wait and does not wait itself. Whoever asks faster is read from more slowly (TCP does the rest)
/// and loses nothing.
struct TokenBucket: Sendable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var filled: ContinuousClock.Instant

    /// Creates a full bucket.
    init(burst: Int, perSecond: Int, now: ContinuousClock.Instant) {
        self.burst = Double(burst)
        self.perSecond = Double(perSecond)
        tokens = self.burst
        filled = now
    }

    /// Takes a token, if need be one that is yet to come, and returns how long that takes; zero if it is there.
    mutating func take(now: ContinuousClock.Instant) -> Duration {
        let refill = filled.duration(to: now) / .seconds(1) * perSecond
        tokens = min(burst, tokens + refill) - 1
        filled = now
        return tokens >= 0 ? .zero : .seconds(-tokens / perSecond)
    }
}
