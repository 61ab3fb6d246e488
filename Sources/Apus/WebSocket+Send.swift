/// Sending by a task, which waits where the peer is slow.
extension WebSocket {
    /// Sends a text message.
    ///
    /// Suspends only while the outbound queue is full (``WebSocketServer/Configuration/maxOutboundBytes``) and the
    /// policy is to wait. What one task sends arrives in order; many tasks may send at once. In a cancelled task it
    /// still sends what can be sent, or queued, at once, and throws where it would have to wait.
    ///
    /// - Throws: ``WebSocketError``: `connectionClosed`, `slowConsumer` (by the policy `close`), `outOfResources`, or
    ///   `cancelled` where the queue is full and the task is cancelled; in each case the message was not sent.
    @inlinable
    @inline(__always)
    @concurrent
    public func send(_ text: String) async throws(WebSocketError) {
        if try isSentAtOnce(text) { return }
        try await sendWaiting(.text(text))
        await settle()
    }

    /// Sends a binary message; else as ``send(_:)-(String)``.
    @inlinable
    @inline(__always)
    @concurrent
    public func send(_ bytes: [UInt8]) async throws(WebSocketError) {
        if try isSentAtOnce(bytes) { return }
        try await sendWaiting(.binary(bytes))
        await settle()
    }

    /// Sends a message; else as ``send(_:)-(String)``.
    @inlinable
    @inline(__always)
    @concurrent
    public func send(_ message: Message) async throws(WebSocketError) {
        if try isSentAtOnce(message) { return }
        try await sendWaiting(message)
        await settle()
    }
}

extension WebSocket {
    /// What the sending side waits for.
    struct Outbound {
        /// Tasks that wait until a part of the queue has left, and then try again.
        var waiters: [(wait: Wait, continuation: UnsafeContinuation<Void, Never>)] = []
        /// Whether a task sends a message in parts.
        var isInParts = false
        /// The number of that message, or of the next one.
        var turn: UInt64 = 0
        /// Tasks that wait until they may, and hear the number of their message, or that they may not.
        var writers: [(wait: Wait, continuation: UnsafeContinuation<UInt64?, Never>)] = []
        /// Tasks that wait for the connection's end.
        var closers: [UnsafeContinuation<Void, Never>] = []
    }

    /// Whether a message is sent already, because we are on the loop and the queue is not full.
    @usableFromInline
    func isSentAtOnce(_ text: String) throws(WebSocketError) -> Bool {
        guard isOnLoop else { return false }
        return try isSent(attempt(text))
    }

    @usableFromInline
    func isSentAtOnce(_ bytes: [UInt8]) throws(WebSocketError) -> Bool {
        guard isOnLoop else { return false }
        return try isSent(attempt(bytes))
    }

    @usableFromInline
    func isSentAtOnce(_ message: Message) throws(WebSocketError) -> Bool {
        guard isOnLoop else { return false }
        return try isSent(attempt(message))
    }

    @inline(__always)
    func attempt(_ text: String) -> Attempt {
        text.utf8.span.withUnsafeBytes { attempt(isText: true, $0) }
    }

    @inline(__always)
    func attempt(_ bytes: [UInt8]) -> Attempt {
        bytes.withUnsafeBytes { attempt(isText: false, $0) }
    }

    @inline(__always)
    func attempt(_ message: Message) -> Attempt {
        switch message {
        case .text(let text): attempt(text)
        case .binary(let bytes): bytes.withUnsafeBytes { attempt(isText: false, $0) }
        }
    }

    /// Whether there is nothing left to do for a message.
    @inline(__always)
    private func isSent(_ attempt: Attempt) throws(WebSocketError) -> Bool {
        if attempt.isSent { return true }
        return try isSettled(attempt)
    }

    @inline(never)
    private func isSettled(_ attempt: Attempt) throws(WebSocketError) -> Bool {
        switch attempt.outcome {
        case .sent, .dropped: return true
        case .full: return false
        case .failed(let error): throw error
        }
    }

    /// The way of a message from another thread, or to a full queue.
    @usableFromInline
    func sendWaiting(_ message: Message) async throws(WebSocketError) {
        while true {
            if try isSent(await eventLoop.run { self.attempt(message) }) { return }
            guard !Task.isCancelled else {
                throw WebSocketError(.cancelled, "the task was cancelled while it waited to send")
            }
            await waitForDrain()
        }
    }

    /// Returns when it is worth trying again, or to look whether the task was cancelled.
    package func waitForDrain() async {
        let wait = Wait()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.waitForDrain(continuation, wait) }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelWaitForDrain(wait) }
        }
    }

    private func waitForDrain(_ continuation: UnsafeContinuation<Void, Never>, _ wait: Wait) {
        guard !wait.isCancelled, handle?.wantDrain() == true else {
            continuation.resume()
            return
        }
        status.setFull(true)
        outbound.waiters.append((wait, continuation))
    }

    private func cancelWaitForDrain(_ wait: Wait) {
        guard let index = outbound.waiters.firstIndex(where: { $0.wait === wait }) else { return }
        outbound.waiters.remove(at: index).continuation.resume()
    }

    /// A part of the queue has left.
    func outboundDrained() {
        status.setFull(false)
        let waiters = outbound.waiters
        outbound.waiters = []
        for waiter in waiters { waiter.continuation.resume() }
    }

    func endSending() {
        outboundDrained()
        let closers = outbound.closers
        outbound.closers = []
        endWriters()
        for closer in closers { closer.resume() }
    }
}
