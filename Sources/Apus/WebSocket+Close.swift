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
        try startClosing(code, reason: reason)
        await withUnsafeContinuation { continuation in
            onLoop { self.waitForEnd(continuation) }
        }
    }

    /// Starts to close the connection, and waits for nothing: for the closure of ``receive(_:)``, or wherever nothing
    /// may suspend.
    ///
    /// ```swift
    /// try await socket.receive { message in
    ///     guard message.isText else { return try socket.startClosing(.unsupportedData, reason: "text only") }
    ///     socket.trySend(message)
    /// }
    /// ```
    ///
    /// From then on nothing can be sent, what the peer sends before its answer is dropped, and the closure is called no
    /// more. A task that receives waits on for the end, which comes within
    /// ``WebSocketServer/Configuration/closeTimeout``. Closing what is closed already does nothing.
    ///
    /// - Parameters:
    ///   - code: as for ``close(_:reason:)``.
    ///   - reason: likewise.
    /// - Throws: ``WebSocketError`` with the code `invalidArgument`, and then nothing was sent.
    public func startClosing(_ code: CloseCode = .normalClosure, reason: String = "") throws(WebSocketError) {
        guard code.isSendable(with: reason) else {
            throw WebSocketError(
                .invalidArgument,
                "a Close takes a code from 1000 to 1003, 1007 to 1014 or 3000 to 4999, and at most 123 bytes of reason")
        }
        onLoop {
            // Messages that were read before may still wait for the closure.
            if self.inbound.receiver != nil, self.ending == nil { self.demandNone() }
            self.sendClose(code, reason: reason)
        }
    }

    /// Drops the connection at once, without a word to the peer.
    public func abort() {
        onLoop { self.handle?.abort() }
    }

    /// On the loop, with a code that may be sent.
    func sendClose(_ code: CloseCode, reason: String = "") {
        guard ending == nil else { return }
        handle?.close(code, reason: reason)
    }

    private func waitForEnd(_ continuation: UnsafeContinuation<Void, Never>) {
        guard ending == nil else {
            continuation.resume()
            return
        }
        outbound.closers.append(continuation)
    }
}
