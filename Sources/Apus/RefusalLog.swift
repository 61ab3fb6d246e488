import Logging
import Synchronization

/// Tells of clients that were turned away: the application of each, the log of at most one for each cause and second.
final class RefusalLog: Sendable {
    private let logger: Logger
    private let hook: (@Sendable (Refusal) -> Void)?
    private let limiter = Mutex(RefusalLimiter())

    init(logger: Logger, hook: (@Sendable (Refusal) -> Void)?) {
        self.logger = logger
        self.hook = hook
    }

    /// From any thread.
    func tell(of refusal: Refusal, at now: ContinuousClock.Instant = .now) {
        hook?(refusal)
        guard let skipped = limiter.withLock({ $0.admit(refusal.cause, at: now) }) else { return }
        var metadata: Logger.Metadata = [
            "cause": "\(refusal.cause.rawValue)", "address": "\(refusal.address)", "detail": "\(refusal.detail)",
        ]
        if skipped > 0 { metadata["unlogged"] = "\(skipped)" }
        logger.notice("a client was turned away", metadata: metadata)
    }
}

/// Decides which refusals are logged.
struct RefusalLimiter {
    /// The time between two lines of one cause.
    static let interval = Duration.seconds(1)

    private struct Line {
        var next: ContinuousClock.Instant
        var skipped = 0
    }

    /// As many as there are causes.
    private var lines: [Refusal.Cause: Line] = [:]

    /// Whether to log a refusal: how many of its cause were not logged since the last one, or `nil` where this one is
    /// not logged either.
    mutating func admit(_ cause: Refusal.Cause, at now: ContinuousClock.Instant) -> Int? {
        if let line = lines[cause], now < line.next {
            lines[cause]?.skipped += 1
            return nil
        }
        let skipped = lines[cause]?.skipped ?? 0
        lines[cause] = Line(next: now + Self.interval)
        return skipped
    }
}
