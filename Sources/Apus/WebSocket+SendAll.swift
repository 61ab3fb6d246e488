/// What protocols upon WebSocket need of a connection beside messages of their own.
extension WebSocket {
    /// Sends messages that nothing may come between: all of them or none. On the loop.
    package func trySendAll(_ messages: [Message]) -> SendResult {
        if messages.count == 1 { return trySend(messages[0]) }
        switch attemptAll(messages).outcome {
        case .sent: return .sent
        case .full, .dropped: return .full
        case .failed: return .closed
        }
    }

    /// Sends a publication, which is shared and not copied, as soon as at most `queued` bytes wait for the peer.
    ///
    /// - Parameter queued: at least half of the connection's `maxOutboundBytes`, because that is what a wait ends at;
    ///   together with the publication no more than that, or the policy for slow consumers decides.
    /// - Throws: ``WebSocketError``: `connectionClosed`, or `cancelled` if the task was cancelled while it waited.
    package func send(_ publication: Publication, atMost queued: Int) async throws(WebSocketError) {
        while true {
            guard !Task.isCancelled else {
                throw WebSocketError(.cancelled, "the task was cancelled while it waited to send")
            }
            let isSent: Bool? = await eventLoop.run {
                guard self.ending == nil else { return nil }
                // A queue that will not be told to have drained is one of a connection that is closing.
                guard self.queuedBytes <= queued else { return self.handle?.wantDrain() == true ? false : nil }
                // A connection that is closing takes nothing, and would not say so.
                if case .failed = self.attemptAll([]).outcome { return nil }
                publication.send(to: self)
                return true
            }
            guard let isSent else { throw .closed }
            if isSent { return }
            await waitForDrain()
        }
    }

    /// Begins the closing handshake, and waits for nothing; from any thread.
    ///
    /// - Parameters:
    ///   - code: one that may be sent, as in ``close(_:reason:)``.
    ///   - reason: at most 123 bytes.
    package func beginClosing(_ code: CloseCode = .normalClosure, reason: String = "") {
        onLoop { self.sendClose(code, reason: reason) }
    }

    /// Bytes that wait for the peer to take them. On the loop.
    package var queuedBytes: Int { handle?.outboundBytes ?? 0 }
}

extension Request {
    /// Calls `body` on the connection's loop if the client goes away before the response is given, or has sent all it
    /// will, which looks the same; soon, if it has done so already.
    package func onDeparture(_ body: @escaping @Sendable () -> Void) {
        self.body.exchange?.onDeparture(body)
    }
}
