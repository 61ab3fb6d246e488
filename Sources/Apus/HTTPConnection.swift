import HTTPTypes
import Logging

/// A connection while it speaks HTTP: it hands requests to its task, one at a time, and answers to the core.
///
/// All of it runs on the connection's loop.
final class HTTPConnection: Sendable {
    let loop: EventLoop
    @exclusivity(unchecked) private nonisolated(unsafe) var handle: ConnectionHandle?
    @exclusivity(unchecked) private nonisolated(unsafe) var pending: Request?
    @exclusivity(unchecked) private nonisolated(unsafe) var waiter: UnsafeContinuation<Request?, Never>?
    @exclusivity(unchecked) private nonisolated(unsafe) var hasEnded = false

    struct Request {
        let head: RequestHead
        let isUpgrade: Bool
    }

    init(_ handle: ConnectionHandle, of shard: ServerShard) {
        self.handle = handle
        loop = shard.loop
    }

    func requestCame(_ head: RequestHead, isUpgrade: Bool) {
        let request = Request(head: head, isUpgrade: isUpgrade)
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: request)
        } else {
            pending = request
        }
    }

    /// The next request; `nil` once the connection has ended.
    func nextRequest() async -> Request? {
        if let request = pending {
            pending = nil
            return request
        }
        if hasEnded { return nil }
        return await withUnsafeContinuation { waiter = $0 }
    }

    /// Answers the request that waits; one that is no valid response becomes a plain 500.
    func respond(_ response: Response, logger: Logger) {
        guard let handle else { return }
        let error = handle.respond(response)
        guard error != 0 else { return }
        logger.error("a response cannot be sent", metadata: ["reason": "\(WebSocketError(core: error))"])
        if handle.respond(.internalServerError) != 0 { handle.abort() }
    }

    /// Completes the opening handshake; `nil` where the peer has gone, or the response is not valid.
    func accept(
        _ head: RequestHead, subprotocol: String?, headerFields: HTTPFields, logger: Logger
    ) -> WebSocket? {
        guard let handle else { return nil }
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
        waiter?.resume(returning: nil)
        waiter = nil
    }

    func freed() { handle = nil }
}

extension Response {
    /// 500, which tells nothing of what went wrong inside.
    static let internalServerError = text("Something went wrong here.\n", status: .internalServerError)
}
