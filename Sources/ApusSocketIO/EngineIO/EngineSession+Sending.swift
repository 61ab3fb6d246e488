import Apus

/// What the application wants.
extension EngineSession {
    /// Sends messages that stay together, whatever becomes of them; a client that is too slow is closed.
    ///
    /// - Parameter isLast: whether they end what was sent before; then they wait for a poll though the queue is full.
    package func post(_ messages: [Message], isLast: Bool = false) {
        step(deliversLater: true) { state in
            switch state.machine.send(messages, isLast: isLast) {
            case .write: if let webSocket = state.webSocket { write(messages, to: webSocket) }
            case .full: state.machine.fail(.transportError)
            case .sent, .closed: return
            }
        }
    }

    /// Sends messages if they leave at once, or drops them.
    package func postIfWritable(_ messages: [Message]) {
        step(deliversLater: true) { state in
            guard state.machine.isWritable else { return }
            if state.machine.send(messages) == .write, let webSocket = state.webSocket {
                let write: @Sendable () -> Void = {
                    if webSocket.queuedBytes == 0 { _ = webSocket.trySendAll(messages) }
                }
                if webSocket.eventLoop.isCurrent { write() } else { webSocket.eventLoop.post(write) }
            }
        }
    }

    /// Sends messages that stay together; waits where the client is slow.
    ///
    /// - Throws: ``SocketIOError`` with the code `disconnected`, or `CancellationError` where the task was cancelled
    ///   while it waited.
    package func send(_ messages: [Message]) async throws {
        while true {
            let attempt: Attempt = step { state in self.attempt(messages, &state) }
            switch attempt {
            case .sent: return
            case .closed: throw SocketIOError.disconnected
            case .elsewhere: if try await isSentElsewhere(messages) { return }
            case .fullQueue: await waitForPoll()
            case .fullSocket(let webSocket): await webSocket.waitForDrain()
            }
            try Task.checkCancellation()
        }
    }

    private enum Attempt: Sendable {
        case sent, closed, elsewhere, fullQueue
        case fullSocket(WebSocket)
    }

    private func attempt(_ messages: [Message], _ state: inout State) -> Attempt {
        switch state.machine.send(messages) {
        case .sent: return .sent
        case .closed: return .closed
        case .full: return .fullQueue
        case .write:
            guard let webSocket = state.webSocket else { return .closed }
            guard webSocket.eventLoop.isCurrent else { return .elsewhere }
            return Self.attempt(webSocket.trySendAll(messages), webSocket)
        }
    }

    private static func attempt(_ result: SendResult, _ webSocket: WebSocket) -> Attempt {
        switch result {
        case .sent: .sent
        case .full: .fullSocket(webSocket)
        case .closed: .closed
        }
    }

    /// Sends on the WebSocket's own loop, in the session's order; returns once it has done so.
    private func isSentElsewhere(_ messages: [Message]) async throws -> Bool {
        let attempt: Attempt = await withUnsafeContinuation { continuation in
            state.withLock { state in
                guard let webSocket = state.webSocket else { return continuation.resume(returning: .closed) }
                webSocket.eventLoop.post {
                    continuation.resume(returning: Self.attempt(webSocket.trySendAll(messages), webSocket))
                }
            }
        }
        switch attempt {
        case .sent: return true
        case .closed: throw SocketIOError.disconnected
        case .fullSocket(let webSocket): await webSocket.waitForDrain()
        case .elsewhere, .fullQueue: break
        }
        return false
    }

    /// Returns when it is worth trying again, or to look whether the task was cancelled.
    private func waitForPoll() async {
        let number = state.withLock { state in
            state.senderCount += 1
            return state.senderCount
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                state.withLock { state in
                    // As long as nothing waits to be taken, nobody would wake us.
                    guard state.machine.isOpen, state.machine.isWaitingForPoll, !Task.isCancelled else {
                        return continuation.resume()
                    }
                    state.senders.append((number, continuation))
                }
            }
        } onCancel: {
            state.withLock { state in
                guard let index = state.senders.firstIndex(where: { $0.number == number }) else { return }
                state.senders.remove(at: index).continuation.resume()
            }
        }
    }

    /// Ends the session.
    package func close(_ reason: EngineEnd = .forcedClose) {
        step { $0.machine.close(reason, now: .now) }
    }

    /// Ends the session of a client that exceeds what a setting allows; a WebSocket's Close names the setting.
    func close(exceeding setting: String) {
        step { state in
            state.exceededSetting = setting
            state.machine.close(.limitExceeded, now: .now)
        }
    }
}
