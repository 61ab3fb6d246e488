import HTTPTypes
import Logging

/// A connection while it speaks HTTP: it hands requests to its task, one at a time, and answers to the core.
///
/// All of it runs on the connection's loop.
final class HTTPConnection: Sendable {
    let loop: EventLoop
    @exclusivity(unchecked) private nonisolated(unsafe) var handle: ConnectionHandle?
    @exclusivity(unchecked) private nonisolated(unsafe) var pending: Arrival?
    @exclusivity(unchecked) private nonisolated(unsafe) var waiter: UnsafeContinuation<Arrival?, Never>?
    @exclusivity(unchecked) private nonisolated(unsafe) var hasEnded = false
    /// Whether the client has sent all it will. It may be seen before the request is looked at, and is told once.
    @exclusivity(unchecked) private nonisolated(unsafe) var hasPeerEnded = false
    /// Of the request that is being answered; all that this object keeps of it, as it lives as long as the connection.
    @exclusivity(unchecked) private(set) nonisolated(unsafe) var exchange: HTTPExchange?

    /// Cancels the application's closure that works on the present request.
    @exclusivity(unchecked) private nonisolated(unsafe) var cancelWork: (@Sendable () -> Void)?
    /// The content of a large response, which is copied only as fast as the client takes it, and how much of it has
    /// been.
    @exclusivity(unchecked) private nonisolated(unsafe) var unsent: (content: [UInt8], count: Int) = ([], 0)

    /// Content is copied to the client's queue in pieces of so many bytes, and never two at a time; so this much memory
    /// is all that a client takes that reads slowly, however large the response is.
    private static let pieceSize = 64 << 10
    /// Pieces that a client which reads fast is sent before other connections come first.
    private static let piecesPerTurn = 16

    /// A request whose head has come.
    struct Arrival {
        let head: RequestHead
        let isUpgrade: Bool
    }

    /// Whether the client has gone, or the connection was ended for another reason.
    var isOver: Bool { hasEnded }

    init(_ handle: ConnectionHandle, of shard: ServerShard) {
        self.handle = handle
        loop = shard.loop
        MemoryGauge.add(Self.ownByteCount)
    }

    deinit {
        dropUnsent()
        MemoryGauge.subtract(Self.ownByteCount)
    }

    /// For the gauge, as measured: this object and the connection's task.
    private static let ownByteCount = 1000

    func requestCame(_ head: RequestHead, isUpgrade: Bool) {
        let arrival = Arrival(head: head, isUpgrade: isUpgrade)
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: arrival)
        } else {
            pending = arrival
        }
    }

    /// The client has sent all it will; the requests that have come are still answered.
    func peerEnded() {
        hasPeerEnded = true
        exchange?.clientLeft()
    }

    /// The next request; `nil` once the connection has ended.
    func nextRequest() async -> Arrival? {
        if let arrival = pending {
            pending = nil
            return arrival
        }
        if hasEnded { return nil }
        return await withUnsafeContinuation { waiter = $0 }
    }

    /// The request as the application sees it; its content can be read until it is answered.
    func makeRequest(_ arrival: Arrival) -> Request {
        let remoteAddress = handle?.peer ?? .unknown
        let head = arrival.head.request
        guard !arrival.isUpgrade else { return Request(head: head, body: .empty, remoteAddress: remoteAddress) }
        let exchange = HTTPExchange(hasEnded ? nil : handle, loop: loop)
        self.exchange = exchange
        if hasPeerEnded { exchange.clientLeft() }
        let body = RequestBody(contentLength: arrival.head.contentLength, exchange: exchange)
        return Request(head: head, body: body, remoteAddress: remoteAddress)
    }

    /// Answers the request that waits; one that is no valid response becomes a plain 500.
    func respond(_ response: Response, logger: Logger) {
        exchange?.close()
        exchange = nil
        guard let handle, !hasEnded else { return }
        let error = response.body.count > Self.pieceSize ? beginToSend(response, handle) : handle.respond(response)
        guard error != 0 else { return }
        logger.error("a response cannot be sent", metadata: ["reason": "\(WebSocketError(core: error))"])
        if handle.respond(.internalServerError) != 0 { handle.abort() }
    }

    private func beginToSend(_ response: Response, _ handle: ConnectionHandle) -> CInt {
        let error = handle.begin(response, contentLength: response.body.count)
        if error == 0 {
            unsent = (response.body, 0)
            ContentGauge.hold(response.body)
            handle.pull()
        }
        return error
    }

    /// Nothing of the response is queued: more of it goes out. On the loop.
    func pulled() {
        guard let handle else { return }
        var (content, count) = unsent
        for _ in 0..<Self.piecesPerTurn where handle.outboundBytes == 0 && count < content.count {
            let end = min(count + Self.pieceSize, content.count)
            let outcome = content.withUnsafeBufferPointer { bytes in
                handle.writeAttempt(UnsafeBufferPointer(rebasing: bytes[count..<end]))
            }
            guard case .sent = outcome else { return handle.abort() }
            count = end
        }
        unsent.count = count
        guard count == content.count else { return }
        dropUnsent()
        _ = handle.endResponse()  // it is whole
    }

    /// All of a large response is on its way, or nobody is left to take it.
    private func dropUnsent() {
        guard !unsent.content.isEmpty else { return }
        ContentGauge.release(unsent.content)
        unsent = ([], 0)
    }

    /// Runs the application's work on the present request as a task that is cancelled when the client goes.
    func run<T: Sendable>(_ work: @escaping @Sendable @concurrent () async throws -> T) async throws -> T {
        let task = Task(executorPreference: loop) { try await work() }
        if hasEnded { task.cancel() }
        cancelWork = { task.cancel() }
        defer { cancelWork = nil }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Answers with a response whose content is written now; returns when that is done.
    func respond(_ response: Response, streaming stream: Response.Stream, to request: Request, logger: Logger) async {
        guard let exchange, let handle, !hasEnded else { return }
        // The writer may read the request's content. After a refusal clients send none.
        if response.status.code < 400 { handle.allowContent() }
        let error = handle.begin(response, contentLength: stream.contentLength)
        guard error == 0 else {
            logger.error("a response cannot be sent", metadata: ["reason": "\(WebSocketError(core: error))"])
            respond(.internalServerError, logger: logger)
            return
        }
        do {
            if request.method != .head, response.status.hasContent {
                try await run { try await stream.write(ResponseWriter(exchange: exchange)) }
            }
            endResponse(of: exchange, logger: logger)
        } catch {
            if !hasEnded { logger.error("writing a response failed", metadata: ["error": "\(error)"]) }
            exchange.close()
            self.exchange = nil
            self.handle?.abort()
        }
    }

    private func endResponse(of exchange: HTTPExchange, logger: Logger) {
        exchange.close()
        self.exchange = nil
        guard let handle, !hasEnded, !handle.endResponse() else { return }
        logger.error("a response has less content than its length says; the connection is aborted")
    }

    /// Completes the opening handshake; `nil` where the peer has gone, or the response is not valid.
    func accept(
        _ head: RequestHead, subprotocol: String?, headerFields: HTTPFields, logger: Logger
    ) -> WebSocket? {
        guard let handle, !hasEnded else { return nil }
        if let subprotocol, !head.request.offeredSubprotocols.contains(subprotocol) {
            logger.error("the client did not offer this subprotocol", metadata: ["subprotocol": "\(subprotocol)"])
            respond(.internalServerError, logger: logger)
            return nil
        }
        let socket = WebSocket(handle, loop: loop, head: head, subprotocol: subprotocol)
        // From here on the core's calls go to the socket; frames may have come already.
        handle.releaseOwner()
        handle.setOwner(socket)
        let error = handle.accept(subprotocol: subprotocol, fields: headerFields)
        if error == 0 {
            self.handle = nil
            return socket
        }
        handle.releaseOwner()
        handle.setOwner(self)
        logger.error("an opening handshake cannot be accepted", metadata: ["reason": "\(WebSocketError(core: error))"])
        respond(.internalServerError, logger: logger)
        return nil
    }
}

extension HTTPConnection: ConnectionOwner {
    func ended(_ ending: Ending) {
        hasEnded = true
        dropUnsent()
        cancelWork?()
        exchange?.clientLeft()
        exchange?.close(ending.error ?? .closed)
        waiter?.resume(returning: nil)
        waiter = nil
    }

    func outboundDrained() { exchange?.drained() }

    func freed() { handle = nil }
}

extension HTTPResponse.Status {
    /// Whether responses with it have content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
    fileprivate var hasContent: Bool { ![204, 205, 304].contains(code) }
}

extension Response {
    /// 500, which tells nothing of what went wrong inside.
    static let internalServerError = text("Something went wrong here.\n", status: .internalServerError)
}
