extension WebSocket {
    /// Sends a Ping (RFC 6455 §5.5.2) and waits for its Pong.
    ///
    /// The server pings idle connections by itself; this is for measuring, or for asking right now.
    ///
    /// - Returns: how long the answer took.
    /// - Throws: ``WebSocketError``: `connectionClosed`, what ended the connection meanwhile, `outOfResources` while 64
    ///   control frames wait for a peer that takes nothing, or `cancelled` where the task was cancelled before the
    ///   answer came.
    @discardableResult
    public func ping() async throws(WebSocketError) -> Duration {
        let start = ContinuousClock.now
        let wait = Wait()
        MemoryGauge.add(Self.pingByteCount)
        defer { MemoryGauge.subtract(Self.pingByteCount) }
        let result: Pings.Outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.sendPing(continuation, wait) }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelPing(wait) }
        }
        try result.get()
        return ContinuousClock.now - start
    }

    /// For the gauge, as measured: what the task of a ping needs while it waits.
    private static let pingByteCount = 1200

    /// Pings of the application that wait for their Pong, oldest first.
    struct Pings {
        typealias Outcome = Result<Void, WebSocketError>

        var waiting: [(number: UInt64, wait: Wait, continuation: UnsafeContinuation<Outcome, Never>)] = []
        var last: UInt64 = 0
    }

    private func sendPing(_ continuation: UnsafeContinuation<Pings.Outcome, Never>, _ wait: Wait) {
        guard !wait.isCancelled else {
            continuation.resume(returning: .failure(.cancelledPing))
            return
        }
        guard let handle, ending == nil else {
            continuation.resume(returning: .failure(.closed))
            return
        }
        pings.last += 1
        let error = handle.ping(withUnsafeBytes(of: pings.last.bigEndian) { Array($0) })
        if error == 0 {
            pings.waiting.append((pings.last, wait, continuation))
        } else {
            continuation.resume(returning: .failure(WebSocketError(core: error)))
        }
    }

    private func cancelPing(_ wait: Wait) {
        guard let index = pings.waiting.firstIndex(where: { $0.wait === wait }) else { return }
        pings.waiting.remove(at: index).continuation.resume(returning: .failure(.cancelledPing))
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

extension WebSocketError {
    fileprivate static let cancelledPing = Self(.cancelled, "the task was cancelled while it waited for a Pong")
}
