extension WebSocket {
    /// Sends a Ping (RFC 6455 §5.5.2) and waits for its Pong.
    ///
    /// The server pings idle connections by itself; this is for measuring, or for asking right now.
    ///
    /// - Returns: how long the answer took.
    /// - Throws: ``WebSocketError``: `connectionClosed`, or what ended the connection meanwhile.
    @discardableResult
    public func ping() async throws(WebSocketError) -> Duration {
        let start = ContinuousClock.now
        let result: Result<Void, WebSocketError> = await withUnsafeContinuation { continuation in
            onLoop { self.sendPing(continuation) }
        }
        try result.get()
        return ContinuousClock.now - start
    }

    /// Pings of the application that wait for their Pong, oldest first.
    struct Pings {
        var waiting: [(number: UInt64, continuation: UnsafeContinuation<Result<Void, WebSocketError>, Never>)] = []
        var last: UInt64 = 0
    }

    private func sendPing(_ continuation: UnsafeContinuation<Result<Void, WebSocketError>, Never>) {
        guard let handle, ending == nil else {
            continuation.resume(returning: .failure(.closed))
            return
        }
        pings.last += 1
        let error = handle.ping(withUnsafeBytes(of: pings.last.bigEndian) { Array($0) })
        if error == 0 {
            pings.waiting.append((pings.last, continuation))
        } else {
            continuation.resume(returning: .failure(WebSocketError(core: error)))
        }
    }

    /// A Pong answers its Ping and every earlier one (RFC 6455 §5.5.3: a peer may answer only the most recent).
    func pongCame(_ payload: UnsafeRawBufferPointer) {
        guard payload.count == MemoryLayout<UInt64>.size else { return }
        let number = UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))
        while let first = pings.waiting.first, first.number <= number, number <= pings.last {
            pings.waiting.removeFirst()
            first.continuation.resume(returning: .success(()))
        }
    }

    func endPings() {
        let waiting = pings.waiting
        pings.waiting = []
        for ping in waiting { ping.continuation.resume(returning: .failure(ending?.error ?? .closed)) }
    }
}
