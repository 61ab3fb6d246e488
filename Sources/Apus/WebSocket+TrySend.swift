/// Sending without waiting: from a closure of ``WebSocket/receive(_:)``, or wherever nothing may suspend.
extension WebSocket {
    /// Sends a text message if it can be sent, or queued, now. Never suspends.
    ///
    /// From another thread the answer rests on what was known last: a message answered with ``SendResult/sent`` may
    /// still find the connection closed.
    @discardableResult
    public func trySend(_ text: String) -> SendResult {
        guard isOnLoop else { return post(.text(text)) }
        return result(of: attempt(text))
    }

    /// Sends a binary message; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ bytes: [UInt8]) -> SendResult {
        guard isOnLoop else { return post(.binary(bytes)) }
        return result(of: attempt(bytes))
    }

    /// Sends a message; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ message: Message) -> SendResult {
        guard isOnLoop else { return post(message) }
        return result(of: attempt(message))
    }

    /// Sends a message that came in, without a copy of it; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ message: borrowing BorrowedMessage) -> SendResult {
        guard _fastPath(isOnLoop) else { return post(message) }
        let isText = message.isText
        return message.bytes.withUnsafeBytes { result(of: attempt(isText: isText, $0)) }
    }

    /// Sends bytes as a binary message, without a copy where the socket takes them at once; else as
    /// ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(bytes: RawSpan) -> SendResult {
        bytes.withUnsafeBytes { bytes in
            guard isOnLoop else { return trySend([UInt8](bytes)) }
            return result(of: attempt(isText: false, bytes))
        }
    }

    @inline(__always)
    private func result(of attempt: Attempt) -> SendResult {
        attempt.isSent ? .sent : refused(attempt)
    }

    @inline(never)
    private func refused(_ attempt: Attempt) -> SendResult {
        switch attempt.outcome {
        case .sent: return .sent
        case .full:
            // Asks to hear of the end of it, for those on other threads.
            status.setFull(handle?.wantDrain() == true)
            return .full
        case .dropped: return .full
        case .failed: return .closed
        }
    }

    @inline(never)
    private func post(_ message: borrowing BorrowedMessage) -> SendResult { post(message.message) }

    /// What a message on its way to the loop takes up beside its bytes: the call, and its place in the inbox.
    private static let postByteCount = 256

    private func post(_ message: Message) -> SendResult {
        if status.ending != nil { return .closed }
        let byteCount = Self.postByteCount + message.byteCount
        guard !status.isFull, status.admitPost(of: byteCount) else { return .full }
        eventLoop.post {
            self.status.completePost(of: byteCount)
            self.trySend(message)
        }
        return .sent
    }
}
