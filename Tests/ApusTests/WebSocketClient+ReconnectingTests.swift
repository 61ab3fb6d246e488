@testable import Apus
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// A clock that stands still until somebody sleeps, and is there then.
private final class TestClock: Clock, Sendable {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Self { Self(offset: offset + duration) }
        func duration(to other: Self) -> Duration { other.offset - offset }
        static func < (one: Self, other: Self) -> Bool { one.offset < other.offset }
    }

    private let time = Mutex(Duration.zero)
    let sleeps = Log<Duration>()
    var now: Instant { Instant(offset: time.withLock { $0 }) }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        sleeps.append(now.duration(to: deadline))
        advance(by: now.duration(to: deadline))
    }

    func advance(by duration: Duration) { time.withLock { $0 += duration } }
}

private struct Mistake: Error {}

@Suite(.timeLimit(.minutes(1)))
struct ReconnectingTests {
    typealias Reconnection = WebSocketClient.Reconnection

    private func settings(_ change: (inout Reconnection) -> Void = { _ in }) -> Reconnection {
        var settings = Reconnection()
        settings.initialDelay = .seconds(1)
        settings.maxDelay = .seconds(10)
        change(&settings)
        return settings
    }

    /// Lets the attempts end as told, each after its time, and notes the waits between them.
    private func waits(
        _ settings: Reconnection, random: Double = 1, _ ends: [(Duration, Result<CloseCode?, any Error>)]
    ) async throws -> [Duration] {
        let clock = TestClock()
        let rest = Mutex(ends[...])
        do {
            try await WebSocketClient.reconnecting(settings, clock: clock, random: { random }, .silent) {
                let (duration, end) = try #require(rest.withLock { $0.popFirst() })
                clock.advance(by: duration)
                return try end.get()
            }
        } catch is Mistake {}
        #expect(rest.withLock { $0.isEmpty })
        return clock.sleeps.all
    }

    private static let lost = Result<CloseCode?, any Error>.failure(WebSocketError(.connectionLost, "lost"))

    @Test func `the waits grow up to the longest`() async throws {
        let last: (Duration, Result<CloseCode?, any Error>) = (.zero, .success(nil))
        let ends = Array(repeating: (Duration.zero, Self.lost), count: 6) + [last]
        #expect(
            try await waits(settings(), ends) == [
                .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10),
            ])
    }

    @Test func `the wait is left to chance as far as jitter says`() async throws {
        let ends: [(Duration, Result<CloseCode?, any Error>)] = [
            (.zero, Self.lost), (.zero, Self.lost), (.zero, .success(nil)),
        ]
        #expect(try await waits(settings(), random: 0.25, ends) == [.milliseconds(250), .milliseconds(500)])
        #expect(try await waits(settings { $0.jitter = 0.5 }, random: 0, ends) == [.milliseconds(500), .seconds(1)])
        #expect(try await waits(settings { $0.jitter = 0 }, random: 0, ends) == [.seconds(1), .seconds(2)])
    }

    @Test func `a connection that lasts ends the row of failures`() async throws {
        let ends: [(Duration, Result<CloseCode?, any Error>)] = [
            (.zero, Self.lost), (.seconds(29), Self.lost), (.seconds(30), Self.lost), (.zero, .success(nil)),
        ]
        #expect(try await waits(settings(), ends) == [.seconds(1), .seconds(2), .seconds(1)])
    }

    @Test func `after too many failures in a row the last error is thrown`() async throws {
        let ends = [(Duration.zero, Self.lost), (.zero, Self.lost), (.zero, Self.lost)]
        let code = await errorCode { _ = try await waits(settings { $0.maxAttempts = 2 }, ends) }
        #expect(code == .connectionLost)
    }

    @Test func `an error that will not pass ends it, and so does the handler's own`() async throws {
        let refused = WebSocketError(.handshakeRefused, "no", response: .notFound)
        #expect(await errorCode { _ = try await waits(settings(), [(.zero, .failure(refused))]) } == .handshakeRefused)
        #expect(try await waits(settings(), [(.zero, .failure(Mistake()))]) == [])
    }

    @Test func `a close that will not pass ends it without an error`() async throws {
        #expect(try await waits(settings(), [(.zero, .success(.normalClosure))]) == [])
    }

    @Test func `who decides may go on after anything`() async throws {
        let always = settings { $0.shouldReconnect = { _ in true } }
        let ends: [(Duration, Result<CloseCode?, any Error>)] = [
            (.zero, .success(.policyViolation)), (.zero, .success(nil)),
        ]
        #expect(try await waits(always, ends) == [.seconds(1)])
    }

    @Test(arguments: [
        (Reconnection.End.closed(.goingAway), true), (.closed(.serviceRestart), true), (.closed(.normalClosure), false),
        (.closed(.policyViolation), false), (.closed(.init(rawValue: 4000)), false),
        (.failed(.init(.cannotConnect, "")), true), (.failed(.init(.timedOut, "")), true),
        (.failed(.init(.invalidArgument, "")), false), (.failed(.init(.protocolViolation, "")), false),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .serviceUnavailable))), true),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .tooManyRequests))), true),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .unauthorized))), false),
    ])
    func `what may pass is told from what will not`(end: Reconnection.End, isTransient: Bool) {
        #expect(end.isTransient == isTransient)
    }

    @Test func `settings that cannot work are refused`() async {
        for change: @Sendable (inout Reconnection) -> Void in [
            { $0.multiplier = 0.5 }, { $0.multiplier = .infinity }, { $0.jitter = 1.1 }, { $0.jitter = .nan },
            { $0.initialDelay = .seconds(-1) }, { $0.maxAttempts = -1 },
        ] {
            let code = await errorCode {
                try await WebSocketClient.reconnecting("ws://127.0.0.1", reconnection: settings(change)) { _ in }
            }
            #expect(code == .invalidConfiguration)
        }
    }

    @Test func `the longest waits of all overflow nothing`() {
        var backoff = Backoff(
            settings {
                $0.multiplier = .greatestFiniteMagnitude
                $0.maxDelay = .milliseconds(Int64(UInt32.max))
            })
        for _ in 0..<10 {
            #expect(backoff.nextDelay(after: .zero, random: 1)! <= .milliseconds(Int64(UInt32.max)))
        }
    }

    @Test func `a cancelled task reconnects no more`() async throws {
        let attempts = Log<Int>()
        let task = Task {
            await errorCode {
                try await WebSocketClient.reconnecting(settings(), clock: TestClock(), random: { 1 }, .silent) {
                    attempts.append(1)
                    withUnsafeCurrentTask { $0?.cancel() }
                    return .goingAway
                }
            }
        }
        #expect(await task.value == .cancelled)
        #expect(attempts.all == [1])
    }

    @Test func `a server that comes back is found again`() async throws {
        let greetings = Log<String>()
        try await withServer { socket in
            _ = try await socket.next()
            try await socket.close(greetings.all.count < 3 ? .serviceRestart : .normalClosure)
        } body: { _, port in
            let quick = settings { $0.initialDelay = .zero }
            try await WebSocketClient.reconnecting("ws://127.0.0.1:\(port)/", reconnection: quick) { socket in
                greetings.append("hello")
                try await socket.send("hello")
                for try await _ in socket {}
            }
        }
        #expect(greetings.all.count == 3)
    }
}
