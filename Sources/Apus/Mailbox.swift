/// Where a handler's own task waits for its next message.
///
/// An executor that keeps a task until there is a message for it, and then lets it go on on the connection's loop. To
/// hop to it is a suspension, like waiting for a continuation, without the bookkeeping of one
/// (`docs/decisions/0016-a-handler-waits-in-a-mailbox.md`). What it keeps stands in ``WebSocket/Inbound``.
@usableFromInline
actor Mailbox: SerialExecutor {
    /// Its owner, which is there as long as a task waits.
    private nonisolated let socket: Unmanaged<WebSocket>

    init(of socket: WebSocket) { self.socket = .passUnretained(socket) }

    @usableFromInline
    nonisolated var unownedExecutor: UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Called by the Swift runtime, on the loop, with a task that is suspended.
    @usableFromInline
    nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        socket._withUnsafeGuaranteedRef { $0.waitInMailbox(job) }
    }

    /// What came, for the task that was suspended before this call.
    @usableFromInline
    func take() throws(WebSocketError) -> Message? {
        if let message = socket._withUnsafeGuaranteedRef({ $0.takeMessage() }) { return message }
        return try socket.takeUnretainedValue().endOfMessages()
    }
}
