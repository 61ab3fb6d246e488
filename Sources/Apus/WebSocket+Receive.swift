/// Receiving by a closure: one suspension for the whole connection.
extension WebSocket {
    /// Calls `body` with every message, borrowed, straight from the event loop, until the connection ends.
    ///
    /// The cheapest way to receive: the task suspends once, and nothing is allocated for a message. `body` runs on the
    /// loop's thread, one message at a time and in order, and must not block. Within it, ``trySend(_:)-(String)`` and
    /// its kin are the way to answer, and ``startClosing(_:reason:)`` is the way to close.
    ///
    /// A task that `body` starts outlives the message, so it needs a copy: `let copy = message.message`, outside of the
    /// task.
    ///
    /// - Parameter body: what to do with a message. When it throws, receiving stops and the error is thrown here.
    /// - Throws: what `body` throws, or a ``WebSocketError`` as ``Iterator/next(isolation:)`` does. Returns when the
    ///   peer has closed.
    public func receive(_ body: @escaping @Sendable (borrowing BorrowedMessage) throws -> Void) async throws {
        guard eventLoop.handle.isRunning(handlerJob) else { return try await receiveElsewhere(body) }
        let receiver = Receiver(body, on: eventLoop, handlerJob: handlerJob)
        startReceiving(receiver)
        if let outcome = await receiver.end() { return try outcome.get() }
        abandon(receiver)
        try await receiveElsewhere(body)
    }

    /// The same by another task than the handler's own, or from another thread. Never inlined: the frame of a task that
    /// does not need it would hold it all the same.
    @inline(never)
    private func receiveElsewhere(_ body: @escaping Receiver.Body) async throws {
        let wait = Wait()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop {
                    self.startReceiving(
                        Receiver(body, on: self.eventLoop, wait: wait, continuation: continuation))
                }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelReceiver(wait) }
        }
        try outcome.get()
    }

    private func startReceiving(_ receiver: Receiver) {
        guard !isReceiving else {
            return receiver.finish(.failure(WebSocketError.alreadyReceiving))
        }
        guard receiver.wait?.isCancelled != true else {
            return receiver.finish(.failure(WebSocketError.cancelledReceiving))
        }
        inbound.receiver = Unmanaged.passRetained(receiver)
        giveUnread()
        demandAll()
        if ending != nil { endReceiver() }
    }

    /// Gives out the messages that nobody had taken when the core freed the connection.
    private func giveUnread() {
        while let receiver = inbound.receiver, let message = inbound.unread.popLast() {
            message.lend { receive($0, by: receiver) }
        }
    }

    /// The task that gave the closure is to wait elsewhere; no message has come meanwhile.
    private func abandon(_ receiver: Receiver) {
        guard let current = inbound.receiver, current.toOpaque() == Unmanaged.passUnretained(receiver).toOpaque() else {
            return
        }
        inbound.receiver = nil
        demandNone()
        current.release()
    }

    private func cancelReceiver(_ wait: Wait) {
        guard let receiver = inbound.receiver, receiver._withUnsafeGuaranteedRef({ $0.wait === wait }) else { return }
        stopReceiving(.failure(WebSocketError.cancelledReceiving))
    }

    @inline(__always)
    func receive(_ message: borrowing BorrowedMessage, by receiver: Unmanaged<Receiver>) {
        do {
            try receiver._withUnsafeGuaranteedRef { try $0.body(message) }
        } catch {
            stopReceiving(.failure(error))
        }
    }

    private func stopReceiving(_ outcome: Receiver.Outcome) {
        guard let receiver = inbound.receiver else { return }
        inbound.receiver = nil
        demandNone()
        let isHeldByTask = receiver._withUnsafeGuaranteedRef { receiver in
            receiver.finish(outcome)
            return receiver.isHeldByTask
        }
        // Its closure may stand below us on the stack, and has returned by the time that a task goes on, or that posted
        // calls run.
        if isHeldByTask { receiver.release() } else { eventLoop.post { receiver.release() } }
    }

    func endReceiver() {
        if let error = ending?.error {
            stopReceiving(.failure(error))
        } else {
            stopReceiving(.success(()))
        }
    }
}
