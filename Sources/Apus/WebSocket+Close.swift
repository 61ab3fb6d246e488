extension WebSocket {
    /// Closes the connection (RFC 6455 §7.1.2) and waits until the peer has answered.
    ///
    /// Suspends at most for ``WebSocketServer/Configuration/closeTimeout``. What the peer sends before its answer is
    /// dropped. Closing what is closed already does nothing.
    ///
    /// - Parameters:
    ///   - code: one that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999;
    ///     ``CloseCode/noStatus`` for a Close without
    ///     one, which takes no reason either.
    ///   - reason: at most 123 bytes of UTF-8.
    /// - Throws: ``WebSocketError`` with the code `invalidArgument`, and then nothing was sent.
    public func close(_ code: CloseCode = .normalClosure, reason: String = "") async throws(WebSocketError) {
        let error: WebSocketError? = await withUnsafeContinuation { continuation in
            onLoop { continuation.resume(returning: self.startClosing(code, reason: reason)) }
        }
        if let error { throw error }
        await withUnsafeContinuation { continuation in
            onLoop { self.waitForEnd(continuation) }
        }
    }

    /// Drops the connection at once, without a word to the peer.
    public func abort() {
        onLoop { self.handle?.abort() }
    }

    /// On the loop. The error says that the arguments are not valid.
    @discardableResult
    func startClosing(_ code: CloseCode, reason: String = "") -> WebSocketError? {
        guard let handle, ending == nil else { return nil }
        return handle.close(code, reason: reason)
    }

    private func waitForEnd(_ continuation: UnsafeContinuation<Void, Never>) {
        guard ending == nil else {
            continuation.resume()
            return
        }
        outbound.closers.append(continuation)
    }
}
