/// Sending without waiting: from a closure of ``WebSocket/receive(_:)``, or wherever nothing may suspend.
extension WebSocket {
    /// Sends a text message if it can be sent, or queued, now. Never suspends.
    ///
    /// From another thread the answer rests on what was known last: a message answered with ``SendResult/sent`` may
    /// still find the connection closed.
    @discardableResult
    public func trySend(_ text: String) -> SendResult {
        guard eventLoop.isCurrent else { return post(.text(text), byteCount: text.utf8.count) }
        return result(of: attempt(text))
    }

    /// Sends a binary message; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ bytes: [UInt8]) -> SendResult {
        guard eventLoop.isCurrent else { return post(.binary(bytes), byteCount: bytes.count) }
        return result(of: attempt(bytes))
    }

    /// Sends a message; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ message: Message) -> SendResult {
        switch message {
        case .text(let text): trySend(text)
        case .binary(let bytes): trySend(bytes)
        }
    }

    /// Sends a message that came in, without a copy of it; else as ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(_ message: borrowing BorrowedMessage) -> SendResult {
        guard eventLoop.isCurrent else { return trySend(message.message) }
        return message.bytes.withUnsafeBytes { bytes in
            result(of: attempt(isText: message.isText, bytes))
        }
    }

    /// Sends bytes as a binary message, without a copy where the socket takes them at once; else as
    /// ``trySend(_:)-(String)``.
    @discardableResult
    public func trySend(bytes: RawSpan) -> SendResult {
        bytes.withUnsafeBytes { bytes in
            guard eventLoop.isCurrent else { return trySend([UInt8](bytes)) }
            return result(of: attempt(isText: false, bytes))
        }
    }

    @inline(__always)
    private func result(of attempt: Attempt) -> SendResult {
        switch attempt {
        case .sent: .sent
        case .full: full()
        case .dropped: .full
        case .failed: .closed
        }
    }

    /// Asks to hear of the end of it, for those on other threads.
    private func full() -> SendResult {
        status.setFull(handle?.wantDrain() == true)
        return .full
    }

    private func post(_ message: Message, byteCount: Int) -> SendResult {
        if status.ending != nil { return .closed }
        guard !status.isFull, status.admitPost(of: byteCount) else { return .full }
        eventLoop.post {
            self.status.completePost(of: byteCount)
            self.trySend(message)
        }
        return .sent
    }
}
