/// A closure for all messages of a connection, and the task that waits for the last one.
///
/// For a handler's own task it is what a ``Mailbox`` is: an executor that keeps the task until there is an outcome.
actor Receiver: SerialExecutor {
    typealias Body = @Sendable (borrowing BorrowedMessage) throws -> Void
    typealias Outcome = Result<Void, any Error>

    nonisolated let body: Body
    private nonisolated let eventLoop: EventLoop
    private nonisolated(unsafe) let handlerJob: UnsafeMutableRawPointer?
    /// Of any other task.
    nonisolated let wait: Wait?
    private nonisolated let continuation: UnsafeContinuation<Outcome, Never>?
    /// What only the loop's thread touches.
    @exclusivity(unchecked) private nonisolated(unsafe) var job: UnownedJob?
    @exclusivity(unchecked) private nonisolated(unsafe) var outcome: Outcome?

    /// For the handler's own task, which is cancelled only when the connection is closed as well. A child that began at
    /// once within that task's job does not stay, and finds no outcome.
    init(_ body: @escaping Body, on eventLoop: EventLoop, handlerJob: UnsafeMutableRawPointer?) {
        self.body = body
        self.eventLoop = eventLoop
        self.handlerJob = handlerJob
        wait = nil
        continuation = nil
    }

    /// For any other task.
    init(
        _ body: @escaping Body, on eventLoop: EventLoop, wait: Wait, continuation: UnsafeContinuation<Outcome, Never>
    ) {
        self.body = body
        self.eventLoop = eventLoop
        handlerJob = nil
        self.wait = wait
        self.continuation = continuation
    }

    /// Whether the task that waits keeps it alive until it has gone on, as a handler's own task does.
    nonisolated var isHeldByTask: Bool { continuation == nil }

    nonisolated var unownedExecutor: UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Called by the Swift runtime, on the loop, with the handler's own task.
    nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.job = job
        if outcome != nil || job.address != handlerJob { resume() }
    }

    /// On the loop, once.
    nonisolated func finish(_ outcome: Outcome) {
        self.outcome = outcome
        continuation?.resume(returning: outcome)
        resume()
    }

    private nonisolated func resume() {
        guard let job else { return }
        self.job = nil
        eventLoop.handle.enqueue(job, isSerial: false)
    }

    /// How it ended, for the task that was suspended before this call.
    func end() -> Outcome? { outcome }
}
