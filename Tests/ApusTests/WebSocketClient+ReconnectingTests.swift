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
    private let ignoresCancellation: Bool
    private let actionOnSleep = Mutex<@Sendable () -> Void>({})
    let sleeps = Log<Duration>()
    var now: Instant { Instant(offset: time.withLock { $0 }) }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        actionOnSleep.withLock { $0 }()
        if !ignoresCancellation { try Task.checkCancellation() }
        sleeps.append(now.duration(to: deadline))
        advance(by: now.duration(to: deadline))
    }

    init(ignoresCancellation: Bool = false) { self.ignoresCancellation = ignoresCancellation }

    /// What happens when somebody begins to sleep.
    var onSleep: @Sendable () -> Void {
        get { actionOnSleep.withLock { $0 } }
        set { actionOnSleep.withLock { $0 = newValue } }
    }

    func advance(by duration: Duration) { time.withLock { $0 += duration } }
}

private struct Mistake: Error {}

@Suite(.withPeers, .timeLimit(.minutes(5)))
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
        let attempts = Log<WebSocketClient.Attempt>()
        do {
            try await WebSocketClient.reconnecting(
                settings, clock: clock, random: { random }, .silent, destination: { attempts.append($0) }
            ) { _ in
                let (duration, end) = try #require(rest.withLock { $0.popFirst() })
                clock.advance(by: duration)
                return try end.get()
            }
        } catch is Mistake {}
        #expect(rest.withLock { $0.isEmpty })
        #expect(attempts.all.map(\.number) == Array(0..<ends.count))
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
        (.failed(.init(.handshakeRefused, "", response: Response(status: .tooEarly))), true),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .requestTimeout))), true),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .internalServerError))), true),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .init(code: 499)))), false),
        (.failed(.init(.handshakeRefused, "", response: Response(status: .unauthorized))), false),
        (.failed(.init(.handshakeRefused, "")), false), (.closed(.abnormalClosure), true),
        (.closed(.internalError), true), (.closed(.tryAgainLater), true), (.closed(.badGateway), true),
        (.closed(.noStatus), false), (.failed(.init(.connectionLost, "")), true),
        (.failed(.init(.slowConsumer, "")), true), (.failed(.init(.outOfResources, "")), true),
        (.failed(.init(.untrustedCertificate, "")), false), (.failed(.init(.cancelled, "")), false),
    ])
    func `what may pass is told from what will not`(end: Reconnection.End, isTransient: Bool) {
        #expect(end.isTransient == isTransient)
    }

    @Test(arguments: [400, 401, 403, 404, 407, 408, 409, 424, 425, 426, 429, 499, 500, 501, 502, 503, 504, 599])
    func `of the statuses that refuse a handshake 408, 425, 429 and 5xx may pass`(status: Int) {
        let error = WebSocketError(.handshakeRefused, "", response: Response(status: .init(code: status)))
        #expect(Reconnection.End.failed(error).isTransient == ([408, 425, 429].contains(status) || status >= 500))
    }

    @Test func `settings that cannot work are refused`() async {
        for change: @Sendable (inout Reconnection) -> Void in [
            { $0.multiplier = 0.5 }, { $0.multiplier = .infinity }, { $0.jitter = 1.1 }, { $0.jitter = .nan },
            { $0.initialDelay = .seconds(-1) }, { $0.maxAttempts = -1 }, { $0.maxRetryAfter = .seconds(-1) },
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

    /// A clock that does not look whether its task is cancelled tells who does.
    @Test func `a cancelled task reconnects no more, and does not even wait`() async throws {
        let (attempts, clock) = (Log<Int>(), TestClock(ignoresCancellation: true))
        let task = Task {
            await errorCode {
                try await WebSocketClient.reconnecting(
                    settings(), clock: clock, random: { 1 }, .silent, destination: { attempts.append($0.number) }
                ) { _ in
                    withUnsafeCurrentTask { $0?.cancel() }
                    return attempts.all.count < 3 ? .goingAway : nil
                }
            }
        }
        #expect(await task.value == .cancelled)
        #expect(attempts.all == [0])
        #expect(clock.sleeps.all.isEmpty)
    }

    @Test func `a task that is cancelled while it waits makes no other attempt`() async throws {
        let (attempts, clock) = (Log<Int>(), TestClock())
        clock.onSleep = { withUnsafeCurrentTask { $0?.cancel() } }
        let task = Task {
            await errorCode {
                try await WebSocketClient.reconnecting(
                    settings(), clock: clock, random: { 1 }, .silent, destination: { attempts.append($0.number) }
                ) { _ in .goingAway }
            }
        }
        #expect(await task.value == .cancelled)
        #expect(attempts.all == [0])
    }

    @Test func `each attempt is told what became of the last one`() async throws {
        let attempts = Log<WebSocketClient.Attempt>()
        let clock = TestClock()
        let ends = Mutex<[Result<CloseCode?, any Error>]>([Self.lost, .success(.serviceRestart), .success(nil)])
        try await WebSocketClient.reconnecting(
            settings(), clock: clock, random: { 1 }, .silent,
            destination: { attempt in
                attempts.append(attempt)
                return "to \(attempt.number)"
            }
        ) { target in
            #expect(target == "to \(attempts.all.count - 1)")
            if attempts.all.count == 2 { clock.advance(by: .seconds(30)) }
            return try ends.withLock { $0.removeFirst() }.get()
        }
        #expect(attempts.all.map(\.failures) == [0, 1, 1])
        guard
            case (nil, .failed(let error), .closed(let code)) =
                (attempts.all[0].lastEnd, attempts.all[1].lastEnd, attempts.all[2].lastEnd)
        else {
            Issue.record("these were other ends")
            return
        }
        #expect(error.code == .connectionLost)
        #expect(code == .serviceRestart)
    }

    @Test func `what the closure for a destination throws ends the attempts, whatever it is`() async throws {
        let attempts = Log<Int>()
        let code = await errorCode {
            try await WebSocketClient.reconnecting(
                settings(), clock: TestClock(), random: { 1 }, .silent,
                destination: { attempt in
                    attempts.append(attempt.number)
                    if attempt.number == 1 { throw WebSocketError(.timedOut, "no token") }
                }
            ) { _ in try Self.lost.get() }
        }
        #expect(code == .timedOut)
        #expect(attempts.all == [0, 1])
    }

    private static func refusal(_ status: HTTPResponse.Status, _ fields: HTTPFields) -> Result<CloseCode?, any Error> {
        .failure(WebSocketError(.handshakeRefused, "", response: Response(status: status, headerFields: fields)))
    }

    @Test(arguments: [HTTPResponse.Status.tooEarly, .tooManyRequests, .serviceUnavailable])
    func `a server that says when to come again is believed`(status: HTTPResponse.Status) async throws {
        let ends: [(Duration, Result<CloseCode?, any Error>)] = [
            (.zero, Self.refusal(status, [.retryAfter: "7"])),
            (
                .zero,
                Self.refusal(
                    status,
                    [.retryAfter: "Sun, 06 Nov 1994 08:50:37 GMT", .date: "Sun, 06 Nov 1994 08:49:37 GMT"])
            ),
            (.zero, Self.refusal(status, [.retryAfter: "99999999999999999999"])),
            (.zero, Self.refusal(status, [.retryAfter: "soon"])),
            (.zero, .success(nil)),
        ]
        #expect(
            try await waits(settings { $0.maxRetryAfter = .seconds(100) }, ends) == [
                .seconds(1 + 7), .seconds(2 + 60), .seconds(4 + 100), .seconds(8),
            ])
    }

    @Test func `a token that has expired is replaced, and the next attempt has the new one`() async throws {
        let tokens = Log<String?>()
        try await withServer(
            upgrade: { request in
                tokens.append(request.headerFields[.authorization])
                let isNew = request.headerFields[.authorization] == "Bearer new"
                return isNew ? .accept(subprotocol: "second") : .reject(Response(status: .unauthorized))
            },
            handler: { _ in }
        ) { _, port in
            let quick = settings {
                $0.initialDelay = .zero
                $0.shouldReconnect = { $0.isTransient || $0.status == .unauthorized }
            }
            try await WebSocketClient.reconnecting(reconnection: quick, logger: .silent) { attempt in
                let isRefused = attempt.lastEnd?.status == .unauthorized
                var destination = WebSocketClient.Destination("ws://127.0.0.1:\(port)/\(attempt.number)")
                destination.configuration.headerFields[.authorization] = isRefused ? "Bearer new" : "Bearer old"
                destination.configuration.subprotocols = [isRefused ? "second" : "first"]
                return destination
            } handler: { socket in
                #expect(socket.subprotocol == "second")
                #expect(socket.request.path == "/1")
            }
        }
        #expect(tokens.all == ["Bearer old", "Bearer new"])
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
