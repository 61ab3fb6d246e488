/// Sending a large message in parts, in bounded memory.
extension WebSocket {
    /// Sends one message in parts, none of which has to wait for the next (RFC 6455 §5.4).
    ///
    /// ```swift
    /// try await socket.sendInParts(.binary) { message in
    ///     while let bytes = try await file.read() { try await message.write(bytes) }
    /// }
    /// ```
    ///
    /// The message ends when `body` returns. Other messages of this connection, a topic's too, go out behind it, and
    /// count as queued until then; pings, pongs and closes go in between. A second one in parts waits until the first
    /// has ended. Parts are not compressed.
    ///
    /// - Throws: what `body` throws; where the message had begun it cannot be taken back, so the connection is then
    ///   closed with 1011. Or a ``WebSocketError``: `connectionClosed`, `outOfResources`, or `cancelled`, where `body`
    ///   was not even called if the task was cancelled while it waited for its turn.
    public func sendInParts(_ kind: MessageKind, _ body: (MessageWriter) async throws -> Void) async throws {
        let turn = try await waitForTurn()
        let writer = MessageWriter(socket: self, kind: kind, turn: turn)
        do {
            try await body(writer)
            try await sendPart(kind, [], isLast: true, turn)
        } catch {
            onLoop { self.endTurn() }
            throw error
        }
        onLoop { self.endTurn() }
    }

    /// Waits until the queue takes the part; cancelled only together with the message.
    fileprivate func sendPart(
        _ kind: MessageKind, _ bytes: [UInt8], isLast: Bool, _ turn: UInt64
    ) async throws(WebSocketError) {
        while true {
            guard !Task.isCancelled else {
                throw WebSocketError(.cancelled, "the task was cancelled while it sent a message in parts")
            }
            let attempt: Attempt? = await eventLoop.run {
                // At the connection's end all who wait for their turn go on, with the same number.
                if self.ending != nil { return Attempt.closed }
                guard turn == self.outbound.turn else { return nil }
                return bytes.withUnsafeBytes { self.attemptPart(isText: kind == .text, $0, isLast: isLast) }
            }
            guard let attempt else { throw .messageOver }
            switch attempt.outcome {
            case .sent: return
            case .full: await waitForDrain()
            case .dropped: throw .closed  // parts are not: the core has no policy for them
            case .failed(let error): throw error
            }
        }
    }

    /// The number of the message that may begin.
    private func waitForTurn() async throws(WebSocketError) -> UInt64 {
        let wait = Wait()
        let turn = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.waitForTurn(continuation, wait) }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelTurn(wait) }
        }
        guard let turn else {
            throw WebSocketError(.cancelled, "the task was cancelled while it waited for another message in parts")
        }
        return turn
    }

    private func waitForTurn(_ continuation: UnsafeContinuation<UInt64?, Never>, _ wait: Wait) {
        if wait.isCancelled {
            continuation.resume(returning: nil)
        } else if outbound.isInParts, ending == nil {
            outbound.writers.append((wait, continuation))
        } else {
            outbound.isInParts = true
            continuation.resume(returning: outbound.turn)
        }
    }

    private func cancelTurn(_ wait: Wait) {
        guard let index = outbound.writers.firstIndex(where: { $0.wait === wait }) else { return }
        outbound.writers.remove(at: index).continuation.resume(returning: nil)
    }

    /// On the loop: the next in turn; a message that was begun and not ended leaves only the end of the connection.
    private func endTurn() {
        if handle?.isSendingParts == true { sendClose(.internalError) }
        outbound.turn += 1
        if outbound.writers.isEmpty {
            outbound.isInParts = false
        } else {
            outbound.writers.removeFirst().continuation.resume(returning: outbound.turn)
        }
    }

    func endWriters() {
        let writers = outbound.writers
        outbound.writers = []
        for writer in writers { writer.continuation.resume(returning: outbound.turn) }
    }
}

/// What a message is made of (RFC 6455 §5.6).
public enum MessageKind: Hashable, Sendable {
    /// UTF-8 text.
    case text
    /// Bytes.
    case binary
}

/// Where the parts of a message go; see ``WebSocket/sendInParts(_:_:)``.
public struct MessageWriter: Sendable {
    fileprivate let socket: WebSocket
    fileprivate let kind: MessageKind
    fileprivate let turn: UInt64

    /// Sends the next part of a text message. Suspends while the outbound queue is full.
    ///
    /// - Throws: ``WebSocketError``: `connectionClosed`, `cancelled`, `outOfResources`, or `invalidArgument` where the
    ///   message is binary, or has ended.
    public func write(_ text: String) async throws(WebSocketError) {
        guard kind == .text else { throw .wrongKind }
        try await socket.sendPart(kind, Array(text.utf8), isLast: false, turn)
    }

    /// Sends the next part of a binary message. Suspends while the outbound queue is full.
    ///
    /// - Throws: ``WebSocketError``: `connectionClosed`, `cancelled`, `outOfResources`, or `invalidArgument` where the
    ///   message is text, which takes strings only, or has ended.
    public func write(_ bytes: [UInt8]) async throws(WebSocketError) {
        guard kind == .binary else { throw .wrongKind }
        try await socket.sendPart(kind, bytes, isLast: false, turn)
    }
}

extension WebSocketError {
    fileprivate static let messageOver = Self(
        .invalidArgument, "the message has ended with the closure that was given its writer")
    fileprivate static let wrongKind = Self(
        .invalidArgument, "a part of a text message is a String, one of a binary message an array of bytes")
}
