/// Receiving by pulling: `for try await message in socket`.
///
/// What a message usually needs is inlined into the handler's own function, and so without a hop: a task that hops, or
/// that might have to, asks the runtime under a lock where it may run, which costs more than the message
/// (`docs/decisions/0007-no-hop-on-the-way-of-a-message.md`).
extension WebSocket: AsyncSequence {
    /// What it is a sequence of.
    public typealias Element = Message
    /// What ends it, unless the peer closes.
    public typealias Failure = WebSocketError

    /// Pulls one message after the other.
    public struct Iterator: AsyncIteratorProtocol {
        @usableFromInline let socket: WebSocket

        @inlinable
        init(socket: WebSocket) { self.socket = socket }

        /// The next message.
        ///
        /// Suspends until there is one; returns at once while messages of the last read are left.
        ///
        /// - Returns: `nil` once the peer has closed (RFC 6455 §7.1.4), whatever its code:
        ///   see ``WebSocket/closeCode``; also after ``WebSocket/close(_:reason:)`` on this side.
        /// - Throws: ``WebSocketError``: `connectionLost`, `protocolViolation`, `timedOut`, `slowConsumer`,
        ///   `outOfResources`; `cancelled` where the task was cancelled while it waited, after which one may go on;
        ///   `alreadyReceiving` where another task waits for the next message.
        @inlinable
        @inline(__always)
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(WebSocketError) -> Message? {
            if let message = socket.takeMessageAtOnce() { return message }
            if let mailbox = socket.handlersMailbox {
                if let message = try await mailbox.take() { return message }
                guard socket.isMisplaced else { return nil }
            }
            let message = try await socket.waitForMessageUnlessCancelled()
            await settle()
            return message
        }

        /// The next message, as ``next(isolation:)`` gives it.
        public mutating func next() async throws(WebSocketError) -> Message? {
            try await next(isolation: nil)
        }
    }

    /// An iterator. One task at a time may wait for a message.
    @inlinable
    public func makeAsyncIterator() -> Iterator { Iterator(socket: self) }
}

extension WebSocket {
    /// What a task that waited for the next message gets.
    @usableFromInline
    enum Delivery: Sendable {
        case message(Message)
        /// There is none any more.
        case end
        case cancelled
        case alreadyReceiving
    }

    /// What waits on either side of the next message.
    struct Inbound {
        /// A task that waits for the next message, unless it is the handler's own, which does so in the mailbox.
        var waiter: UnsafeContinuation<Delivery, Never>?
        /// Its wait.
        var wait: Wait?
        /// Where the handler's own task waits; made when it first does.
        var mailbox: Mailbox?
        /// The task, while it waits.
        var job: UnownedJob?
        /// Another task came to the mailbox and is on its way to where it belongs.
        var isMisplaced = false
        /// A task that gave a closure for all messages, and that waits for the end. Retained; not by a reference that
        /// would be counted at every message.
        var receiver: Unmanaged<Receiver>?
        /// Messages that nobody had taken when the core freed the connection, in reverse.
        var unread: [Message] = []
        /// Bytes of those, and of ``parts``, for the gauge.
        var unreadByteCount = 0
        /// Whether messages come in parts, from the first time that somebody asked for one.
        var isInParts = false
        /// The other side of ``WebSocket/parts``.
        var parts: InboundParts?
    }

    /// The next message, if we are on the loop and it is there.
    @usableFromInline
    func takeMessageAtOnce() -> Message? {
        isOnLoop ? takeMessage() : nil
    }

    /// The next message, if it is there. On the loop.
    @inline(__always)
    func takeMessage() -> Message? {
        if _slowPath(inbound.isInParts) { return nil }
        if let handle { return handle.next { $0.copy() } }
        return inbound.unread.popLast()
    }

    /// Where to wait, if we are in the handler's own task, on the loop. It is cancelled only when the connection is
    /// closed as well, so its waits need no cancellation handler. A child that began at once within the job of the
    /// handler's task looks the same; it is told when it waits.
    @usableFromInline
    var handlersMailbox: Mailbox? {
        guard eventLoop.handle.isRunning(handlerJob) else { return nil }
        if let mailbox = inbound.mailbox { return mailbox }
        let mailbox = Mailbox(of: self)
        inbound.mailbox = mailbox
        return mailbox
    }

    @usableFromInline
    func waitForMessageUnlessCancelled() async throws(WebSocketError) -> Message? {
        let wait = Wait()
        let delivery = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.waitForMessage(continuation, wait) }
            }
        } onCancel: {
            wait.cancel()
            eventLoop.post { self.cancelWaiter(wait) }
        }
        return try message(of: delivery)
    }

    @usableFromInline
    func message(of delivery: Delivery) throws(WebSocketError) -> Message? {
        switch delivery {
        case .message(let message): return message
        case .end:
            // `nil` after a closing handshake, else the error that ended the connection.
            if let error = status.ending?.error { throw error }
            return nil
        case .cancelled: throw .cancelledReceiving
        case .alreadyReceiving: throw .alreadyReceiving
        }
    }

    /// On the loop: answers at once where there is something to say, else remembers who waits.
    private func waitForMessage(_ continuation: UnsafeContinuation<Delivery, Never>, _ wait: Wait) {
        if isReceiving {
            continuation.resume(returning: .alreadyReceiving)
        } else if let message = takeMessage() {
            continuation.resume(returning: .message(message))
        } else if ending != nil {
            continuation.resume(returning: .end)
        } else if wait.isCancelled {
            continuation.resume(returning: .cancelled)
        } else {
            inbound.waiter = continuation
            inbound.wait = wait
            demandOne()
        }
    }

    /// The same for the handler's own task, which has just looked for a message.
    func waitInMailbox(_ job: UnownedJob) {
        guard job.address == handlerJob else {
            inbound.isMisplaced = true
            return eventLoop.handle.enqueue(job, isSerial: false)
        }
        guard !isReceiving, ending == nil else { return resume(job) }
        inbound.job = job
        demandOne()
    }

    /// Lets the handler's own task go on: as a plain one of the loop's, since nothing that the mailbox does needs its
    /// isolation, and to leave that would be another hop.
    private func resume(_ job: UnownedJob) {
        inbound.job = nil
        eventLoop.handle.enqueue(job, isSerial: false)
    }

    /// What the handler's own task gets where there is no message for it: unless this is the end, somebody else has
    /// taken it.
    func endOfMessages() throws(WebSocketError) -> Message? {
        if inbound.isMisplaced { return nil }
        return try message(of: ending == nil ? .alreadyReceiving : .end)
    }

    /// Whether the task that just came from the mailbox has to wait elsewhere.
    @usableFromInline
    var isMisplaced: Bool {
        defer { inbound.isMisplaced = false }
        return inbound.isMisplaced
    }

    /// Whether somebody waits for messages, or takes them in another form.
    var isReceiving: Bool {
        inbound.waiter != nil || inbound.job != nil || inbound.receiver != nil || inbound.isInParts
    }

    private func cancelWaiter(_ wait: Wait) {
        guard let waiter = inbound.waiter, inbound.wait === wait else { return }
        inbound.waiter = nil
        demandNone()
        waiter.resume(returning: .cancelled)
    }

    /// A message that was demanded has come, or a part of one; it stands in the read buffer. Messages come in parts
    /// only where neither a closure nor a task waits for whole ones.
    @inline(__always)
    func messageCame(_ incoming: IncomingHandle) {
        if let receiver = inbound.receiver {
            receive(incoming.borrowed, by: receiver)
        } else {
            awaitedMessageCame(incoming)
        }
    }

    @inline(never)
    private func awaitedMessageCame(_ incoming: IncomingHandle) {
        if let job = inbound.job {
            handle?.leave(incoming)
            resume(job)
        } else if let waiter = inbound.waiter {
            inbound.waiter = nil
            waiter.resume(returning: .message(incoming.borrowed.message))
        } else {
            partCame(incoming.part)
        }
    }

    func endReceiving() {
        if let job = inbound.job { resume(job) }
        if let waiter = inbound.waiter {
            inbound.waiter = nil
            waiter.resume(returning: .end)
        }
        endParts()
        endReceiver()
    }

    /// The core is about to free the connection and the messages in it.
    func keepUnreadMessages() {
        if inbound.isInParts { return keepUnreadParts() }
        var messages: [Message] = []
        while let message = takeMessage() { messages.append(message) }
        countUnread(messages.map { MemoryLayout<Message>.stride + $0.byteCount })
        inbound.unread = messages.reversed()
    }

    /// They stay until the handler takes them, and count until this object goes.
    func countUnread(_ sizes: [Int]) {
        inbound.unreadByteCount = sizes.reduce(0, +)
        MemoryGauge.add(inbound.unreadByteCount)
    }

    /// Runs `body` on the loop: at once where we are there.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if isOnLoop { body() } else { eventLoop.post(body) }
    }
}

extension WebSocketError {
    static let cancelledReceiving = Self(.cancelled, "the task was cancelled while it waited for a message")

    static let alreadyReceiving = Self(
        .alreadyReceiving,
        "somebody else receives from this connection, or it gives its messages in parts; let one task receive")
}
