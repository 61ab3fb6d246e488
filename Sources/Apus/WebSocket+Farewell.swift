/// The last words to a peer, before this side goes away.
extension WebSocket {
    /// Sets what to do before the connection is closed because the server stops, such as sending a last message.
    ///
    /// ```swift
    /// try await server.run { socket in
    ///     socket.beforeGoingAway { socket in try await socket.send("the server restarts") }
    ///     for try await message in socket { … }
    /// }
    /// ```
    ///
    /// `body` runs once, as a task of its own on the connection's ``eventLoop``, beside the handler: after
    /// ``WebSocketServer/Configuration/drainDelay``, when no more connections are accepted. When it returns, the
    /// connection is closed with ``WebSocketServer/Configuration/stopCode``. It may close the connection itself, with a
    /// code and reason of its own. An error that it throws is ignored. It is cancelled when the connection ends, at the
    /// latest after ``WebSocketServer/Configuration/stopDeadline``; the server waits for its end.
    ///
    /// At a client's end, and under `withWebSocketPair`, it runs when the task of the handler is cancelled, and its own
    /// task is cancelled from the start: it sends what can be sent at once, and does not wait. It does not run where
    /// the handler returns by itself, the peer closes, or the connection is lost. May be called from any task; a later
    /// call replaces the closure, and one that comes when the connection is being closed already does nothing.
    public func beforeGoingAway(_ body: @escaping @Sendable @concurrent (WebSocket) async throws -> Void) {
        onLoop {
            guard self.ending == nil, self.farewell?.task == nil else { return }
            self.farewell = Farewell(body: body)
        }
    }

    /// A closure for the last words, and its task once it runs.
    final class Farewell {
        /// Until it runs: it may well name its own socket.
        var body: (@Sendable @concurrent (WebSocket) async throws -> Void)?
        var task: Task<Void, Never>?

        init(body: @escaping @Sendable @concurrent (WebSocket) async throws -> Void) { self.body = body }
    }

    /// On the loop: says the last words, and closes behind them. Once the connection is closing it does nothing.
    ///
    /// - Parameter isPrompt: whether the last words must not wait for anything.
    func goAway(isPrompt: Bool = false) {
        guard let farewell, ending == nil else {
            handle?.goAway()
            return
        }
        guard farewell.task == nil else { return }
        let body = farewell.body
        farewell.body = nil
        farewell.task = Task(executorPreference: eventLoop) {
            try? await body?(self)  // as its documentation says
            self.onLoop { self.handle?.goAway() }
        }
        if isPrompt { farewell.task?.cancel() }
    }

    /// Waits until the last words are said, if they are being said. On the loop.
    func waitForFarewell() async {
        guard let task = farewell?.task else { return }
        await task.value
    }

    /// The connection has ended.
    func endFarewell() {
        guard let task = farewell?.task else {
            farewell = nil
            return
        }
        task.cancel()
    }
}
