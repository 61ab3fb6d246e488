import Testing

@testable import Chat

@Suite struct TokenBucketTests {
    private let start = ContinuousClock.now

    @Test func `a burst passes at once, what follows waits for its token`() {
        var bucket = TokenBucket(burst: 3, perSecond: 10, now: start)
        let waits = (1...5).map { _ in bucket.take(now: start) }
        #expect(waits == [.zero, .zero, .zero, .milliseconds(100), .milliseconds(200)])
    }

    @Test func `tokens come again with time`() {
        var bucket = TokenBucket(burst: 2, perSecond: 10, now: start)
        _ = bucket.take(now: start)
        _ = bucket.take(now: start)
        #expect(bucket.take(now: start.advanced(by: .milliseconds(50))) == .milliseconds(50))
        #expect(bucket.take(now: start.advanced(by: .milliseconds(200))) == .zero)
    }

    @Test func `an idle hour fills the bucket no higher than its burst`() {
        var bucket = TokenBucket(burst: 1, perSecond: 1, now: start)
        let later = start.advanced(by: .seconds(3_600))
        #expect(bucket.take(now: later) == .zero)
        #expect(bucket.take(now: later) == .seconds(1))
    }

    @Test func `what must not wait gets a token or none, and one refused costs nothing`() {
        var bucket = TokenBucket(burst: 2, perSecond: 1, now: start)
        let taken = (1...5).map { _ in bucket.takeIfThere(now: start) }
        #expect(taken == [true, true, false, false, false])
        #expect(!bucket.isFull(now: start.advanced(by: .seconds(1))))
        #expect(bucket.isFull(now: start.advanced(by: .seconds(2))))
        let later = (1...2).map { _ in bucket.takeIfThere(now: start.advanced(by: .seconds(1))) }
        #expect(later == [true, false])
    }
}
