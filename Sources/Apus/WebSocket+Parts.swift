/// Receiving large messages in parts, in bounded memory.
extension WebSocket {
    /// The peer's messages in parts, each as soon as it has come.
    ///
    /// ```swift
    /// for try await part in socket.parts {
    ///     try await file.write(part.bytes)
    ///     if part.isLast { break }
    /// }
    /// ```
    ///
    /// A part is at most what one read brought, 128 KiB, or what 1 KiB of compressed bytes inflate to, so
    /// ``WebSocketServer/Configuration/maxMessageBytes`` and ``WebSocketServer/Configuration/maxFragments`` do not
    /// apply to messages that begin from now on. A message that comes whole in one read is one part. Text is validated
    /// as it comes; when a part breaks UTF-8 the connection ends with 1007, though parts before it were given out.
    ///
    /// The connection then gives all further messages in parts, in this sequence or another one made later, which goes
    /// on where the last one stopped.
    public var parts: Parts { Parts(socket: self) }

    /// The sequence of a connection's parts.
    public struct Parts: AsyncSequence, Sendable {
        /// What it is a sequence of.
        public typealias Element = MessagePart
        /// What ends it, unless the peer closes.
        public typealias Failure = WebSocketError

        let socket: WebSocket

        /// Pulls one part after the other.
        public struct Iterator: AsyncIteratorProtocol {
            let socket: WebSocket

            /// The next part. Suspends until there is one.
            ///
            /// - Returns: `nil` once the peer has closed, as ``WebSocket/Iterator/next(isolation:)`` does.
            /// - Throws: ``WebSocketError``, as ``WebSocket/Iterator/next(isolation:)`` does.
            public mutating func next() async throws(WebSocketError) -> MessagePart? {
                try await socket.nextPart()
            }

            /// The next part, as ``next()`` gives it.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(WebSocketError) -> MessagePart? {
                try await socket.nextPart()
            }
        }

        /// An iterator. One task at a time may wait for a part.
        public func makeAsyncIterator() -> Iterator { Iterator(socket: socket) }
    }

    /// What waits on either side of the next part.
    struct InboundParts {
        /// A task that waits for the next part, and its wait.
        var waiter: (continuation: UnsafeContinuation<Delivery, Never>, wait: Wait)?
        /// Parts that nobody had taken when the core freed the connection, in reverse.
        var unread: [MessagePart] = []

        /// What a task that waited for the next part gets.
        enum Delivery {
            case part(MessagePart)
            /// There is none any more.
            case end
            case cancelled
            case alreadyReceiving
        }
    }

    fileprivate func nextPart() async throws(WebSocketError) -> MessagePart? {
        let wait = Wait()
        let delivery = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.waitForPart(continuation, wait) }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelPart(wait) }
        }
        switch delivery {
        case .part(let part): return part
        case .end:
            if let error = status.ending?.error { throw error }
            return nil
        case .cancelled: throw .cancelledReceiving
        case .alreadyReceiving: throw .alreadyReceiving
        }
    }

    private func waitForPart(_ continuation: UnsafeContinuation<InboundParts.Delivery, Never>, _ wait: Wait) {
        guard inbound.waiter == nil, inbound.job == nil, inbound.receiver == nil, inbound.parts?.waiter == nil else {
            continuation.resume(returning: .alreadyReceiving)
            return
        }
        beginParts()
        if let part = takePart() {
            continuation.resume(returning: .part(part))
        } else if ending != nil {
            continuation.resume(returning: .end)
        } else if wait.isCancelled {
            continuation.resume(returning: .cancelled)
        } else {
            inbound.parts?.waiter = (continuation, wait)
            demandOne()
        }
    }

    private func beginParts() {
        guard !inbound.isInParts else { return }
        inbound.isInParts = true
        inbound.parts = InboundParts(unread: inbound.unread.map(MessagePart.init))
        inbound.unread = []
        handle?.giveParts()
    }

    private func takePart() -> MessagePart? {
        if let handle { return handle.nextPart() }
        return inbound.parts?.unread.popLast()
    }

    private func cancelPart(_ wait: Wait) {
        guard let waiter = inbound.parts?.waiter, waiter.wait === wait else { return }
        inbound.parts?.waiter = nil
        demandNone()
        waiter.continuation.resume(returning: .cancelled)
    }

    /// A part that was demanded has come.
    func partCame(_ part: MessagePart) {
        guard let waiter = inbound.parts?.waiter else { return }
        inbound.parts?.waiter = nil
        waiter.continuation.resume(returning: .part(part))
    }

    func endParts() {
        guard let waiter = inbound.parts?.waiter else { return }
        inbound.parts?.waiter = nil
        waiter.continuation.resume(returning: .end)
    }

    /// The core is about to free the connection and what it keeps.
    func keepUnreadParts() {
        var parts: [MessagePart] = []
        while let part = takePart() { parts.append(part) }
        countUnread(parts.map { MemoryLayout<MessagePart>.stride + $0.bytes.count })
        inbound.parts?.unread = parts.reversed()
    }
}

extension MessagePart {
    /// A whole message.
    fileprivate init(_ message: Message) {
        switch message {
        case .text(let text): self.init(isText: true, bytes: Array(text.utf8), isLast: true)
        case .binary(let bytes): self.init(isText: false, bytes: [UInt8](bytes), isLast: true)
        }
    }
}
