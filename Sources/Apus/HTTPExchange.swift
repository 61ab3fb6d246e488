/// One request's content and its response, while they are under way.
///
/// A task reads the one and writes the other, from wherever it runs; what they touch is the loop's.
final class HTTPExchange: Sendable {
    let loop: EventLoop
    /// `nil` once the response is given, or the connection is gone.
    @exclusivity(unchecked) private nonisolated(unsafe) var handle: ConnectionHandle?
    @exclusivity(unchecked) private nonisolated(unsafe) var reader: Reader?
    @exclusivity(unchecked) private nonisolated(unsafe) var writers: [Writer] = []
    /// Whether the core owes us a piece, or the end.
    @exclusivity(unchecked) private nonisolated(unsafe) var isDemanded = false
    /// What came when nobody waited any more.
    @exclusivity(unchecked) private nonisolated(unsafe) var unread: Delivery?
    /// What broke the content, as the core told it.
    @exclusivity(unchecked) private(set) nonisolated(unsafe) var failure: ContentFailure?

    /// Who wants to know that the client has left before its response was given.
    @exclusivity(unchecked) private nonisolated(unsafe) var onDeparture: (@Sendable () -> Void)?
    @exclusivity(unchecked) private nonisolated(unsafe) var hasLeft = false

    private typealias Reader = (wait: Wait, continuation: UnsafeContinuation<Delivery, Never>)
    private typealias Writer = (wait: Wait, continuation: UnsafeContinuation<Void, Never>)

    private enum Delivery {
        case piece([UInt8])
        case end
        case failed(WebSocketError)
    }

    init(_ handle: ConnectionHandle?, loop: EventLoop) {
        self.handle = handle
        self.loop = loop
    }

    /// The response is given, or the connection gone: nothing is read or written any more. On the loop.
    func close(_ error: WebSocketError = .exchangeOver) {
        handle = nil
        onDeparture = nil
        if let reader {
            self.reader = nil
            reader.continuation.resume(returning: .failed(error))
        }
        drained()
    }

    /// The client has left, or looks like it; the response is not given yet. On the loop.
    func clientLeft() {
        hasLeft = true
        let tell = onDeparture
        onDeparture = nil
        tell?()
    }

    /// Calls `body` on the loop if the client leaves before its response is given; soon where it has left already.
    func onDeparture(_ body: @escaping @Sendable () -> Void) {
        onLoop {
            if self.hasLeft || self.handle == nil { body() } else { self.onDeparture = body }
        }
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.isCurrent { body() } else { loop.post(body) }
    }
}

/// Reading.
extension HTTPExchange {
    func nextPiece() async throws(WebSocketError) -> [UInt8]? {
        let wait = Wait()
        let delivery = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.read((wait, continuation)) }
            }
        } onCancel: {
            wait.cancel()
            loop.post { self.cancelRead(wait) }
        }
        switch delivery {
        case .piece(let bytes): return bytes
        case .end: return nil
        case .failed(let error): throw error
        }
    }

    private func read(_ new: Reader) {
        if reader != nil {
            new.continuation.resume(returning: .failed(.bodyReadTwice))
        } else if let delivery = unread {
            unread = nil
            new.continuation.resume(returning: delivery)
        } else if let handle, !new.wait.isCancelled {
            reader = new
            demand(of: handle)
        } else {
            new.continuation.resume(returning: .failed(handle == nil ? .exchangeOver : .cancelledReading))
        }
    }

    private func demand(of handle: ConnectionHandle) {
        guard !isDemanded else { return }
        isDemanded = true
        let error = handle.demandBody()
        guard error != 0 else { return }
        isDemanded = false
        deliver(.failed(WebSocketError(core: error)))
    }

    private func cancelRead(_ wait: Wait) {
        guard let reader, reader.wait === wait else { return }
        self.reader = nil
        reader.continuation.resume(returning: .failed(.cancelledReading))
    }

    /// Content that was demanded has come. On the loop.
    func contentCame(_ bytes: UnsafeRawBufferPointer) {
        isDemanded = false
        deliver(.piece([UInt8](bytes)))
    }

    /// No more content will come. On the loop.
    func contentEnded(_ failure: ContentFailure?) {
        isDemanded = false
        self.failure = failure
        deliver(failure.map { .failed($0.error) } ?? .end)
    }

    private func deliver(_ delivery: Delivery) {
        guard let reader else {
            unread = delivery
            return
        }
        self.reader = nil
        reader.continuation.resume(returning: delivery)
    }
}

/// Writing.
extension HTTPExchange {
    func write(_ bytes: [UInt8]) async throws(WebSocketError) {
        while true {
            let isCancelled = Task.isCancelled
            // A client that goes also cancels the task; that it has gone is the better thing to say.
            let outcome = await loop.run { () -> WebSocket.Attempt.Outcome in
                guard let handle = self.handle else { return .failed(.exchangeOver) }
                return isCancelled ? .failed(.cancelledWriting) : handle.writeAttempt(bytes)
            }
            switch outcome {
            case .sent, .dropped: return
            case .full: await waitForDrain()
            case .failed(let error): throw error
            }
        }
    }

    /// Returns once there is room for more; at once where there is some, or where nobody would tell.
    func waitForDrain() async {
        let wait = Wait()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onLoop { self.waitForDrain((wait, continuation)) }
            }
        } onCancel: {
            wait.cancel()
            loop.post { self.cancelWrite(wait) }
        }
    }

    private func waitForDrain(_ writer: Writer) {
        guard !writer.wait.isCancelled, handle?.wantDrain() == true else {
            writer.continuation.resume()
            return
        }
        writers.append(writer)
    }

    /// How many tasks wait to write.
    var waitingWriters: Int { writers.count }

    private func cancelWrite(_ wait: Wait) {
        guard let index = writers.firstIndex(where: { $0.wait === wait }) else { return }
        writers.remove(at: index).continuation.resume()
    }

    /// There is room for more. On the loop.
    func drained() {
        let waiting = writers
        writers = []
        for writer in waiting { writer.continuation.resume() }
    }
}

/// What broke a request's content.
struct ContentFailure: Sendable {
    let error: WebSocketError
    /// What the client is told; 0 where nobody is left to be told.
    let status: Int
}

extension WebSocketError {
    fileprivate static let exchangeOver = Self(
        .connectionClosed, "the response is given, or the client has gone: nothing is left to read or write")
    fileprivate static let bodyReadTwice = Self(
        .alreadyReceiving, "another task reads this request's content; let one task read it")
    fileprivate static let cancelledReading = Self(
        .cancelled, "the task was cancelled while it waited for a request's content")
    fileprivate static let cancelledWriting = Self(
        .cancelled, "the task was cancelled while it waited to write a response")
}
