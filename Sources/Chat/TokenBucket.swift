/// How fast one connection may ask for things: some at once, and then so many a second.
///
/// It says how long to wait and does not wait itself. A client that asks faster is read more slowly (TCP does the rest)
/// and loses nothing.
struct TokenBucket: Sendable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var filled: ContinuousClock.Instant

    /// Creates a full bucket.
    init(burst: Int, perSecond: Double, now: ContinuousClock.Instant) {
        self.burst = Double(burst)
        self.perSecond = perSecond
        tokens = self.burst
        filled = now
    }

    /// Takes a token, if need be one that is yet to come, and returns how long that takes; zero if it is there.
    mutating func take(now: ContinuousClock.Instant) -> Duration {
        refill(now: now)
        tokens -= 1
        return tokens >= 0 ? .zero : .seconds(-tokens / perSecond)
    }

    /// Takes a token if one is there; returns whether it was.
    mutating func takeIfThere(now: ContinuousClock.Instant) -> Bool {
        refill(now: now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// Whether nothing has been taken for so long that the bucket is as good as new.
    func isFull(now: ContinuousClock.Instant) -> Bool {
        var bucket = self
        bucket.refill(now: now)
        return bucket.tokens >= burst
    }

    private mutating func refill(now: ContinuousClock.Instant) {
        guard now > filled else { return }
        tokens = min(burst, tokens + filled.duration(to: now) / .seconds(1) * perSecond)
        filled = now
    }
}
